"""The guides: their code runs, on a slice of the data, and gives what they say."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from pathlib import Path

import pytest
from test_readme import blocks

from child import output

REAL = Path(os.environ.get("GYAKU_DATA") or Path(__file__).parents[2] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not all((REAL / name).is_dir() for name in ("ud_english_ewt", "ud_japanese_gsd", "nab")),
    reason="the treebanks and series are not on this machine: set GYAKU_DATA",
)
SENTENCES = {
    "ud_english_ewt/en_ewt-train.conllu": 200,
    "ud_english_ewt/en_ewt-ud-test.conllu": 50,
    "ud_japanese_gsd/ja_gsd-ud-dev.conllu": 60,
    "ud_japanese_gsd/ja_gsd-ud-test.conllu": 50,
}
LINES = {
    "nab/machine_temperature_system_failure.csv": 4000,
    "nab/ambient_temperature_system_failure.csv": 1000,
    "nab/nyc_taxi.csv": None,  # all of it
}


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """Return a folder with the first sentences and samples of each file."""
    for files, end in ((SENTENCES, "\n\n"), (LINES, "\n")):
        for name, count in files.items():
            parts = gzip.decompress((REAL / f"{name}.gz").read_bytes()).decode().split(end)
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(end.join(parts[:count]) + end)
    labels = "nab/combined_windows.json"
    shutil.copy(REAL / labels, tmp_path / "data" / labels)
    return tmp_path


def printed(page: str, folder: Path, more: str = "") -> str:
    code = "\n".join([f"import os; os.chdir({str(folder)!r})", *blocks(page, "python"), more])
    environment = {"MPLBACKEND": "agg", "GYAKU_DATA": str(folder / "data")}
    return output(code, GYAKU_NUM_THREADS="1", **environment)


def test_a_model_goes_to_other_programs_and_back(tmp_path: Path) -> None:
    for page in ("docs/interop.md", "docs/ja/interop.md"):
        assert printed(page, tmp_path, "print(again.output_shape, scores.shape)") == "(10,) (3, 10)"
        assert "void digits_predict(" in (tmp_path / "digits.c").read_text()


def test_products_have_the_precision_of_the_call(tmp_path: Path) -> None:
    for page in ("docs/precision.md", "docs/ja/precision.md"):
        more = "print(model.precision, probabilities.shape == (len(x_test), 10))"
        assert printed(page, tmp_path, more) == "bfloat16 True"


def test_what_counts_in_a_training(tmp_path: Path) -> None:
    for page in ("docs/training.md", "docs/ja/training.md"):
        lines = printed(page, tmp_path).splitlines()
        assert lines == [
            *("True", "max_time of 0.2 s is over"),
            *("['accuracy', 'f1_weighted', 'kappa', 'loss']", "500"),
        ]


def test_estimators_work_in_a_grid_search(tmp_path: Path) -> None:
    assert printed("docs/sklearn.md", tmp_path).splitlines() == 7 * ["True"]
    assert blocks("docs/ja/sklearn.md", "python") == blocks("docs/sklearn.md", "python")


@needs_data
def test_words_are_tagged(slices: Path) -> None:
    text = printed("docs/tagging.md", slices)
    found = {name: float(value) for name, value in re.findall(r"(\w+): (0\.\d+)", text)}
    assert found.keys() == {"English", "Japanese"}
    assert min(found.values()) > 0.5  # a sixth of the words have the most frequent tag
    assert "('a', 'DET'), ('table', 'NOUN'), (',', 'PUNCT')" in text


@needs_data
def test_anomalies_are_found(slices: Path) -> None:
    text = printed("docs/anomalies.md", slices)
    found = re.findall(r"(\w+): (\d+) of (\d+) windows, \d+ false alarms in \d+ days", text)
    assert [Path(name).stem for name in LINES] == [name for name, _, _ in found]
    assert all((slices / f"{name}.png").stat().st_size > 10_000 for name, _, _ in found)
    *_, (_, hits, labelled) = found
    assert int(labelled) == 5
    assert int(hits) >= 4
