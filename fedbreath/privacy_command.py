"""``fedbreath privacy``: what a site has spent, and whether its ledger can be trusted."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from fedbreath.errors import LedgerError, UserError
from fedbreath.site.account import Account, account
from fedbreath.site.chain import Record

app = typer.Typer(
    help="Read the privacy ledger of a site. Nothing is sent anywhere.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def privacy() -> None:
    """A group of commands, even while it has one."""


@app.command()
def ledger(
    path: Annotated[Path, typer.Argument(help="A ledger (.jsonl), or a folder of ledgers.")],
    second: Annotated[
        Path | None,
        typer.Option(help="The folder with the second copies of the heads: check against it, too."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with every record.")
    ] = False,
) -> None:
    """Verify privacy ledgers and say what is spent and what is left.

    The exit code is 0 when every ledger can be trusted, 1 when one is broken, was taken back
    or does not fit the copies of its head, 2 when there is none.

    \b
    fedbreath privacy ledger /var/lib/fedbreath/privacy --second /mnt/other/heads
    """  # noqa: D301 - click wants the character itself
    if not path.exists():
        raise UserError(f"{path} does not exist")
    # A ledger that was lost is still known by its head.
    paths = [path]
    if path.is_dir():
        heads = (p.with_name(f"{p.name.removesuffix('.head.json')}.jsonl")
                 for p in path.glob("*.head.json"))  # fmt: skip
        paths = sorted({*path.glob("*.jsonl"), *heads})
    if not paths:
        raise UserError(f"{path} holds no privacy ledger")
    exported: list[dict[str, Any]] = []
    broken = False
    console = Console()
    for one in paths:
        try:
            found, records = account(one, second)
        except LedgerError as error:
            broken = True
            exported.append({"path": str(one), "trusted": False, "problem": str(error)})
            said = f"{one.name}\n  BROKEN: {error}"
        else:
            exported.append(_json(one, found, records, second is not None))
            said = f"{one.name}\n{_text(found, second is not None)}"
        if not as_json:
            console.print(said, markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print(json.dumps({"ledgers": exported}, indent=1, ensure_ascii=False))
    if broken:
        raise typer.Exit(1)


def _text(found: Account, with_second: bool) -> str:
    """One ledger, a fact a line."""
    lines = [
        f"site {found.site}, domain {found.domain}",
        f"spent:  {found.spent}",
        f"left:   {found.left}",
        f"budget: epsilon {found.budget.epsilon:g} at {found.budget.terms}",
        f"{found.reserved} releases reserved, {found.open} of them never committed (spent "
        "nevertheless)",
    ]
    if found.further is not None:
        lines.append(f"{found.further:,} more releases like the last one fit")
    checked = "both copies of its head" if with_second else "the head beside it"
    lines.append(f"chain of {found.records} records, last {found.updated}: intact, fits {checked}")
    if not with_second:
        lines.append("the second copy of the head was not checked: name its folder with --second")
    return "\n".join(f"  {line}" for line in lines)


def _json(path: Path, found: Account, records: list[Record], with_second: bool) -> dict[str, Any]:
    """One ledger for export."""
    return {
        "path": str(path),
        "trusted": True,
        "second_copy_checked": with_second,
        "site": found.site,
        "domain": found.domain,
        "budget": found.budget.epsilon,
        "spent": found.spent.to_json(),
        "left": found.left.to_json(),
        "further_releases": found.further,
        "reserved": found.reserved,
        "never_committed": found.open,
        "updated": found.updated,
        "records": records,
    }
