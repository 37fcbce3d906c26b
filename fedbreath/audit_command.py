"""``fedbreath audit``: does a run's mechanism keep what it claims?"""

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fedbreath.audit import Summed, empirical, sensitivity
from fedbreath.audit.empirical import Empirical
from fedbreath.audit.sensitivity import FEW, NORMAL, Case, Effort, Sensitivity
from fedbreath.audit.site import Setting, summed
from fedbreath.config import Component, Config, component, load

app = typer.Typer(
    help="Look for a privacy claim that is false. Needs no data, and releases nothing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Settings of the run, as `simulation` takes."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Full = Annotated[
    bool,
    typer.Option(help="The run's own network and precision: slow, and fewer cases are tried."),
]
Anyway = Annotated[
    bool,
    typer.Option(help="Audit a pair that is refused nevertheless, to see why it is."),
]

#: Less, where the worst case is wanted and not each family's.
SOME = Effort(NORMAL.settings[:3], (8, 128), keys=2, ascent=40)


@app.command("sensitivity")
def sensitivity_(
    words: Words = None, as_json: Json = False, full: Full = False, anyway: Anyway = False
) -> None:
    """Search for one unit that moves the sum by more than is claimed.

    The run's objective and mechanism, with a tiny network of the same kind in double
    precision, are tried with made-up batches: equal, opposite, silent and very loud
    recordings, several clips and temperatures, and canaries that climb. Printed is how far
    one unit, added or removed, moved the sum before noise, beside the claim.

    The exit code is 0 when no case broke the claim, 1 when one did, 2 when the settings are
    refused or claim nothing.

    \b
    fedbreath audit sensitivity objective=masked privacy=patient privacy.population=250
    fedbreath audit sensitivity objective=cola privacy=recording privacy.population=250 --anyway
    """  # noqa: D301 - click wants the character itself
    config, privacy = _asked(words or [], anyway)
    make, one, network = _maker(config, privacy, full, anyway)
    effort = FEW if full else NORMAL
    with _progress() as progress:
        cases = progress.track(sensitivity.search(make, effort), effort.cases, description="audit")
        found = sensitivity.conclude(cases, one.rule)
    if as_json:
        print(json.dumps(_sensitivity_json(config, privacy, one, network, found), indent=1))
    else:
        _print_sensitivity(config, privacy, one, network, found)
    if not found.holds:
        raise typer.Exit(1)


@app.command("empirical")
def empirical_(
    words: Words = None,
    trials: Annotated[int, typer.Option(help="Coins that the attacker guesses.", min=10)] = 200,
    as_json: Json = False,
    full: Full = False,
    anyway: Anyway = False,
) -> None:
    """Let an attacker guess from noised sums whether a canary was there.

    The worst canary of a short search is put into a batch or not, by a coin; the attacker
    knows both sums and sees the noised one. How often it guesses right bounds epsilon of one
    step from below (95 %), printed beside the claim.

    The exit code is 0 when the bound lies below the claim, 1 when above, 2 when the settings
    are refused or claim nothing.

    \b
    fedbreath audit empirical objective=masked privacy=patient privacy.population=250
    """  # noqa: D301 - as above
    config, privacy = _asked(words or [], anyway)
    make, _, network = _maker(config, privacy, full, anyway)
    effort = FEW if full else SOME
    with _progress() as progress:
        cases = progress.track(sensitivity.search(make, effort), effort.cases, description="search")
        worst = max((c for c in cases if c.allowed), key=lambda c: c.ratio)
    found = empirical.attack(make(worst.setting), worst, trials)
    if as_json:
        print(json.dumps(_empirical_json(config, privacy, network, found), indent=1))
    else:
        _print_empirical(config, privacy, network, found)
    if not found.holds:
        raise typer.Exit(1)


def _asked(words: Sequence[str], anyway: bool) -> tuple[Config, Component]:
    """The run's configuration, and its mechanism; `anyway` composes the two apart.

    Apart, the mechanism's check of the whole run never takes place.

    Raises:
        ConfigError: The run is refused.
    """
    if not anyway:
        config = load(words)
        return config, config.privacy
    own = [word.removeprefix("privacy.") for word in words if word.startswith("privacy.")]
    chosen = [word.removeprefix("privacy=") for word in words if word.startswith("privacy=")]
    rest = [word for word in words if not word.startswith(("privacy.", "privacy="))]
    return load(rest), component("privacy", chosen[-1] if chosen else "none", own)


def _maker(
    config: Config, privacy: Component, full: bool, anyway: bool
) -> tuple[Callable[[Setting], Summed], Summed, str]:
    """What makes the sum under a setting, the sum under the run's own, and its network."""
    one, network = summed(config, privacy, Setting(), full=full, vet=not anyway)
    build = partial(summed, config, privacy, full=full, vet=not anyway)
    return lambda setting: build(setting)[0], one, network


def _progress() -> Progress:
    """A bar on a terminal's error output; nothing where nobody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def _about(config: Config, privacy: Component, network: str) -> str:
    grad = getattr(privacy.config, "grad", "")
    made = f", grad={grad}" if grad else ""
    return f"objective={config.objective.name} privacy={privacy.name}{made}; {network}"


def _print_sensitivity(
    config: Config, privacy: Component, one: Summed, network: str, found: Sensitivity
) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False)
    for column, side in (
        ("batch", "left"), ("worst canary", "left"), ("n", "right"), ("moved, in D_add", "right"),
        ("allowed", "right"), ("", "left"),
    ):  # fmt: skip
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for name, case in found.families.items():
        verdict = "BROKEN" if case.broken else "ok"
        table.add_row(
            name, case.canary, str(case.others), f"{case.ratio:.4f}", f"{case.allowed:g}", verdict
        )
    lines = [
        f"largest: {found.ratio:.4g} of the claimed D_add, in {found.cases:,} cases",
        f"worst:   {found.worst}",
        found.verdict,
        sensitivity.PROVES,
    ]
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    say(_about(config, privacy, network))
    say(
        f"claim: one {one.unit} more or less moves the sum by at most "
        f"D_add = {one.rule} = {one.bound:g}"
    )
    console.print(table, highlight=False)
    for line in lines:
        say(line)


def _case_json(case: Case) -> dict[str, Any]:
    return {
        "canary": case.canary,
        "others": case.others,
        "ratio": case.ratio,
        "allowed": case.allowed,
        "tolerance": case.slack,
        "broken": case.broken,
        "case": str(case),
    }


def _sensitivity_json(
    config: Config, privacy: Component, one: Summed, network: str, found: Sensitivity
) -> dict[str, Any]:
    return {
        "audit": "sensitivity",
        "objective": config.objective.name,
        "privacy": privacy.name,
        "unit": one.unit,
        "network": network,
        "rule": one.rule,
        "d_add": one.bound,
        "ratio": found.ratio,
        "holds": found.holds,
        "verdict": found.verdict,
        "cases": found.cases,
        "worst": {"family": found.worst.family, **_case_json(found.worst)},
        "families": {name: _case_json(case) for name, case in found.families.items()},
        "proves": sensitivity.PROVES,
    }


def _print_empirical(config: Config, privacy: Component, network: str, found: Empirical) -> None:
    say = partial(Console().print, markup=False, highlight=False, soft_wrap=True)
    say(_about(config, privacy, network))
    say(f"claim:    {found.claim}, of one step in which the unit is drawn for certain (q = 1)")
    say(
        f"measured: epsilon >= {found.lower:.3g} at the same delta, 95 % confidence "
        f"({found.right} of {found.trials} guesses right)"
    )
    say(f"attacked: {found.case}")
    say("the claim is not contradicted" if found.holds else "the claim is FALSE")
    say(empirical.PROVES)


def _empirical_json(
    config: Config, privacy: Component, network: str, found: Empirical
) -> dict[str, Any]:
    return {
        "audit": "empirical",
        "objective": config.objective.name,
        "privacy": privacy.name,
        "network": network,
        "claim": found.claim.to_json(),
        "steps": 1,
        "rate": 1.0,
        "lower_bound": found.lower,
        "confidence": empirical.CONFIDENCE,
        "trials": found.trials,
        "right": found.right,
        "holds": found.holds,
        "case": _case_json(found.case),
        "proves": empirical.PROVES,
    }
