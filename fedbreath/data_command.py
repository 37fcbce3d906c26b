"""``fedbreath data``: know a folder of recordings, and read it once for all runs."""

import importlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from fedbreath import building
from fedbreath.audio import FrontEnd
from fedbreath.composition import choices, config_dir, written
from fedbreath.config import component, section
from fedbreath.datacheck import page
from fedbreath.datacheck.check import check, to_json
from fedbreath.datacheck.terminal import summary
from fedbreath.decoding import Readers
from fedbreath.errors import UserError
from fedbreath.features import Store, default_cache, folder_of
from fedbreath.recording import Site

app = typer.Typer(
    help="Read, check and prepare folders of recordings. Nothing is sent anywhere.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Dataset = Annotated[
    str, typer.Argument(help="Name of the data set: `fedbreath data list` shows all.")
]
Root = Annotated[
    Path | None,
    typer.Option(help="Folder of the recordings, in the data set's own layout."),
]
Mapping = Annotated[
    Path | None,
    typer.Option(help="For `generic`: the YAML that says what your spreadsheet's columns mean."),
]
Workers = Annotated[
    int, typer.Option(help="Processes that decode; 0 takes one for each core.", min=0, max=256)
]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Further settings of the data set's YAML."),
]


@app.command("list")
def list_() -> None:
    """List the data sets that fedbreath reads, and where each is to be had."""
    table = Table(box=None, pad_edge=False)
    for column in ("name", "what it is", "adapter proved on"):
        table.add_column(column)
    for name in choices("data"):
        text = (config_dir() / "data" / f"{name}.yaml").read_text(encoding="utf-8")
        module = importlib.import_module(yaml.safe_load(text)["_target_"].rpartition(".")[0])
        proved = getattr(module, "PROVENANCE", "")
        table.add_row(name, Text(text.splitlines()[0].removeprefix("# ")), proved)
    Console().print(table)


@app.command("check")
def check_(
    dataset: Dataset,
    words: Words = None,
    root: Root = None,
    mapping: Mapping = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write one offline HTML page to this file.")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 1 for warnings, too.")] = False,
    workers: Workers = 0,
) -> None:
    """Say what is in a folder of recordings and what is wrong with it.

    Every file is decoded. Reported are hours, persons, sample rates, labels and durations;
    silent, clipped, truncated and duplicate audio; duplicates with contradicting labels; and
    how well each label can be told from the site, the device or the sample rate alone.

    Nothing is written but the page you ask for. The exit code is 0 when the data are fit for
    training, 1 when something makes training unsafe, 2 when they cannot be read at all.

    \b
    fedbreath data check coswara --root /data/coswara --html coswara.html
    fedbreath data check generic --root /data/ward --mapping ward.yaml
    """  # noqa: D301 - click wants the character itself
    sites = _sites(dataset, root, mapping, words or [])
    with _reading("checking", sites, workers) as (readers, progress):
        found = check(dataset, str(root or ""), sites, readers, progress)
    if html is not None:
        try:
            page.write(found, html)
        except OSError as error:
            raise UserError(f"--html {html} cannot be written: {error.strerror}") from None
    if as_json:
        print(json.dumps(to_json(found), indent=1, ensure_ascii=False))
    else:
        console = Console()
        console.print(summary(found))
        if html is not None:
            console.print(f"\npage: {html}", highlight=False, soft_wrap=True, markup=False)
    bad = {"unsafe", "warning"} if strict else {"unsafe"}
    if any(finding.severity in bad for finding in found.findings):
        raise typer.Exit(1)


@app.command()
def prepare(
    dataset: Dataset,
    words: Words = None,
    root: Root = None,
    mapping: Mapping = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of feature stores; default: the user's cache.")
    ] = None,
    workers: Workers = 0,
) -> None:
    """Read a folder of recordings once and keep its log-mel features for all runs.

    Stopped at any moment, even by kill -9, it goes on where it was when it is called again.
    A run with the same front end and the same cache folder finds the store by itself.
    Settings of the front end are written front_end.mels=80 and so on.

    \b
    fedbreath data prepare coswara --root /data/coswara
    fedbreath data prepare sprsound --root /data/sprsound --cache /fast front_end.mels=80
    """  # noqa: D301 - click wants the character itself
    given = words or []
    prefix = "front_end."
    of_front_end = [w.removeprefix(prefix) for w in given if w.startswith(prefix)]
    front_end = section(FrontEnd, "front_end", of_front_end)
    sites = _sites(dataset, root, mapping, [w for w in given if not w.startswith(prefix)])
    folder = cache or default_cache()
    started = time.monotonic()
    stores: list[Store] = []
    with _reading("reading", sites, workers) as (readers, progress):
        for site in sites:
            stores.append(building.prepare(site, front_end, folder, readers, progress))
    seconds = sum(entry.seconds for store in stores for entry in store.entries)
    refused = sum(len(s.site.problems) for s in stores) - sum(len(s.problems) for s in sites)
    console = Console()
    for site in sites[:12]:
        path = folder_of(site, front_end, folder)
        console.print(f"store: {path}", highlight=False, soft_wrap=True, markup=False)
    console.print(
        f"{sum(len(s.entries) for s in stores):,} recordings, {seconds / 3600:.2f} h, "
        f"{refused:,} refused, in {time.monotonic() - started:.0f} s",
        highlight=False,
    )
    if not seconds:
        raise UserError(f"{dataset}: no recording can be used; `fedbreath data check` says why")


def _sites(
    dataset: str, root: Path | None, mapping: Path | None, words: Sequence[str]
) -> list[Site]:
    """The data set's sites, from its YAML and what the command line says."""
    options = list(words)
    for name, path in (("root", root), ("mapping", mapping)):
        if path is not None:
            options.append(f"{name}={written(str(path))}")
    sites: list[Site] = component("data", dataset, options).build().sites()
    return sites


@contextmanager
def _reading(
    verb: str, sites: Sequence[Site], workers: int
) -> Iterator[tuple[Readers, Callable[[int, float], None]]]:
    """Processes that decode, and a progress bar on the error stream with the throughput."""
    total = sum(len(site.recordings) for site in sites)
    count = min(workers or os.cpu_count() or 1, max(1, total))
    bar = Progress(
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with Readers(count) as readers, bar:
        task = bar.add_task(verb, total=total, speed="")
        started, heard = time.monotonic(), 0.0

        def progress(recordings: int, seconds: float) -> None:
            nonlocal heard
            heard += seconds
            speed = heard / max(time.monotonic() - started, 1e-3)
            said = f"{heard / 3600:.2f} h, {speed:,.0f} x real time"
            bar.update(task, advance=recordings, speed=said)

        yield readers, progress
