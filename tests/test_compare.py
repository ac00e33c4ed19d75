"""``gyaku compare``: which tensors of two files differ, and by how much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gyaku as gk
from gyaku.cli import main


def test_tensors_that_differ_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = gk.Sequential(gk.Dense(2), gk.Dense(3), seed=0)
    model.build((4,))
    first, second = str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")
    model.save(first)
    model.save(second)
    assert main(["compare", first, second]) == 0
    assert capsys.readouterr().out == "0 of 4 tensors differ\n"
    model.params["dense.bias"][1] += np.float32(0.5)
    model.save(second)
    assert main(["compare", first, second]) == 1
    expected = "dense.bias  1 of 2 elements, by up to 0.5\n1 of 4 tensors differ\n"
    assert capsys.readouterr().out == expected


def test_tensors_of_other_shapes_and_names_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for name, units in (("one", 2), ("two", 3)):
        model = gk.Sequential(gk.Dense(units), gk.Dense(1, name=name, use_bias=False))
        model.build((4,))
        paths.append(str(tmp_path / name))
        model.save(paths[-1])
    assert main(["compare", *paths]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "dense.bias    float32 (2,) and float32 (3,)",
        "dense.weight  float32 (4, 2) and float32 (4, 3)",
        "one.weight    in A alone",
        "two.weight    in B alone",
        "4 of 4 tensors differ",
    ]
