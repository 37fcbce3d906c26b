"""The command ``fedbreath``: what can be done with a wheel alone."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import fedbreath
from fedbreath import audit_command, data_command, privacy_command
from fedbreath.errors import UserError
from fedbreath.report import page
from fedbreath.report.terminal import summary

app = typer.Typer(
    help="Federated, privacy-preserving pretraining of respiratory-audio encoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.add_typer(audit_command.app, name="audit")
app.add_typer(data_command.app, name="data")
app.add_typer(privacy_command.app, name="privacy")


@app.command()
def version() -> None:
    """Print the version."""
    print(fedbreath.__version__)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run (the one that holds run.json).")],
) -> None:
    """Write a run's report.html anew from its records, and sum it up here.

    Works on a run that is under way or was interrupted, too: the page shows what there is.
    """
    path = page.write(run)
    console = Console()
    console.print(summary(run))
    console.print(f"report: {path}", highlight=False, soft_wrap=True, markup=False)


def main() -> None:
    """Run the command; what a user can put right is one sentence and exit code 2."""
    try:
        app()
    except UserError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
