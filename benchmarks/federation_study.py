"""The stages of ``benchmarks.federation``: data, server rates, the comparison, test persons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from benchmarks import federation_runs as runs
from benchmarks import federation_table as table
from benchmarks.federation_grid import (
    RATED,
    SCREENING_SEED,
    Run,
    Stage,
    arms,
    kind_of,
    overrides,
    sites_alone,
    with_steps,
)
from benchmarks.federation_records import Result, name_of
from benchmarks.federation_table import Sheet
from benchmarks.federation_verdict import winner
from benchmarks.objectives_crew import Crew, Kept, configs_version
from benchmarks.objectives_records import Dealt, read
from benchmarks.objectives_runs import config_digest, step_seconds
from fedbreath.report.averages import averages
from fedbreath.report.wording import duration

#: Of every run beside its steps, and of scoring where nothing has been scored yet, s.
BESIDE, SCORING = 8.0, 20.0

#: Untrained networks: at least so many seeds.
UNTRAINED = 3


@dataclass(frozen=True)
class Asked:
    """The command line, checked."""

    out: Path
    root: Path | None
    settings: tuple[str, ...]
    strategies: tuple[str, ...]
    server_rates: tuple[float, ...]
    seeds: int
    steps: int
    test: bool
    workers: int
    estimate: bool
    retry: bool
    more: tuple[str, ...]


class Study:
    """A study in its folder.

    Args:
        asked: What was asked for.
        crew: Who does it.
        console: Where it is told.
    """

    def __init__(self, asked: Asked, crew: Crew, console: Console) -> None:
        self.asked, self.crew, self.console = asked, crew, console
        self.costs = Kept(asked.out / "costs.json", " ".join(asked.more))
        self.digests = Kept(asked.out / "digests.json", configs_version())
        self.dealt: dict[tuple[str, bool], Dealt] = {}
        self.results: dict[Run, Result] = {}
        self.rates: dict[str, float] = {}

    def words(self, run: Run) -> tuple[str, ...]:
        """The overrides of a run."""
        return overrides(run, self.asked.root, self.asked.more)

    def look(self, test: bool) -> None:
        """Read the data of every setting, scored on test persons or on validation persons."""
        stage: Stage = "test" if test else "validation"
        jobs = {s: (self.words(Run(stage, s, "federated", "fedavg")),) for s in self.asked.settings}
        for setting, found in self.crew.each("reading recordings", runs.look, jobs):
            self.dealt[setting, test] = found
            sizes = sorted(found.clients.values())
            told = f"{len(sizes)} clients of {sizes[0]} to {sizes[-1]} recordings"
            self.console.print(f"{setting}: {told}", highlight=False, soft_wrap=True)

    def measure(self) -> None:
        """The cost of a step on either kind of data, where it is not known."""
        some = {kind_of(s): Run("validation", s, "centralised") for s in self.asked.settings}
        jobs = {kind: (self.words(run),) for kind, run in some.items()}
        self.costs.fill(self.crew, "measuring steps", step_seconds, jobs)

    def planned(self, run: Run) -> Run:
        """A run with its steps, and with the server's rate that was chosen."""
        if run.strategy in RATED and run.rate is None:
            run = replace(run, rate=self.rates.get(kind_of(run.setting)))
        clients = len(self.dealt[run.setting, run.stage == "test"].clients)
        return with_steps(run, self.asked.steps, clients)

    def screening(self) -> list[Run]:
        """Runs that choose a server's rate: each rate on each kind of data, at several seeds."""
        rates = self.asked.server_rates
        rated = [name for name in self.asked.strategies if name in RATED]
        first = {kind_of(s): s for s in reversed(self.asked.settings)}
        if len(rates) == 1:
            return []
        return [
            self.planned(Run("screening", setting, "federated", name, rate, seed=seed))
            for seed in range(SCREENING_SEED, SCREENING_SEED + self.asked.seeds)
            for setting in first.values()
            for name in rated[:1]
            for rate in rates
        ]

    def choose_rates(self, screened: Sequence[Run]) -> None:
        """The better rate for each kind of data, by the first mean over the seeds."""
        rates = self.asked.server_rates
        self.rates = dict.fromkeys(("real", "simulated"), rates[0]) if len(rates) == 1 else {}
        values: dict[str, dict[float, list[float]]] = {}
        for run in screened:
            result, stated = self.results[run], averages(self.dealt[run.setting, False].tasks)
            if stated and not result.failed and run.rate is not None:
                of = values.setdefault(kind_of(run.setting), {})
                of.setdefault(run.rate, []).append(float(table.over(result, stated[0])[0]))
        for kind, of in values.items():
            means = {rate: float(np.mean(each)) for rate, each in of.items()}
            self.rates[kind] = max(means, key=lambda rate: means[rate])
            told = ", ".join(f"{rate:g}: {value:.3f}" for rate, value in means.items())
            self.console.print(f"server rate, {kind}: {told}", highlight=False)

    def compared(self, stage: Stage, strategies: Sequence[str], alone: bool = True) -> list[Run]:
        """The runs of a stage, a seed after the other."""
        found: list[Run] = []
        for seed in range(max(self.asked.seeds, UNTRAINED)):
            for setting in self.asked.settings:
                found.append(Run(stage, setting, "untrained", seed=seed))
                if seed < self.asked.seeds:
                    names = list(self.dealt[setting, stage == "test"].clients)
                    sites = sites_alone(names) if alone else []
                    found += map(self.planned, arms(stage, setting, seed, strategies, sites))
        return found

    def do(self, title: str, wanted: Iterable[Run]) -> None:
        """Do runs, or read back what they gave; what is composed alike is done once."""
        words = {run: self.words(run) for run in wanted}
        composed = {" ".join(one): (one,) for one in words.values()}
        self.digests.fill(self.crew, "composing", config_digest, composed)
        alike: dict[str, list[Run]] = {}
        for run, one in words.items():
            data = self.dealt[run.setting, run.stage == "test"].digest
            alike.setdefault(name_of(run, self.digests.values[" ".join(one)], data), []).append(run)
        jobs = {}
        for name, same in alike.items():
            found = self.found(name)
            if found is None:
                jobs[name] = (same[0], words[same[0]], name, self.asked.out)
            else:
                self.keep(same, found)
        cost = {name: self.cost(alike[name][0]) for name in jobs}
        for name, result in self.crew.each(title, runs.work, jobs, cost) if jobs else ():
            self.keep(alike[name], result)
            if result.failed:
                told = f"{result.run.title} failed: {result.failed}"
                self.console.print(f"[red]{escape(told)}[/]", highlight=False, soft_wrap=True)

    def keep(self, same: Sequence[Run], result: Result) -> None:
        """Remember what runs that are composed alike gave."""
        self.results.update(dict.fromkeys(same, result))

    def found(self, name: str) -> Result | None:
        """What a run gave before; a failure is forgotten where it is to be tried again."""
        path = runs.result_path(self.asked.out, name)
        found = read(path, Result)
        if found is not None and found.failed and self.asked.retry:
            path.unlink()
            return None
        return found

    def cost(self, run: Run) -> float:
        """Expected processor seconds of a run."""
        kind = kind_of(run.setting)
        known = [r.score_seconds for q, r in self.results.items()
                 if kind_of(q.setting) == kind and r.score_seconds]  # fmt: skip
        scoring = float(np.mean(known)) if known else SCORING
        if run.arm == "untrained":
            return scoring
        return scoring + BESIDE + run.steps * float(self.costs.values.get(kind, 0.0))

    def expected(self, wanted: Sequence[Run]) -> float:
        """Seconds that runs and the stage on test persons take, what is done already included."""
        total = sum(map(self.cost, self.distinct(wanted)))
        if self.asked.test:
            total += sum(map(self.cost, filter(_tested_too, self.distinct(wanted))))
        return total / self.crew.workers

    def distinct(self, wanted: Sequence[Run]) -> list[Run]:
        """One of each of those that are composed alike."""
        return list({(self.words(run), run.site): run for run in wanted}.values())

    def sheets(self) -> list[Sheet]:
        """What there is, stage by stage and setting by setting."""
        found: Mapping[tuple[Stage, str], None] = dict.fromkeys(
            (run.stage, run.setting) for run in self.results if run.stage != "screening"
        )
        return [
            table.sheet(self.results, self.dealt[setting, stage == "test"], stage, setting)
            for stage, setting in found
        ]


def _tested_too(run: Run) -> bool:
    return run.arm in ("untrained", "centralised") or run.strategy in ("fedavg", "fedadam")


def study(asked: Asked, crew: Crew, console: Console) -> list[Sheet]:
    """The whole study, stage by stage."""
    own = Study(asked, crew, console)
    own.look(test=False)
    own.measure()
    screened = own.screening()
    wanted = own.compared("validation", asked.strategies)
    told = duration(own.expected([*screened, *wanted]))
    count = len(own.distinct(wanted))
    said = f"{count} runs, and {len(screened)} to choose a server's rate"
    console.print(f"{said}; expected in all: {told} with {crew.workers} free cores",
                  highlight=False)  # fmt: skip
    if asked.estimate:
        return []
    if screened:
        own.do("server rates", screened)
    own.choose_rates(screened)
    own.do("validation persons", own.compared("validation", asked.strategies))
    if asked.test:
        own.look(test=True)
        best = winner(own.sheets())
        tested = [n for n in asked.strategies if n in ("fedavg", best)]
        own.do("test persons", own.compared("test", tested, alone=False))
    return own.sheets()
