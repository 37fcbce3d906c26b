"""``python -m benchmarks.scale``: what a population and a cohort of simulated phones cost.

A round calls `cohort` phones of a declared population (`simulation.population`), each of which
takes one step on a cough and a breath with an encoder of 46,544 weights (COLA, whose head has
16,576 more), on two workers; nothing is scored. Every configuration is a process of its own:

- **the grid**: every population with every cohort, some rounds each;
- **growth**: the largest of both, many rounds, memory at round 10 against the last;
- **declared**: a million phones, three rounds, and what one look at who is there takes in the
  world of phones.

Targets: memory at 10,000 phones within 1.2 of that at 100; round time the same for any
population; no growth. On a busy machine wall time says little, so processor time of all
processes stands beside it and is what targets are held against. What is done is kept in
``--out`` and not run again.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import scale_figure
from benchmarks.scale_run import WARM_UP, Asked, Found, look, read
from fedbreath.atomic import write_json, write_text

#: Times the memory at the smallest population; times the cost at it; growth over a run.
MEMORY, TIME, GROWTH = 1.2, 1.1, 1.05

MILLION = 1_000_000


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--phones", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--cohorts", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--rounds", type=int, default=6, help="of each in the grid")
    parser.add_argument("--long", type=int, default=100, help="rounds of the growth check")
    parser.add_argument("--declared", type=int, default=MILLION, help="phones declared at most")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/scale"), help="folder of results")
    parser.add_argument("--figure", type=Path, help="SVG; by default scale.svg in --out")
    asked = parser.parse_args(words)
    if min(asked.rounds, asked.long) <= WARM_UP:
        parser.error(f"more than {WARM_UP} rounds are needed: those are not counted")
    if min(asked.cohorts) > min(asked.phones):
        parser.error("the least cohort must not be larger than the least population")
    return asked


def planned(asked: argparse.Namespace) -> list[Asked]:
    """The grid, the growth check, the declared population."""
    grid = [
        Asked(phones, cohort, asked.rounds, asked.workers)
        for phones in asked.phones
        for cohort in asked.cohorts
        if cohort <= phones
    ]
    phones, cohort = max(asked.phones), max(asked.cohorts)
    return [
        *grid,
        Asked(phones, cohort, asked.long, asked.workers),
        Asked(asked.declared, cohort, WARM_UP + 1, asked.workers),
    ]


def run(asked: Asked, folder: Path) -> Found:
    """Measure in a process of its own, or read what is there."""
    path = folder / f"{asked.phones}-{asked.cohort}-{asked.rounds}-{asked.workers}.json"
    if not path.exists():
        words = [str(n) for n in (asked.phones, asked.cohort, asked.rounds, asked.workers)]
        command = [sys.executable, "-m", "benchmarks.scale_run", *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        write_text(path, done.stdout)
    return read(path.read_text())


def line(grid: Sequence[Found]) -> tuple[float, float]:
    """Processor seconds of a round as `a + b * cohort`, over all populations."""
    b, a = np.polyfit([f.asked.cohort for f in grid], [f.middle("cpu") for f in grid], 1)
    return float(a), float(b)


def verdicts(grid: Sequence[Found], long: Found, declared: Found) -> dict[str, float]:
    """What the targets are held against; ratios are the worst over cohorts."""
    by_cohort: dict[int, list[Found]] = {}
    for found in sorted(grid, key=lambda f: f.asked.phones):
        by_cohort.setdefault(found.asked.cohort, []).append(found)
    pairs = [(same[0], other) for same in by_cohort.values() for other in same[1:]]

    def worst(what: str) -> float:
        return max(other.middle(what) / first.middle(what) for first, other in pairs)

    def grown(values: Sequence[float]) -> float:
        return values[-1] / values[min(9, len(values) - 2)]

    a, b = line(grid)
    cohort = declared.asked.cohort
    smallest = max((same[0] for same in by_cohort.values()), key=lambda f: -f.asked.phones)
    return {
        "memory_ratio": worst("total"),
        "memory_ratio_extremes": long.middle("total") / smallest.middle("total"),
        "time_ratio": worst("cpu"),
        "wall_ratio": worst("seconds"),
        "growth": grown(long.total),
        "growth_server_rss": grown(long.parent),
        "growth_worker_rss": grown(long.worker),
        "growth_kb_a_round": 1000 * long.slope("total"),
        "round_cpu_s": a,
        "phone_cpu_ms": 1000 * b,
        "declared": declared.asked.phones,
        "declare_ms": 1000 * declared.declare_s,
        "declare_kb": declared.declare_kb,
        "declared_memory_mb": declared.middle("total"),
        "declared_cpu_s": declared.middle("cpu"),
        "predicted_cpu_s": a + b * cohort,
        "predicted_memory_mb": by_cohort[cohort][-1].middle("total"),
    }


def table_of(results: Sequence[Found]) -> Table:
    """A row for each configuration."""
    table = Table(title="medians after the first rounds; MB and s of all processes")
    for heading in ("phones", "cohort", "rounds", "wall s", "CPU s", "CPU ms a phone", "PSS",
                    "parent", "a worker", "peaks"):  # fmt: skip
        table.add_column(heading, justify="right")
    for f in results:
        cpu = f.middle("cpu")
        table.add_row(
            f"{f.asked.phones:,}", str(f.asked.cohort), str(f.asked.rounds),
            f"{f.middle('seconds'):.2f}", f"{cpu:.2f}", f"{1000 * cpu / f.asked.cohort:.1f}",
            f"{f.middle('total'):.0f}", f"{f.middle('parent'):.0f}", f"{f.middle('worker'):.0f}",
            ", ".join(f"{peak:.0f}" for peak in f.peaks),
        )  # fmt: skip
    return table


def _judge(console: Console, told: dict[str, Any]) -> None:
    checks = (
        ("memory, largest over smallest population", told["memory_ratio"], MEMORY),
        ("processor time, largest over smallest population", told["time_ratio"], TIME),
        ("memory, last round over an early one", told["growth"], GROWTH),
    )
    for text, value, bound in checks:
        said = "met" if value <= bound else "MISSED"
        console.print(f"{text}: {value:.3f}, at most {bound:g}: {said}", highlight=False)


def main(words: Sequence[str] | None = None) -> None:
    """Print the table, the verdicts and the JSON line; draw the figure."""
    asked = parsed(words)
    asked.out.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()[0]
    results = [run(one, asked.out) for one in planned(asked)]
    *grid, long, declared = results
    seconds, most = look(asked.declared)
    told: dict[str, Any] = {
        **verdicts(grid, long, declared),
        "look_cpu_s": seconds,
        "look_mb": most,
        "encoder": long.encoder,
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
    }
    write_json(asked.out / "scale.json", {**told, "results": [asdict(f) for f in results]})
    figure = asked.figure or asked.out / "scale.svg"
    write_text(figure, scale_figure.svg(grid, long, declared, line(grid)))
    console = Console(width=120)
    console.print(table_of(results))
    _judge(console, told)
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in told.items()}))


if __name__ == "__main__":
    main()
