"""A history: rows for a file, a table, a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gyaku.history import History


def history() -> History:
    made = History(samples=4)
    made.extend({"loss": [0.5, 0.25], "val_loss": [0.75, 0.5]}, seconds=0.5)
    return made


def test_a_file_has_one_row_an_epoch(tmp_path: Path) -> None:
    history().to_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text().splitlines() == [
        "epoch,loss,val_loss,seconds",
        "1,0.5,0.75,0.25",
        "2,0.25,0.5,0.25",
    ]


def test_a_table_has_one_row_an_epoch() -> None:
    table = history().to_pandas()
    assert table.to_dict("list") == {
        "loss": [0.5, 0.25],
        "val_loss": [0.75, 0.5],
        "seconds": [0.25, 0.25],
    }
    assert list(table.index) == [1, 2]
    assert table.index.name == "epoch"


def test_a_table_of_no_epochs_has_no_rows() -> None:
    assert History().to_pandas().empty


def test_a_table_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_pandas needs pandas: pip install pandas"):
        history().to_pandas()


@pytest.mark.parametrize(
    ("name", "begin"), [("a.png", b"\x89PNG"), ("plain", b"\x89PNG"), ("a.pdf", b"%PDF")]
)
def test_a_picture_is_kept_in_the_form_of_its_ending(
    name: str, begin: bytes, tmp_path: Path
) -> None:
    axes = history().plot(tmp_path / name)
    assert len(axes.lines) == 2
    assert (tmp_path / name).read_bytes().startswith(begin)
    assert history().plot()._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_a_picture_of_an_unknown_kind_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="xyz"):
        history().plot(tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []
