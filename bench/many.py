"""The table of many processes: how training by up to 1,024 of them would pay, calculated from one.

`python -m bench many`, with a picture. The times of a step are measured on one thread; each process
is taken to have a machine of 32 cores that are 32 times as fast, and the network is calculated
(docs/scaling.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.pictures import MARKERS, PALETTE, doubling, panes, save
from bench.processes import say
from bench.table import page, table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.settings import Settings
    from gyaku.distributed.scaling import Network, StepTimes

RATES = ("10G", "25G", "100G")
PROCESSES = [1 << power for power in range(11)]
CORES = 32
MOST = 0.9


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, draw the picture, return all results."""
    from gyaku.distributed.scaling import Network

    settings.machine.measure_peak()
    times = measured(settings)
    networks = {rate: Network.of(rate) for rate in RATES}
    print(settings.machine.title("Many processes, calculated", []))
    print(show(times, networks))
    path = settings.picture("many")
    draw(times, networks, settings.machine.peaks[0]["cpu"], path, settings.machine.disquiet)
    return {"times": {name: each._asdict() for name, each in times.items()}, "picture": str(path)}


def measured(settings: Settings) -> dict[str, StepTimes]:
    """Return the times of a step of each model."""
    import gyaku as gk
    from gyaku.distributed.scaling import step_times

    layers = gk.Flatten(), *(gk.Dense(4096, activation="relu") for _ in range(2)), gk.Dense(10)
    models = {
        "LeNet, batch 100": (gk.models.lenet(), 100),
        "ResNet of 20 layers, batch 64": (gk.models.resnet(20), 64),
        "784-4096-4096-10, batch 256": (gk.Sequential(*layers), 256),
    }
    steps, found, threads = 3 if settings.quick else 20, {}, gk.num_threads()
    gk.set_num_threads(1)
    for name, (model, batch) in models.items():
        say(f"many: {name}")
        model.build((28, 28, 1))
        found[name] = on_cores(step_times(model, batch_size=batch, steps=steps))
    gk.set_num_threads(threads)
    return found


def on_cores(times: StepTimes) -> StepTimes:
    """Return the times of a step on all cores of a machine, from those on one."""
    buckets = tuple((ready / CORES, size) for ready, size in times.buckets)
    return times._replace(buckets=buckets, backward=times.backward / CORES, step=times.step / CORES)


def variants(times: StepTimes) -> dict[str, tuple[StepTimes, int]]:
    """Return what moves the point at which it stops paying: times, and steps for each sum."""
    return {
        "as it is": (times, 1),
        "a batch four times as large": (times.larger(4), 1),
        "gradients in bfloat16": (times.halved(), 1),
        "a sum every fourth step": (times, 4),
    }


def efficiency(times: StepTimes, network: Network, processes: int, every: int = 1) -> float:
    """Return the share of a process's samples a second by itself."""
    return times.step / times.every(network, processes, every)


def last_that_pays(times: StepTimes, network: Network, every: int = 1) -> str:
    """Return the largest number of processes that work for nine tenths of the time."""
    found = [n for n in PROCESSES if efficiency(times, network, n, every) >= MOST]
    return f"{found[-1]:,}"


def show(times: Mapping[str, StepTimes], networks: Mapping[str, Network]) -> str:
    """Return the table."""
    lines = [
        [
            name if what == "as it is" else f"- {what}",
            *(last_that_pays(given, network, every) for network in networks.values()),
        ]
        for name, each in times.items()
        for what, (given, every) in variants(each).items()
    ]
    note = "The largest number of processes, up to 1,024, that work for nine tenths of the time."
    return page(table(["processes", *(f"{rate}bit/s" for rate in networks)], lines), note)


def draw(
    times: Mapping[str, StepTimes],
    networks: Mapping[str, Network],
    machine: str,
    path: Path,
    disquiet: str = "",
) -> None:
    """Draw the efficiency over the processes: the networks above, what moves it below."""
    title = f"Processes of {CORES} cores each, calculated from one core of {machine}"
    figure, panels = panes(2, len(times), size=(4 * len(times) + 1, 7.5), title=title)
    middle = RATES[1]
    for column, (name, each) in enumerate(times.items()):
        upper = {f"{rate}bit/s": (each, network, 1) for rate, network in networks.items()}
        lower = {
            what: (given, networks[middle], every)
            for what, (given, every) in variants(each).items()
        }
        for panel, lines in zip(panels[:, column], (upper, lower), strict=True):
            for index, (label, (given, network, every)) in enumerate(lines.items()):
                shares = [100 * efficiency(given, network, n, every) for n in PROCESSES]
                style = {"color": PALETTE[index], "marker": MARKERS[index], "markersize": 4}
                panel.plot(PROCESSES, shares, label=label, **style)
            doubling(panel.xaxis, PROCESSES)
            panel.set_ylim(0, 105)
        panels[0, column].set_title(name, fontsize="medium")
    for line, title in zip(panels, ("", f", at {middle}bit/s"), strict=True):
        line[0].set_ylabel(f"efficiency, %{title}")
        line[0].legend(fontsize="small", loc="lower left")
    figure.supxlabel("processes")
    save(figure, path, disquiet)
