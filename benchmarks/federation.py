"""``python -m benchmarks.federation --root DIR``: federated, centralised, and sites alone.

Four strategies at equal steps, on the real data sets as sites and on 5 and 50 simulated
cohorts, IID and skewed by phone; beside them the untrained network, centralised training with
as many steps in all, and the mean of encoders that sites trained alone with their own steps.
Differences are paired over persons; a strategy is non-inferior where the interval of
(federated - centralised) lies above -0.01.

Everything is compared on validation persons, since the default follows from it. ``--test``
then trains FedAvg and the best strategy on all who are not test persons and scores them on
the test persons, once. A server's learning rate is chosen before, with seeds of its own.
A study that was stopped goes on with the same command. ``key=value`` settings hold for all
runs. The last line is one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import simulation  # noqa: F401 - first: it sets the number of threads

# isort: split
from rich.console import Console
from rich.markup import escape

from benchmarks import federation_page as page
from benchmarks import federation_table as table
from benchmarks.federation_grid import RATES, SETTINGS, STRATEGIES
from benchmarks.federation_study import Asked, study
from benchmarks.federation_table import Sheet
from benchmarks.federation_terminal import summary, terminal
from benchmarks.federation_verdict import verdicts
from benchmarks.objectives_crew import Crew
from fedbreath.atomic import write_text
from fedbreath.composition import choices
from fedbreath.errors import UserError
from fedbreath.lock import locked
from simulation.display import Display

NUMBERS = (
    ("seeds", 3, "of each run"),
    ("steps", 960, "of each run in all, federated or centralised"),
    ("workers", 2, "processes of one thread each"),
)
SWITCHES = {
    "test": "score FedAvg and the best strategy on test persons too, once",
    "estimate": "measure what the study costs, say it, and stop",
    "retry": "do runs again that failed before",
}


def main() -> int:
    """Do the study, or go on with it; return the exit code."""
    asked = parse()
    console = Console()
    try:
        with locked(asked.out / ".lock"):
            with Display(console) as display, Crew(asked.workers, display) as crew:
                sheets = study(asked, crew, console)
            if asked.estimate:
                return 0
            path = write(asked, sheets)
    except UserError as error:
        Console(stderr=True).print(f"[red bold]error:[/] {escape(str(error))}", soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        Console(stderr=True).print("\ninterrupted; the same command goes on")
        return 130
    for part in terminal(sheets):
        console.print(part)
    console.print(f"report: {escape(str(path))}", highlight=False, soft_wrap=True)
    print(json.dumps(summary(sheets)))
    return 0


def write(asked: Asked, sheets: Sequence[Sheet]) -> Path:
    """The page and the table of results; the page's path."""
    write_text(asked.out / "results.csv", table.as_csv(sheets, verdicts(sheets)))
    write_text(asked.out / "report.html", page.html(sheets, asked.steps))
    return asked.out / "report.html"


def parse(words: Sequence[str] | None = None) -> Asked:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federation", description=__doc__)
    parser.add_argument("--root", type=Path, help="folder of the real data sets")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/federation"), help="(default %(default)s)"
    )
    known = choices("strategy")
    for name, default, of in (
        ("settings", SETTINGS, SETTINGS),
        ("strategies", STRATEGIES, known),
        ("server-rates", RATES, None),
    ):
        listed = ",".join(map(str, default))
        says = f"of {', '.join(of)} " if of else "of FedAdam and FedYogi: the best is chosen "
        parser.add_argument(
            f"--{name}", default=listed, metavar="A,B", help=f"{says}(default {listed})"
        )
    for name, number, says in NUMBERS:
        parser.add_argument(
            f"--{name}", type=int, default=number, help=f"{says} (default {number})"
        )
    for name, says in SWITCHES.items():
        parser.add_argument(f"--{name}", action="store_true", help=says)
    parser.add_argument("more", nargs="*", metavar="key=value", help="settings of all runs")
    found = vars(parser.parse_args(words))
    for name, of in (("settings", SETTINGS), ("strategies", tuple(known))):
        chosen = tuple(dict.fromkeys(found[name].split(",")))
        for one in chosen:
            if one not in of:
                parser.error(f"--{name}: no {one}; choose of {', '.join(of)}")
        found[name] = chosen
    try:
        found["server_rates"] = tuple(float(rate) for rate in found["server_rates"].split(","))
    except ValueError:
        parser.error(f"--server-rates must be numbers, got {found['server_rates']}")
    for name in ("seeds", "steps", "workers"):
        if found[name] < 1:
            parser.error(f"--{name} must be >= 1, got {found[name]}")
    if "real" in found["settings"] and found["root"] is None:
        parser.error("--root DIR: where are the real data sets? --settings iid5 needs none")
    found["root"] = found["root"] and found["root"].resolve()
    return Asked(**found | {"more": tuple(found["more"])})


if __name__ == "__main__":
    sys.exit(main())
