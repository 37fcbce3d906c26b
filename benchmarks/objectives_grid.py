"""The grid of ``benchmarks.objectives``: which runs there are, and what each is composed of.

What the comparison depends on is written out here and not left to the defaults: batch,
learning rate and its schedule, the strength of the views, who is scored on. The rest follows
``configs/config.yaml``. A run is a `Run`; `overrides` says it as the command line would.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fedbreath.composition import choices, written

Stage = Literal["screening", "finalists", "test"]

ENCODERS = ("cnn_narrow", "cnn", "cnn_wide", "vit_narrow", "vit", "vit_wide")

#: Encoders of tens of seconds a step on a processor: few objectives, few steps, only if asked.
OPERA = ("opera_ce", "opera_ct", "opera_gt")
OPERA_OBJECTIVES = ("descriptors", "cola")
OPERA_STEPS = 8

SCHEMES = ("centralised", "federated")
DATA = ("real", "simulated")

#: Rows without a network, and those of them that are slow and not always there.
FEATURES = ("descriptors", "log_mel")
OPENSMILE = ("opensmile_compare", "opensmile_egemaps")

#: AdamW's greatest step size by objective; of a combination, the smaller one counts.
#: None of them is known to want another one with warm-up and cosine.
RATES = {
    "byol": 2e-3,
    "cola": 2e-3,
    "combined": 2e-3,
    "descriptors": 2e-3,
    "masked": 2e-3,
    "nt_xent": 2e-3,
    "public_bank": 2e-3,
    "simsiam": 2e-3,
    "vicreg": 2e-3,
    "within_recording": 2e-3,
}

#: Beside descriptor prediction, where an objective's loss is of another size altogether.
WEIGHTS = {"vicreg": 0.04}

#: Of every run. A client's steps in a round are `LOCAL`, or fewer where rounds would be few.
COMMON = (
    "privacy=none",
    "strategy=fedavg",
    "training.batch_size=64",
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
ROUNDS = 5

#: Share of the persons who are not test persons that choices are made on.
VALIDATION = 0.35


@dataclass(frozen=True)
class Run:
    """One run of the study, or one row without training.

    Attributes:
        stage: Where in the study; says who is scored on.
        kind: ``trained``, the ``untrained`` network, or ``features`` without a network.
        data: ``real`` or ``simulated``.
        objective: The objective, or the name of the features; "" for the untrained network.
        encoder: The encoder; "" for features.
        scheme: ``centralised`` or ``federated``; "" where nothing is trained.
        seed: Of weights, views and draws.
        rounds: Rounds.
        local: Steps of a client in a round.
        clients: Clients that a round calls.
    """

    stage: Stage
    kind: Literal["trained", "untrained", "features"]
    data: str
    objective: str = ""
    encoder: str = ""
    scheme: str = ""
    seed: int = 0
    rounds: int = 1
    local: int = 1
    clients: int = 1

    @property
    def steps(self) -> int:
        """Optimiser steps in all; 0 where nothing is trained.

        >>> Run("screening", "trained", "real", rounds=5, local=6, clients=4).steps
        120
        """
        return self.rounds * self.local * self.clients if self.kind == "trained" else 0

    @property
    def title(self) -> str:
        """For a person.

        >>> Run("screening", "untrained", "real", encoder="cnn", seed=1).title
        'real untrained cnn seed 1'
        """
        what = "untrained" if self.kind == "untrained" else self.objective
        parts = (self.data, what, self.encoder, self.scheme)
        return " ".join(p for p in parts if p) + f" seed {self.seed}"


def objectives() -> list[str]:
    """Every objective of ``configs/``, then descriptor prediction beside each other one."""
    alone = choices("objective")
    return alone + [f"descriptors+{n}" for n in alone if n not in ("descriptors", "combined")]


def grid(
    objectives: Sequence[str], encoders: Sequence[str], schemes: Sequence[str], data: Sequence[str]
) -> list[Run]:
    """The trained runs of a screening, without their steps."""
    return [
        Run("screening", "trained", where, objective, encoder, scheme)
        for where in data
        for encoder in encoders
        for objective in objectives
        for scheme in schemes
        if encoder not in OPERA or objective in OPERA_OBJECTIVES
    ]


def untrained(stage: Stage, encoders: Sequence[str], data: Sequence[str]) -> list[Run]:
    """The untrained networks: three seeds of each encoder, a seed after the other."""
    return [
        Run(stage, "untrained", where, encoder=encoder, seed=seed)
        for seed in range(3)
        for where in data
        for encoder in encoders
    ]


def features(stage: Stage, names: Sequence[str], data: Sequence[str]) -> list[Run]:
    """The rows without a network."""
    return [Run(stage, "features", where, name) for where in data for name in names]


def with_steps(run: Run, steps: int, sites: int) -> Run:
    """A run with about so many optimiser steps in all, both schemes with the same number.

    Federated, they are dealt to the sites and to rounds; centralised, the one client takes in
    a round what all sites together take.

    Args:
        run: A trained run.
        steps: What is wanted.
        sites: Clients of the federation.

    >>> federated = with_steps(Run("screening", "trained", "real", scheme="federated"), 200, 4)
    >>> federated.rounds, federated.local, federated.clients, federated.steps
    (8, 6, 4, 192)
    """
    local = max(1, min(LOCAL, steps // (sites * ROUNDS)))
    rounds = max(1, round(steps / (sites * local)))
    if run.scheme == "federated":
        return replace(run, rounds=rounds, local=local, clients=sites)
    return replace(run, rounds=rounds, local=local * sites, clients=1)


def steps_for(budget: float, step: float) -> int:
    """Steps that a budget of processor time pays for, at least one.

    >>> steps_for(60.0, 0.25), steps_for(1.0, 30.0)
    (240, 1)
    """
    return max(1, round(budget / step))


def overrides(run: Run, root: Path | None, more: Sequence[str] = ()) -> tuple[str, ...]:
    """A run as the command line says it.

    Args:
        run: The run.
        root: Folder of the real data sets; None where none of them is used.
        more: Settings of the whole study, last: they win.
    """
    where = [f"data={run.data}"]
    if run.data == "real":
        where.append(f"data.root={written(str(root))}")
    return (
        *where,
        *COMMON,
        f"split.validation={0.0 if run.stage == 'test' else VALIDATION}",
        f"partition={'pooled' if run.scheme == 'centralised' else 'by_dataset'}",
        f"encoder={run.encoder or 'cnn'}",
        *_objective(run.objective if run.kind == "trained" else "descriptors"),
        f"seed={run.seed}",
        f"rounds={run.rounds}",
        f"training.steps={run.local}",
        *more,
    )


def _objective(name: str) -> Iterator[str]:
    """The settings of an objective: a choice, or parts of ``combined`` joined by +."""
    parts = name.split("+")
    yield f"training.learning_rate={min(RATES[part] for part in parts)}"
    if len(parts) == 1:
        yield f"objective={name}"
        return
    yield "objective=combined"
    for part in sorted({"cola", "masked"} - set(parts)):
        yield from (f"~objective.parts.{part}", f"~objective.weights.{part}")
    for part in parts:
        if part not in ("cola", "masked"):
            yield f"+objective@objective.parts.{part}={part}"
            yield f"+objective.weights.{part}={WEIGHTS.get(part, 1.0)}"
