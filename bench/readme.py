"""`python -m bench readme [RESULTS.json ...]`: write the section on performance of both READMEs.

Without a file, all that it shows is measured first. The figures are those of one run, or of its
parts on one day and machine, which was quiet; otherwise nothing is written.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import ROOT
from bench.record import read
from bench.rows import ROWS
from bench.table import number, table

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN, END = "<!-- performance:begin", "<!-- performance:end -->"
PARTS = ("rows", "predict", "accuracy")
"""The tables that the section shows."""
COLUMNS = ("torch", "jax", "keras", "sklearn")


SECTIONS = Path(__file__).parent / "sections"
"""The text of the section in each README, with places for its tables and figures."""


@dataclass(frozen=True)
class Words:
    """The words of the tables in a language; `titles` replace those of the rows."""

    step: str
    batch: str
    ratio: str
    images: str
    titles: Mapping[str, str] = field(default_factory=dict)


LANGUAGES = {
    "README.md": Words("training step", "batch", "× fastest other", "LeNet, {count:,} image{s}"),
    "README.ja.md": Words(
        "学習の 1 ステップ",
        "バッチ",
        "最速の他ライブラリ比",
        "LeNet、画像 {count:,} 枚",
        {
            "mlp_seed": "784-100-10、シグモイド、SGD",
            "mlp_one": "784-100-10、1 サンプルずつ",
            "mlp_full": "784-100-10、全データを 1 バッチで",
            "mlp_big": "784-512-256-10、ReLU、ドロップアウト、Adam",
            "autoenc": "784-128-784 自己符号化器、Adam",
            "tabular": "8-64-64-1 の回帰、ReLU、Adam",
            "digits": "64-100-10、数字 1,438 枚、ReLU、Adam",
            "xor": "2-2-1（XOR）、1 サンプルずつ",
            "lenet": "LeNet：conv 20、pool、conv 50、pool、500、10",
            "simpleconv": "conv 30、pool、100、10",
            "deepconv": "畳み込み 6 層、pool 3 層、50、10",
            "resnet20": "ResNet-20、32 × 32 × 3、Adam",
            "resnet8_16": "ResNet-8（フィルター 16 から）、32 × 32 × 3、Adam",
            "resnet8_32": "ResNet-8（フィルター 32 から）、32 × 32 × 3、Adam",
            "resnet8_64": "ResNet-8（フィルター 64 から）、32 × 32 × 3、Adam",
            "separable": "深さ方向に分離した畳み込みのネットワーク、32 × 32 × 3、Adam",
            "rnn": "28 × 28 の系列、RNN 128、10、Adam",
            "lstm": "28 × 28 の系列、LSTM 128、10、Adam",
            "gru": "28 × 28 の系列、GRU 128、10、Adam",
            "lstm_long": "1,000 × 8 の系列、LSTM 256、10、1 系列ずつ",
        },
    ),
}


def us(values: list[float] | None) -> str:
    """Return the median of microseconds; empty without one."""
    return f"{number(median(values))} µs" if values else ""


def steps(results: dict[str, Any], words: Words) -> str:
    """Return the table of training steps."""
    order = [*ROWS, *results["rows"]]
    rows = dict(sorted(results["rows"].items(), key=lambda row: order.index(row[0])))
    present = [name for name in COLUMNS if any(name in r["summary"]["us"] for r in rows.values())]
    titles = (PEERS[name].title for name in present)
    header = [words.step, words.batch, *titles, "gyaku", words.ratio]
    lines = []
    for name, row in rows.items():
        found, workload = row["summary"], row["workload"]
        ahead = found["versus_best"]
        lines.append(
            [
                words.titles.get(name) or workload["title"] or workload["shape"],
                f"{workload['batch']:,}",
                *(us(found["us"].get(peer)) for peer in present),
                us(found["us"].get(OWN)),
                number(ahead) if ahead else "",
            ]
        )
    return table(header, lines)


def predictions(results: dict[str, Any], words: Words) -> str:
    """Return the table of predictions."""
    found = results["predict"]["us"]
    peers = [name for name in PEERS if any(name in us for us in found.values())]
    lines = []
    for name, by_peer in found.items():
        count = int(re.sub(r"\D", "", name.split(", ", 1)[1]))
        lines.append(
            [
                words.images.format(count=count, s="s" * (count > 1)),
                *(us(by_peer.get(peer)) for peer in peers),
            ]
        )
    return table(["`predict`", *(PEERS[name].title for name in peers)], lines)


def section(results: dict[str, Any], name: str) -> str:
    """Return the section of the README of a name, from the results of a run."""
    words, facts = LANGUAGES[name], results["machine"]["rows"]
    cold = results["accuracy"]["one_cycle"]
    own, rival = cold["rounds"][PEERS[OWN].title], cold["rounds"][cold["best_rival"]]
    return (
        (SECTIONS / name)
        .read_text()
        .format(
            cpu=facts["cpu"],
            threads=facts["threads"],
            isa=facts["isa"],
            date=facts["date"].split()[0],
            rounds=len(next(iter(results["rows"].values()))["rounds"][OWN]),
            steps=steps(results, words),
            predictions=predictions(results, words),
            accuracy=median(answer["accuracy"] for answer in own),
            own=median(answer["wall"] for answer in own),
            torch=median(answer["wall"] for answer in rival),
        )
    )


def doubts(results: dict[str, Any]) -> list[str]:
    """Return the reasons not to publish the results of a run."""
    missing = [f"{name} was not measured" for name in PARTS if name not in results]
    loud = [
        f"the machine was not quiet during {name}: {text}"
        for name in PARTS
        for text in results["machine"].get(name, {}).get("warnings", [])
    ]
    return [*missing, *loud]


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the results of a run that was measured in parts, or exit if they are of several."""
    whole: dict[str, Any] = {"machine": {}}
    for part in parts:
        for name in (each for each in PARTS if each in part):
            here = part["machine"][name]
            for there in whole["machine"].values():
                for fact, (one, other) in differences(there, here).items():
                    raise SystemExit(
                        f"bench: the results are of several runs: {fact} is {one} in one and"
                        f" {other} in another"
                    )
            if name in whole:
                warnings = [*whole["machine"][name]["warnings"], *here["warnings"]]
                whole["machine"][name] = here | {"warnings": warnings}
                whole[name] = whole[name] | part[name]
            else:
                whole["machine"][name], whole[name] = here, part[name]
    return whole


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the facts of the machine in which two parts of a run must be equal and are not."""
    both = {fact: (one[fact], other[fact]) for fact in ("cpu", "isa", "threads")}
    both["date"] = one["date"].split()[0], other["date"].split()[0]
    versions = one.get("versions", {}), other.get("versions", {})
    for name in versions[0].keys() & versions[1].keys():
        both[name] = versions[0][name], versions[1][name]
    return {fact: (a, b) for fact, (a, b) in both.items() if a != b}


def write(results: dict[str, Any], folder: Path) -> None:
    """Replace the section in both READMEs of a folder, or exit with the reason."""
    reasons = doubts(results)
    if reasons:
        raise SystemExit(f"bench: nothing is written, since {'; '.join(reasons)}")
    for name in LANGUAGES:
        head, marker, text = (folder / name).read_text().partition(BEGIN)
        opening, closing, tail = text.partition("-->")[0], END, text.partition(END)[2]
        if not marker or END not in text:
            raise SystemExit(f"bench: {folder / name} has no section from {BEGIN} to {END}")
        body = f"{opening}-->\n\n{section(results, name)}\n{closing}"
        (folder / name).write_text(f"{head}{marker}{body}{tail}")


def main(arguments: list[str]) -> int:
    """Write the sections from a file, or from a run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench readme", description=__doc__)
    parser.add_argument("results", type=Path, nargs="*", metavar="RESULTS.json")
    asked = parser.parse_args(arguments)
    if not asked.results:
        from bench.__main__ import BUILD
        from bench.__main__ import main as run

        asked.results = [BUILD / "readme.json"]
        code = run([*ROWS, "predict", "accuracy", "--json", str(asked.results[0])])
        if code:
            return code
    write(joined([read(path) for path in asked.results]), ROOT)
    return 0
