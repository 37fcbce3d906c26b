"""The grid of ``benchmarks.federation``: settings, arms, and what each run is composed of.

A setting says whose recordings there are and how they are dealt. All runs of a setting take
the same number of steps in all: a federated client takes `LOCAL` in a round that calls it, the
one client of a centralised run takes what all that are called take together, and a site alone
takes its own share. Of fifty cohorts a round calls a tenth, so that five and fifty have as many
rounds. What the comparison depends on is written out here and not left to the defaults; the
rest follows ``configs/config.yaml``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fedbreath.composition import written

Stage = Literal["screening", "validation", "test"]
ArmKind = Literal["untrained", "centralised", "local", "federated"]

#: Setting to how it deals recordings; all simulated ones have the same persons.
PARTITIONS: Mapping[str, tuple[str, ...]] = {
    "real": ("partition=by_dataset",),
    "iid5": ("partition=cohorts", "partition.clients=5"),
    "skewed5": ("partition=dirichlet", "partition.clients=5"),
    "iid50": ("partition=cohorts", "partition.clients=50"),
    "skewed50": ("partition=dirichlet", "partition.clients=50"),
}
SETTINGS = tuple(PARTITIONS)

TITLES: Mapping[str, str] = {
    "real": "Real data sets as sites",
    "iid5": "5 simulated cohorts, IID",
    "skewed5": "5 simulated cohorts, skewed by phone",
    "iid50": "50 simulated cohorts, IID",
    "skewed50": "50 simulated cohorts, skewed by phone",
}

STRATEGIES = ("fedavg", "fedadam", "fedema", "ldawa")

#: Strategies whose server steps by a rate of its own, which is chosen before.
RATED = ("fedadam", "fedyogi")
RATES = (0.003, 0.01)

#: The screening of a rate has seeds that nothing else has, from this one.
SCREENING_SEED = 1000

#: Phones differ so much that a client of a Dirichlet mixture has one or two models.
_SKEW = ("partition.label=device", "partition.alpha=0.3")

#: Persons enough that something can be learnt: 2,000, each with a cough and a breath.
_PERSONS = (
    "data=simulated",
    "data.cohorts=5",
    "data.persons=400",
    "data.persons_spread=0",
    "data.sessions=1",
    "data.sessions_spread=0",
)

#: What a simple feature tells; smoking, severity and symptoms are near chance by recording.
_TASKS = (
    "tasks=[simulated_disease]",
    "+tasks.simulated_sex={_target_: fedbreath.downstream.classification.Classification, "
    "title: 'Sex (simulated phones)', family: sex, dataset: simulated, label: sex, "
    "classes: {male: [male], female: [female]}, modalities: [], headline: false, "
    "group: person, items: recordings}",
)

COMMON = (
    "privacy=none",
    "encoder=cnn",
    "objective=descriptors",
    "training.learning_rate=0.002",
    "training.schedule=cosine",
    "training.warmup=0.05",
    "training.weight_decay=0.01",
    "training.optimizer_state=kept",
    "training.head=local",
    "views.time_mask=0.1",
    "views.mel_mask=0.1",
    "views.noise=0.1",
    "split.test=0.4",
    "evaluation.baselines=false",
    "evaluation.min_subjects=5",
    "evaluation.every=100000",
)
LOCAL = 6

#: Share of the persons who are not test persons that strategies are compared on.
VALIDATION = 0.35

#: With more clients than `MOST` a round calls a share of them, and few are trained alone.
MOST = 12
FRACTION = 0.1
ALONE = 5


@dataclass(frozen=True)
class Run:
    """One encoder of the study.

    Attributes:
        stage: Says who is scored on; a ``screening`` chooses a server's rate.
        setting: Of `SETTINGS`.
        arm: What sort of training.
        strategy: Of a federated run.
        rate: The server's learning rate, where it is not the strategy's default.
        site: The client that a local-only run has.
        seed: Of weights, views and draws.
        rounds: Rounds.
        local: Steps of a client in a round.
        called: Clients that a round calls.
        clients: Clients that there are.
    """

    stage: Stage
    setting: str
    arm: ArmKind
    strategy: str = ""
    rate: float | None = None
    site: str = ""
    seed: int = 0
    rounds: int = 1
    local: int = 1
    called: int = 1
    clients: int = 1

    @property
    def steps(self) -> int:
        """Optimiser steps in all; 0 where nothing is trained.

        >>> Run("test", "real", "federated", rounds=40, local=6, called=4, clients=4).steps
        960
        """
        return 0 if self.arm == "untrained" else self.rounds * self.local * self.called

    @property
    def title(self) -> str:
        """For a person.

        >>> Run("test", "real", "local", site="coswara", seed=1).title
        'test: real local coswara seed 1'
        """
        rate = "" if self.rate is None else f"rate {self.rate:g}"
        parts = (self.setting, self.arm, self.strategy, rate, self.site)
        return f"{self.stage}: {' '.join(p for p in parts if p)} seed {self.seed}"


def kind_of(setting: str) -> str:
    """``real`` or ``simulated``."""
    return "real" if setting == "real" else "simulated"


def called_of(clients: int) -> int:
    """Clients that a round calls.

    >>> called_of(4), called_of(50)
    (4, 5)
    """
    return clients if clients <= MOST else max(1, round(FRACTION * clients))


def with_steps(run: Run, steps: int, clients: int) -> Run:
    """A run with about so many steps in all, the same for each arm of a setting.

    Args:
        run: A run without steps.
        steps: What is wanted.
        clients: Clients of the setting.

    >>> one = with_steps(Run("test", "real", "centralised"), 960, 4)
    >>> one.rounds, one.local, one.called, one.steps
    (40, 24, 1, 960)
    """
    called = called_of(clients)
    local = max(1, min(LOCAL, steps // called))
    rounds = max(1, round(steps / (called * local)))
    if run.arm == "untrained":
        return run
    if run.arm == "centralised":
        return replace(run, rounds=rounds, local=local * called)
    if run.arm == "local":
        own = max(1, round(rounds * called / clients))
        return replace(run, rounds=own, local=local)
    return replace(run, rounds=rounds, local=local, called=called, clients=clients)


def sites_alone(names: Sequence[str]) -> list[str]:
    """Whom local-only encoders are trained for: all, or of many a few, evenly spread.

    >>> sites_alone(["b", "a"]), sites_alone([f"{i:02d}" for i in range(50)])
    (['b', 'a'], ['00', '10', '20', '30', '40'])
    """
    if len(names) <= MOST:
        return list(names)
    return [names[i * len(names) // ALONE] for i in range(ALONE)]


def arms(stage: Stage, setting: str, seed: int, strategies: Sequence[str],
         sites: Sequence[str]) -> list[Run]:  # fmt: skip
    """The trained runs of a setting and seed, without their steps."""
    return [
        Run(stage, setting, "centralised", seed=seed),
        *(Run(stage, setting, "federated", name, seed=seed) for name in strategies),
        *(Run(stage, setting, "local", site=site, seed=seed) for site in sites),
    ]


def overrides(run: Run, root: Path | None, more: Sequence[str] = ()) -> tuple[str, ...]:
    """A run as the command line says it.

    Args:
        run: The run.
        root: Folder of the real data sets; None where none of them is used.
        more: Settings of the whole study, last: they win.
    """
    return (
        *_data(run.setting, root),
        *COMMON,
        f"split.validation={0.0 if run.stage == 'test' else VALIDATION}",
        *_dealt(run),
        *_strategy(run),
        f"seed={run.seed}",
        f"rounds={run.rounds}",
        f"training.steps={run.local}",
        *more,
    )


def _data(setting: str, root: Path | None) -> Iterator[str]:
    if setting == "real":
        yield from ("data=real", f"data.root={written(str(root))}", "training.batch_size=64")
    else:
        yield from (*_PERSONS, *_TASKS, "training.batch_size=32")


def _dealt(run: Run) -> Iterator[str]:
    if run.arm in ("untrained", "centralised"):
        yield "partition=pooled"
        return
    yield from PARTITIONS[run.setting]
    if run.setting.startswith("skewed"):
        yield from _SKEW


def _strategy(run: Run) -> Iterator[str]:
    yield f"strategy={run.strategy or 'fedavg'}"
    if run.arm == "federated" and run.called < run.clients:
        yield f"strategy.fraction={run.called / run.clients:.6g}"
    if run.rate is not None:
        yield f"strategy.learning_rate={run.rate}"
