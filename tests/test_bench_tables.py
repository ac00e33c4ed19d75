"""The tables of the benchmark: how they judge, show and draw what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import data, goals, images, pictures, ranks, scaling, widths
from bench import products as products_table
from bench.ratios import by_task, together
from bench.rows import ROWS
from bench.shapes import (
    CONVOLUTIONS,
    POOLINGS,
    Convolution,
    Pass,
    Pooling,
    Product,
    find_layer,
    passes,
    products,
)
from bench.table import thread_counts

ROOT = Path(__file__).parent.parent


def test_negatives_have_no_margin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, digits = np.zeros((3, 28, 28), np.uint8), np.arange(3)
    images[:, 9:14, 9:14] = 200
    monkeypatch.setattr("gyaku.data.mnist", lambda: ((images, digits), (images, digits)))
    for negatives, margin, ink in ((False, 0, 200), (True, 255, 55)):
        data.store_mnist(tmp_path, negatives=negatives)
        for name in ("x_train", "x_test"):
            stored = data.mnist_part(name, tmp_path)
            assert (stored[0, 0], stored[0, 290]) == (margin, ink)


def test_products_cover_all_transpositions() -> None:
    listed = products()
    assert len({product.name for product in listed}) == len(listed)
    assert {p.transposed for p in listed if p.n == p.m == 4096} == {"nn", "nt", "tn", "tt"}
    assert Product(2, 3, 4).flops == 48
    assert Product(512, 512, 512).big
    assert not Product(256, 256, 256).big
    assert not Product(512, 512, 1024).big
    assert min(product.n for product in listed if product.square) == 4
    assert [Product.named(product.name) for product in listed] == listed


def speeds(numpy: float, torch: float, gyaku: float, replayed: float) -> dict[str, list[float]]:
    """Return GFLOP/s of a product in one round, beside a peak of 100."""
    found = {"numpy": numpy, "torch": torch, "gyaku": gyaku, "gyaku, replayed": replayed}
    return {name: [speed] for name, speed in {**found, "peak": 100}.items()}


@pytest.mark.parametrize(
    ("isa", "size", "found", "met"),
    [
        ("avx512", 64, speeds(50, 50, 48, 48), True),
        ("avx512", 64, speeds(50, 51, 48, 90), False),
        ("avx512", 512, speeds(50, 50, 90, 93), True),
        ("avx512", 512, speeds(50, 50, 90, 92), False),
        ("avx512", 512, speeds(95, 50, 90, 93), False),
        ("avx2", 64, speeds(50, 50, 48, 48), True),
        ("avx2", 512, speeds(50, 50, 48, 48), True),
        ("avx2", 512, speeds(50, 10, 47, 99), False),
    ],
)
def test_a_product_is_judged_by_its_call_and_its_share_by_its_replay(
    isa: str, size: int, found: dict[str, list[float]], met: bool
) -> None:
    assert goals.GOALS[isa].met(Product(size, size, size), found) is met


def test_a_target_is_not_met_before_all_of_it_is_measured() -> None:
    found = speeds(50, 50, 60, 60)
    del found["torch"]
    assert goals.GOALS["avx512"].met(Product(64, 64, 64), found) is None
    assert goals.GOALS["avx512"].met(Product(512, 512, 512), found) is False
    assert [together(parts) for parts in ([True, True], [True, None], [None, False])] == [
        True,
        None,
        False,
    ]
    alone = {"gyaku 1": [1.0]}
    assert widths.compare(alone, 1)["met"] is None


@pytest.mark.parametrize(
    ("layer", "which", "found", "met"),
    [
        # First layers and windows of one pixel: far ahead, or near the peak.
        (CONVOLUTIONS[0], "forward", {"NCHW": 10, "channels-last": 20, "gyaku": 31}, True),
        (CONVOLUTIONS[0], "forward", {"NCHW": 10, "channels-last": 20, "gyaku": 29}, False),
        (CONVOLUTIONS[0], "forward", {"NCHW": 10, "gyaku": 31}, None),
        (CONVOLUTIONS[9], "data", {"NCHW": 10, "channels-last": 60, "gyaku": 91}, True),
        (CONVOLUTIONS[9], "data", {"NCHW": 10, "channels-last": 60, "gyaku": 89}, False),
        # A few channels: not behind.
        (CONVOLUTIONS[2], "weights", {"NCHW": 50, "channels-last": 40, "gyaku": 50}, True),
        (CONVOLUTIONS[2], "weights", {"NCHW": 50, "channels-last": 40, "gyaku": 49}, False),
        # Many: near the peak.
        (CONVOLUTIONS[5], "forward", {"NCHW": 40, "channels-last": 40, "gyaku": 92}, True),
        (CONVOLUTIONS[5], "forward", {"NCHW": 40, "channels-last": 40, "gyaku": 91}, False),
        (CONVOLUTIONS[5], "weights", {"NCHW": 99, "channels-last": 40, "gyaku": 88}, False),
        (POOLINGS[0], "backward", {"NCHW": 1, "channels-last": 30, "gyaku": 90}, True),
        (POOLINGS[0], "backward", {"NCHW": 1, "channels-last": 31, "gyaku": 90}, False),
    ],
)
def test_a_pass_is_judged_against_the_better_layout(
    layer: Convolution | Pooling, which: str, found: dict[str, float], met: bool | None
) -> None:
    speeds = {name if name == "gyaku" else f"torch {name}": [x] for name, x in found.items()}
    speeds["gyaku, replayed"] = speeds["gyaku"]
    if isinstance(layer, Convolution):
        speeds["peak"] = [100]
    assert goals.pass_goal(Pass(layer, which)).met(speeds) is met


def test_the_work_of_layers_is_counted() -> None:
    assert CONVOLUTIONS[0].work == 2 * 100 * 24 * 24 * 5 * 5 * 20
    assert {each.windows for each in CONVOLUTIONS} >= {24, 112}
    assert POOLINGS[0].work == 4 * 100 * 20 * (24 * 24 + 12 * 12)
    assert all(find_layer(str(layer)) == layer for layer in (*CONVOLUTIONS, *POOLINGS))


@pytest.mark.parametrize("layers", [CONVOLUTIONS, POOLINGS])
def test_the_tables_of_layers_name_what_was_missed(
    layers: tuple[Convolution | Pooling, ...],
) -> None:
    found = {"torch NCHW": [30.0], "gyaku": [20.0], "gyaku, replayed": [25.0], "peak": [100.0]}
    if layers is POOLINGS:
        del found["peak"]
    listed = passes(layers, quick=True)
    shown = images.show(dict.fromkeys(listed, found), ["A note."], judge=True)
    first = next(line for line in shown.splitlines() if line.startswith(f"| {listed[0].layer}"))
    cells = [cell.strip() for cell in first.split("|")[2:-1]]
    shares = [["20%"], ["25%"]] if layers is CONVOLUTIONS else [[], []]
    measured = ["30.0", "20.0", *shares[0], "25.0", *shares[1]]
    assert cells == ["forward", *measured, "0.667×", "missed"]
    assert f"Reached by 0 of {len(listed)}; missed: {listed[0].layer} forward; " in shown
    assert "missed" not in images.show(dict.fromkeys(listed, found), [], judge=False)


def fake_products() -> products_table.Speeds:
    answers = {
        "numpy": dict.fromkeys(products(quick=True), [{"numpy": 50.0}] * 2),
        "torch": dict.fromkeys(products(quick=True), [{"torch": 40.0}] * 2),
        "gyaku": dict.fromkeys(
            products(quick=True), [{"gyaku": 45.0, "peak": 100.0, "gyaku, replayed": 60.0}] * 2
        ),
    }
    return by_task(products(quick=True), answers)


def test_the_products_table_names_what_was_missed() -> None:
    shown = products_table.show(fake_products(), goals.GOALS["avx2"])
    line = next(line for line in shown.splitlines() if line.startswith("| 64 × 64 × 64"))
    cells = [cell.strip() for cell in line.split("|")[2:-1]]
    ratios = ["0.900×", "1.12×", "missed"]
    assert cells == ["nn", "50.0", "40.0", "45.0", "45%", "60.0", "60%", *ratios]
    assert "at least 0.95× NumPy, 0.95× PyTorch." in shown
    assert "Reached by 0 of 20; missed: 64 × 64 × 64 nn nt tn tt, 256 × 256 × 256 nn" in shown


def test_products_without_a_target_are_shown_without_one() -> None:
    assert "Target" not in products_table.show(fake_products(), goals.GOALS.get("scalar"))


def test_pictures_are_drawn(tmp_path: Path) -> None:
    paths = tmp_path / "products.png", tmp_path / "scaling.png"
    products_table.draw(fake_products(), "a machine", paths[0])
    scaling.draw(RATES, [1, 2, 3], "a machine", paths[1], "the machine was not quiet: a browser")
    assert all(path.stat().st_size > 10_000 for path in paths)


def test_a_picture_of_a_busy_machine_is_marked(tmp_path: Path) -> None:
    figure, _ = pictures.panes(1, 1, size=(4, 3), title="Rows")
    pictures.save(figure, tmp_path / "quiet.png", "")
    assert figure.get_suptitle() == "Rows"
    pictures.save(figure, tmp_path / "busy.png", "the machine was not quiet: a browser")
    assert "not quiet" in figure.get_suptitle().replace("\n", " ")


def test_lines_of_a_picture_have_distinct_colours() -> None:
    from matplotlib.colors import to_rgb

    used = np.array([to_rgb(colour) for colour in pictures.PALETTE[: len(ROWS)]])
    apart = np.abs(used[:, None] - used[None]).max(-1) + np.eye(len(used))
    assert len(used) == len(ROWS)
    assert apart.min() > 0.15


RATES: dict[str, scaling.Rates] = {
    "xor": {
        "torch": {1: [10.0, 20.0], 2: [15.0, 30.0]},
        "gyaku": {1: [100.0], 2: [190.0], 3: [270.0]},
    }
}


def test_scaling_shows_speed_up_over_one_thread() -> None:
    assert scaling.show(RATES, [1, 2, 3]).splitlines()[:4] == [
        "| row or product | framework | 1 thread |    2 threads |   3 threads |",
        "| -------------- | --------- | -------: | -----------: | ----------: |",
        "| xor            | PyTorch   |     15.0 | 22.5 (1.50×) |           – |",
        "| xor            | gyaku     |      100 |  190 (1.90×) | 270 (2.70×) |",
    ]
    assert scaling.speed_up({2: [1.0]}, 2) is None


RANKS: ranks.Rounds = {
    "gyaku 1": [{"rate": 100.0, "sums": 1.0}],
    "gyaku 2 common": [{"rate": 190.0, "sums": 0.1}],
    "gyaku 2 apart": [{"rate": 195.0, "sums": 1.0}],
    **{f"gyaku 2 {size}": [{"rate": 160.0, "sums": 1.0}] for size in ranks.BUCKETS},
    "torch 1": [{"rate": 60.0, "sums": 0.0}],
    "torch 2": [{"rate": 80.0, "sums": 0.0}],
}


def test_two_processes_are_compared_with_two_trainings_apart(tmp_path: Path) -> None:
    # A step is 200 / 160 - 200 / 195 = 0.224 s longer than apart, of a sum of a second.
    assert ranks.hidden(RANKS, str(ranks.BUCKETS[0]), 100) == pytest.approx(0.776, abs=1e-3)
    shown = ranks.show("lenet", RANKS)
    assert "Two processes at least 1.85× one: met (1.90)." in shown
    assert "2× PyTorch's two: met (2.38)." in shown
    assert "80 % hidden at best: missed." in shown
    ranks.draw({"lenet": RANKS}, "a machine", tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").stat().st_size > 10_000


def test_thread_counts_double_up_to_all() -> None:
    assert [thread_counts(count) for count in (1, 2, 6, 16)] == [
        [1],
        [1, 2],
        [1, 2, 4, 6],
        [1, 2, 4, 8, 16],
    ]


@pytest.mark.parametrize(
    ("all_threads", "torch", "met"),
    [(104.0, 200.0, True), (106.0, 200.0, False), (50.0, 49.0, False)],
)
def test_a_width_is_judged_by_both_comparisons(all_threads: float, torch: float, met: bool) -> None:
    us = {"gyaku 1": [100.0], "gyaku 2": [all_threads], "torch 1": [torch], "torch 2": [900.0]}
    found = widths.compare(us, 2)
    assert (found["met"], found["best_rival"]) == (met, "torch 1")
    shown = widths.show({46: found}, 2, list(us))
    assert shown.startswith("| width | gyaku, 1 thread | gyaku, 2 threads | PyTorch, 1 thread |")
