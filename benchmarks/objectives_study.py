"""The stages of ``benchmarks.objectives``: measure, screen, finalists, test persons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks import objectives_runs as runs
from benchmarks import objectives_table as table
from benchmarks.objectives_crew import Crew, Kept, configs_version
from benchmarks.objectives_grid import (
    OPENSMILE,
    OPERA,
    OPERA_STEPS,
    Run,
    Stage,
    features,
    grid,
    overrides,
    steps_for,
    untrained,
    with_steps,
)
from benchmarks.objectives_records import Dealt, Result, name_of, read
from benchmarks.objectives_table import Sheet
from fedbreath.report.wording import duration

#: Of every run beside its steps: starting it, and looking at it for signs of collapse.
BESIDE = 4.0

#: Where nothing has been scored yet, s.
SCORING = 15.0


@dataclass(frozen=True)
class Asked:
    """The command line, checked."""

    out: Path
    root: Path | None
    objectives: tuple[str, ...]
    encoders: tuple[str, ...]
    schemes: tuple[str, ...]
    data: tuple[str, ...]
    features: tuple[str, ...]
    budget: float
    final_budget: float
    steps: int | None
    finalists: int
    seeds: int
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

    def words(self, run: Run) -> tuple[str, ...]:
        """The overrides of a run."""
        more = self.asked.more
        if run.objective in OPENSMILE:
            more = (*more, "evaluation.opensmile=true")
        return overrides(run, self.asked.root, more)

    def look(self, test: bool) -> None:
        """Read the data, scored on test persons or on validation persons."""
        stage: Stage = "test" if test else "screening"
        wanted = [(where, test) for where in self.asked.data if (where, test) not in self.dealt]
        jobs = {k: (self.words(features(stage, ("log_mel",), k[:1])[0]),) for k in wanted}
        for key, found in self.crew.each("reading recordings", runs.look, jobs):
            self.dealt[key] = found
            told = " ".join(f"{name} ({count})" for name, count in found.clients.items())
            self.console.print(f"{key[0]}: sites {escape(told)}", highlight=False, soft_wrap=True)

    def measure(self) -> None:
        """The cost of a step of each objective in each encoder, where it is not known."""
        asked = self.asked
        chosen = grid(asked.objectives, asked.encoders, ("centralised",), asked.data[:1])
        jobs = {cost_key(run): (self.words(run),) for run in chosen}
        self.costs.fill(self.crew, "measuring steps", runs.step_seconds, jobs)

    def planned(self, run: Run, budget: float) -> Run:
        """A trained run with the steps that it gets."""
        if self.asked.steps:
            steps = round(self.asked.steps * budget / self.asked.budget)
        else:
            steps = steps_for(budget, self.costs.values[cost_key(run)])
        if run.encoder in OPERA:
            steps = min(steps, OPERA_STEPS)
        sites = len(self.dealt[run.data, run.stage == "test"].clients)
        return with_steps(run, steps, sites)

    def do(self, title: str, wanted: Sequence[Run]) -> None:
        """Do runs, or read back what they gave."""
        words = {run: self.words(run) for run in wanted}
        composed = {" ".join(one): (one,) for one in words.values()}
        self.digests.fill(self.crew, "composing", runs.config_digest, composed)
        jobs = {}
        for run in wanted:
            data = self.dealt[run.data, run.stage == "test"].digest
            name = name_of(run, self.digests.values[" ".join(words[run])], data)
            found = self.found(name)
            if found is None:
                jobs[run] = (run, words[run], name, self.asked.out)
            else:
                self.results[run] = found
        cost = {run: self.cost(run) for run in jobs}
        for run, result in self.crew.each(title, runs.work, jobs, cost) if jobs else ():
            self.results[run] = result
            if result.failed:
                told = f"{run.title} failed: {result.failed}"
                self.console.print(f"[red]{escape(told)}[/]", highlight=False, soft_wrap=True)

    def found(self, name: str) -> Result | None:
        """What a run gave before; a failure is forgotten where it is to be tried again."""
        path = self.asked.out / "results" / f"{name}.json"
        found = read(path, Result)
        if found is not None and found.failed and self.asked.retry:
            path.unlink()
            return None
        return found

    def cost(self, run: Run) -> float:
        """Expected processor seconds of a run."""
        where = (run.encoder, run.data)
        alike = [r for r in self.results.values() if (r.run.encoder, r.run.data) == where]
        known = [r.score_seconds for r in alike if r.score_seconds]
        scoring = sum(known) / len(known) if known else SCORING
        if run.kind != "trained":
            return scoring
        return scoring + BESIDE + run.steps * float(self.costs.values.get(cost_key(run), 0.0))

    def screening(self) -> list[Run]:
        """The trained runs of the screening."""
        asked = self.asked
        chosen = grid(asked.objectives, asked.encoders, asked.schemes, asked.data)
        return [self.planned(run, asked.budget) for run in chosen]

    def finals(self, stage: Stage, pairs: Sequence[tuple[str, str]]) -> list[Run]:
        """The runs of a later stage: each finalist in each scheme, several seeds."""
        return [
            self.planned(replace(run, stage=stage, seed=seed), self.asked.final_budget)
            for seed in range(self.asked.seeds)
            for objective, encoder in pairs
            for run in grid((objective,), (encoder,), self.asked.schemes, self.asked.data[:1])
        ]

    def sheets(self) -> list[Sheet]:
        """What there is, stage by stage."""
        stages = dict.fromkeys((run.stage, run.data) for run in self.results)
        return [
            table.sheet(self.results, self.dealt[data, stage == "test"], stage, data)
            for stage, data in stages
        ]

    def expected(self, screening: Sequence[Run]) -> float:
        """Seconds that remain until the end, with all cores free."""
        done = {run for run, result in self.results.items() if not result.failed}
        total = sum(self.cost(run) for run in screening if run not in done)
        pairs = [(r.objective, r.encoder) for r in screening]
        most = min(self.asked.finalists + 2, len(set(pairs))) if self.asked.finalists else 0
        mean = sum(self.cost(run) for run in screening) / max(1, len(screening))
        longer = mean + self.asked.final_budget - self.asked.budget
        stages = 2 if self.asked.test else 1
        total += stages * most * self.asked.seeds * len(self.asked.schemes) * longer
        return total / self.crew.workers


def cost_key(run: Run) -> str:
    """What a step's cost hangs on."""
    return f"{run.objective} {run.encoder}"


def study(asked: Asked, crew: Crew, console: Console) -> list[Sheet]:
    """The whole study, stage by stage."""
    own = Study(asked, crew, console)
    own.look(test=False)
    own.measure()
    first = features("screening", asked.features, asked.data)
    own.do("without training", [*first, *untrained("screening", asked.encoders, asked.data)])
    screening = own.screening()
    told = f"{len(screening)} runs to screen; expected in all: {duration(own.expected(screening))}"
    console.print(f"{told} with {crew.workers} free cores", highlight=False)
    if asked.estimate:
        return own.sheets()
    own.do("screening", screening)
    dealt = own.dealt[asked.data[0], False]
    screened = table.sheet(own.results, dealt, "screening", asked.data[0])
    pairs = table.finalists(screened, asked.finalists)
    own.do("finalists", own.finals("finalists", pairs))
    if asked.test and pairs:
        own.look(test=True)
        encoders = sorted({encoder for _, encoder in pairs})
        beside = features("test", asked.features, asked.data[:1])
        beside += untrained("test", encoders, asked.data[:1])
        own.do("test persons", [*beside, *own.finals("test", pairs)])
    return own.sheets()
