"""The command line of the simulation: help, resume, errors as sentences."""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from fedbreath.composition import choices, config_dir
from fedbreath.config import load, to_yaml
from fedbreath.errors import UserError
from fedbreath.lock import locked
from server.app import run_folder
from simulation import PACKAGES, starts
from simulation.display import Display
from simulation.run import study

_HELP = """\
Simulate a federated pretraining of a respiratory-audio encoder, compare it with
centralised, local-only and untrained encoders, and write a report.

Settings are written key=value, in any number and order:

  python -m simulation                                   simulated phones, no files needed
  python -m simulation data=real data.root=/recordings   four real data sets as four sites
  python -m simulation partition=pooled                  the same in one place, centralised
  python -m simulation rounds=40 training.steps=4        any value of the configuration
  python -m simulation resume=runs/2026-01-31-120000     go on where a run was stopped
  python -m simulation experiment=smoke out=/tmp/smoke   does it work here? seconds

out=DIR takes everything of the run; without it a dated folder under runs/ does.
"""


def main(words: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    console = Console(stderr=False)
    try:
        return _main(words, console)
    except UserError as error:
        Console(stderr=True).print(f"[red bold]error:[/] {escape(str(error))}", soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        Console(stderr=True).print("\ninterrupted; resume=DIR goes on with the run")
        return 130


def _main(words: Sequence[str], console: Console) -> int:
    groups = {g: choices(g) for g in sorted(p.name for p in config_dir().iterdir() if p.is_dir())}
    listing = "\n".join(f"  {name + '=':12} {', '.join(found)}" for name, found in groups.items())
    parser = argparse.ArgumentParser(
        prog="python -m simulation",
        description=f"{_HELP}\nchoices:\n{listing}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings of the run")
    parser.add_argument("--cfg", action="store_true", help="show the composed settings and stop")
    asked = parser.parse_args(list(words))
    given = tuple(asked.overrides)
    config = load(given, PACKAGES)
    if asked.cfg:
        print(to_yaml(config), end="")
        return 0
    for name in ("out", "resume"):
        if getattr(config, name) == "":
            raise UserError(f"{name}= names no folder")
    overrides = _resumed(Path(config.resume), given) if config.resume else given
    logging.getLogger("flwr").setLevel(logging.WARNING)
    return _run(overrides, console)


def _run(overrides: tuple[str, ...], console: Console) -> int:
    config = load(overrides, PACKAGES)
    out = run_folder(config)
    kept = tuple(w for w in overrides if not w.startswith(("out=", "resume=")))
    run = starts.compose(kept)
    if not config.resume and (out / "run.json").exists():
        raise UserError(f"{out} holds a run: resume={out} goes on with it; or name another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"out={out}: {error.strerror}") from None
    where = f"run [bold]{run.config.digest}[/] in {escape(str(out))}"
    console.print(where, highlight=False, soft_wrap=True)
    with locked(out / ".lock"), Display(console) as display:
        report = study(run, kept, out, display)
    from fedbreath.report.terminal import summary  # noqa: PLC0415 - late, as the page is

    console.print(summary(out))
    console.print(f"report: {escape(str(report))}", highlight=False, soft_wrap=True)
    return 0


def _resumed(folder: Path, given: tuple[str, ...]) -> tuple[str, ...]:
    """The overrides of the run in `folder`; other settings are refused.

    Raises:
        UserError: No run lies there, or settings are given that would change it.
    """
    path = folder / "run.json"
    try:
        stored = json.loads(path.read_text())
        before, digest = tuple(stored["overrides"]), stored["digest"]
    except FileNotFoundError:
        raise UserError(f"resume={folder}: no run lies there ({path} is missing)") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"resume={folder}: {path} cannot be read ({error})") from None
    overrides = (*before, *(w for w in given if w not in before))
    found = starts.compose(overrides).config.digest
    if found != digest:
        raise UserError(
            f"resume={folder}: the run was made by configuration {digest}, these settings give "
            f"{found}; leave them out, or start a new run"
        )
    return overrides
