"""``python -m benchmarks.objectives --root DIR``: what each choice of pretraining is worth.

Every objective, alone and with descriptor prediction beside it, in every encoder, centralised
and federated over the data sets as sites, on the real recordings and on simulated cohorts;
beside them the untrained networks, descriptors and log-mel statistics. Every run gets the
same processor time: the cost of a step is measured first, and a budget buys steps.

Screening scores one seed on validation persons; finalists are the best by their mean, with
three seeds and a larger budget, on validation persons too. ``--test`` then trains the
finalists on all who are not test persons and scores them on the test persons, once.
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

from benchmarks import objectives_page as page
from benchmarks import objectives_table as table
from benchmarks.objectives_crew import Crew
from benchmarks.objectives_grid import (
    DATA,
    ENCODERS,
    FEATURES,
    OPENSMILE,
    OPERA,
    SCHEMES,
    objectives,
)
from benchmarks.objectives_study import Asked, study
from benchmarks.objectives_table import Sheet
from benchmarks.objectives_terminal import summary, terminal
from fedbreath.atomic import write_text
from fedbreath.errors import UserError
from fedbreath.lock import locked
from simulation.display import Display

LISTS = {"objectives": tuple(objectives()), "encoders": ENCODERS, "schemes": SCHEMES, "data": DATA}
NUMBERS: tuple[tuple[str, type, float | None, str], ...] = (
    ("budget", float, 50.0, "processor seconds of a screening run's steps"),
    ("final-budget", float, 200.0, "the same of a finalist's and a test run's"),
    ("steps", int, None, "so many for every run of the screening, instead of equal processor time"),
    ("finalists", int, 4, "best of the screening that go on; 0 stops there"),
    ("seeds", int, 3, "of each finalist"),
    ("workers", int, 2, "processes of one thread each"),
)
SWITCHES = {
    "test": "score the finalists on test persons too, once",
    "opensmile": "rows of openSMILE's features (research only; slow at first)",
    "opera": "OPERA's encoders too, few objectives and steps: hours on a processor",
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
    print(json.dumps({"sheets": summary(sheets)}))
    return 0


def write(asked: Asked, sheets: Sequence[Sheet]) -> Path:
    """The page and the table of results; the page's path."""
    write_text(asked.out / "results.csv", table.as_csv(sheets))
    write_text(asked.out / "report.html", page.html(sheets, compute(asked)))
    return asked.out / "report.html"


def compute(asked: Asked) -> str:
    """What every run was given."""
    if asked.steps:
        return f"Every run takes about {asked.steps} steps, finalists more in proportion."
    return (
        "Every run is given the same processor time, "
        f"{asked.budget:g} s in the screening and {asked.final_budget:g} s after it: as many steps "
        "of its objective and encoder as that pays for. OPERA's encoders take a few steps only."
    )


def parse(words: Sequence[str] | None = None) -> Asked:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objectives", description=__doc__)
    parser.add_argument("--root", type=Path, help="folder of the real data sets")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/objectives"), help="(default %(default)s)"
    )
    for name, known in LISTS.items():
        parser.add_argument(f"--{name}", default=None, metavar="A,B", help=f"of {', '.join(known)}")
    for name, kind, default, says in NUMBERS:
        parser.add_argument(
            f"--{name}", type=kind, default=default, help=f"{says} (default {default})"
        )
    for name, says in SWITCHES.items():
        parser.add_argument(f"--{name}", action="store_true", help=says)
    parser.add_argument("more", nargs="*", metavar="key=value", help="settings of all runs")
    found = vars(parser.parse_args(words))
    for name, known in LISTS.items():
        chosen = found[name].split(",") if found[name] else known
        for one in chosen:
            if one not in (*known, *(OPERA if name == "encoders" else ())):
                parser.error(f"--{name}: no {one}; choose of {', '.join(known)}")
        found[name] = tuple(one for one in (*known, *OPERA) if one in chosen)
    if found.pop("opera"):
        found["encoders"] += OPERA
    found["features"] = (*FEATURES, *(OPENSMILE if found.pop("opensmile") else ()))
    if "real" in found["data"] and found["root"] is None:
        parser.error("--root DIR: where are the real data sets? --data simulated needs none")
    found["root"] = found["root"] and found["root"].resolve()
    return Asked(**found | {"more": tuple(found["more"])})


if __name__ == "__main__":
    sys.exit(main())
