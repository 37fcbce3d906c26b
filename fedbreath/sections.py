"""The plain sections of a run's configuration: local training, split, evaluation, patience.

A component's settings stand with the component; these belong to the run itself.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Training:
    """The local fit of one client in one round.

    Attributes:
        steps: Optimiser steps a client takes in a round.
        batch_size: Recordings a step draws (pairs of views), at most what the site has.
        learning_rate: AdamW's greatest step size.
        weight_decay: AdamW's decoupled weight decay.
        schedule: ``cosine`` lets the step size fall to 0 over the whole run; ``constant``
            does not.
        warmup: Share of the run in which the step size rises from 0.
        optimizer_state: ``kept`` at the site from round to round, or ``fresh`` each round.
        head: The projection head stays at the site (``local``), travels with the encoder and
            is averaged (``averaged``), or is that of the run that ``encoder.init`` names and
            is not trained (``start``), which leaves fewer weights for noise to fall on.
        freeze: Groups of the encoder's parameters that are not trained (`Encoder.groups`).
        local: Groups of the encoder's parameters that each site trains and keeps to itself; the
            global encoder has there what it started with.
        told: Numbers that a client tells beside its weights: ``loss``, ``norm``,
            ``recordings``, ``seconds``. None is what the privacy mechanism lets out.
    """

    steps: int = 10
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = 0.05
    optimizer_state: Literal["kept", "fresh"] = "kept"
    head: Literal["local", "averaged", "start"] = "local"
    freeze: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    told: tuple[Literal["loss", "norm", "recordings", "seconds"], ...] | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        if self.batch_size < 2:
            raise ValueError(f"batch_size must be >= 2, got {self.batch_size}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be >= 0, got {self.weight_decay}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must lie in [0, 1), got {self.warmup}")

    def rate(self, done: float) -> float:
        """The step size when a share of the run is done, in [0, 1].

        Warm-up is linear; the cosine (Loshchilov and Hutter 2017, without restarts) spans
        the whole run, so that rounds and steps can be traded.

        Raises:
            ValueError: A share beyond the run, where the cosine would rise again.

        >>> Training(learning_rate=1.0, warmup=0.0).rate(0.5)
        0.5
        """
        if not 0 <= done <= 1:
            raise ValueError(f"a share of the run must lie in [0, 1], got {done}")
        rise = min(1.0, done / self.warmup) if self.warmup else 1.0
        fall = (1 + math.cos(math.pi * done)) / 2 if self.schedule == "cosine" else 1.0
        return self.learning_rate * rise * fall


@dataclass(frozen=True)
class Split:
    """Who is kept out of pretraining to be tested on.

    Attributes:
        test: Share of a data set's persons that are test persons.
        validation: Share of the others that stand in for the test persons while choices
            are made: scores are then measured on them, and test persons are left out of
            everything. 0 scores on the test persons.
        seed: Chooses them; apart from the run's seed, so that seeds are comparable.
    """

    test: float = 0.4
    validation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.test < 1:
            raise ValueError(f"test must lie between 0 and 1, got {self.test}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation must lie in [0, 1), got {self.validation}")


@dataclass(frozen=True)
class Evaluation:
    """How the frozen encoder is scored.

    Attributes:
        every: Rounds between two probes of the global encoder (the last round always).
        bootstrap: Resamples of the test subjects behind each interval.
        random_seeds: Untrained networks that the encoder is compared with.
        min_subjects: A class with fewer test subjects than this gives no score.
        baselines: Whether to train the local-only and centralised encoders too.
        opensmile: Whether to compare with openSMILE's features too: an extra, for research
            only, and slow the first time.
        compare: Further arms: title to the overrides, on top of the run's own, that the same
            clients are trained with; None takes an arm out that an experiment names.
    """

    every: int = 5
    bootstrap: int = 1000
    random_seeds: int = 3
    min_subjects: int = 10
    baselines: bool = True
    opensmile: bool = False
    compare: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("every", "bootstrap", "random_seeds", "min_subjects"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Transport:
    """How arrays travel.

    Attributes:
        dtype: Type in which single-precision weights travel, both ways. ``float16`` halves
            the bytes and rounds each weight to a relative 2^-11.
    """

    dtype: Literal["float32", "float16"] = "float32"


@dataclass(frozen=True)
class Patience:
    """How long a server waits for its clients; never without bound.

    Attributes:
        connect: For the least number of clients to be connected, s.
        reply: For the replies of a round, s.
        repeat: Times a round asks again those whose replies cannot be used, where too few
            can; never under central privacy, where each time would cost the budget.
    """

    connect: float = 600.0
    reply: float = 3600.0
    repeat: int = 1

    def __post_init__(self) -> None:
        for name in ("connect", "reply"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        if self.repeat < 0:
            raise ValueError(f"repeat must be >= 0, got {self.repeat}")


@dataclass(frozen=True)
class Guard:
    """Which changes a server takes for absurd; `strategies.guard` states the whole rule.

    Attributes:
        norm: Times the median norm of the round's changes; None sets no such bound.
        most: The greatest norm whatever the others send.
    """

    norm: float | None = 5.0
    most: float = 1e6

    def __post_init__(self) -> None:
        if self.norm is not None and self.norm < 1:
            raise ValueError(f"norm must be >= 1, got {self.norm}")
        if not 0 < self.most <= 1e12:
            raise ValueError(f"most must lie in (0, 1e12], got {self.most}")


@dataclass(frozen=True)
class Adversary:
    """Hostile clients, of a simulation alone; `simulation.adversary` states what they send.

    Attributes:
        share: Of the clients that are hostile.
        attack: What they make of their update.
        factor: By how much ``scale`` multiplies it, and how many times as long ``random`` is.
    """

    share: float = 0.0
    attack: Literal["sign_flip", "scale", "random"] = "sign_flip"
    factor: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must lie in [0, 1], got {self.share}")
