"""What the federation is compared with, and how each arm is trained and scored.

Every trained arm is a federation run by the same engine: centralised training is one
client that has all recordings (``partition=pooled``) and takes as many steps as all clients
together, and each local-only encoder is one site alone with its own steps. So every arm has
checkpoints, resumes, starts from the same weights, and leaves out the same test persons.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from fedbreath import encoders
from fedbreath.atomic import write_json
from fedbreath.config import Config, load
from fedbreath.downstream import benchmark, embedding
from fedbreath.downstream.benchmark import ArmScores
from fedbreath.downstream.embedding import Floats
from fedbreath.encoders import Encoder
from fedbreath.features import Selection
from fedbreath.lock import locked
from server import checkpoints
from server.rounds import Observer
from simulation import PACKAGES, baselines
from simulation.data import Prepared
from simulation.partitions import pooled

Kind = Literal["federated", "centralised", "local", "random", "features", "combined", "control"]

#: With more clients than this no local-only encoders are trained: each costs a run.
MOST_LOCAL = 12

#: Settings under which one client alone is what it claims to be: plain local training.
_ALONE = (
    "strategy=fedavg",
    "strategy.minimum=1",
    "strategy.weighting=uniform",  # the same for one client, and goes with any privacy
    "training.optimizer_state=kept",
    "training.head=local",
)


@dataclass(frozen=True)
class Arm:
    """One row of the comparison.

    Attributes:
        name: Unique; ``local:<client>`` for local-only encoders.
        title: For a reader.
        kind: What sort of row it is.
        overrides: The configuration it is trained with.
        steps: Optimiser steps in all.
        fits: Local fits in all, or hundredths of slow features, for progress.
        note: What a reader must know.
        missing: Why it cannot be run; empty when it can.
    """

    name: str
    title: str
    kind: Kind
    overrides: tuple[str, ...] = ()
    steps: int = 0
    fits: int = 0
    note: str = ""
    missing: str = ""

    @property
    def after_federated(self) -> bool:
        """Whether it needs the federated encoder."""
        return self.kind == "combined"

    @property
    def trained(self) -> bool:
        """Whether there is anything to train; a run without overrides is trained too."""
        return self.kind in ("federated", "centralised", "local")

    def folder(self, out: Path) -> Path:
        """Where the arm lies: the federated one in the run's folder itself."""
        return out if self.kind == "federated" else out / "arms" / self.name.replace(":", "-")


def plan(config: Config, overrides: tuple[str, ...], clients: Mapping[str, Selection]) -> list[Arm]:
    """All arms of a run, the federated one first."""
    rounds, steps, count = config.rounds, config.training.steps, len(clients)
    assert config.strategy is not None
    called = max(1, round(count * getattr(config.strategy.config, "fraction", 1.0)))
    plain = _without_strategy(overrides)
    arms = [
        Arm(
            "federated",
            "Federated" if count > 1 else "Pretrained",
            "federated",
            overrides,
            rounds * called * steps,
            rounds * called,
            "the global encoder after the last round",
        )
    ]
    if config.evaluation.baselines and count > 1:
        arms.append(
            Arm(
                "centralised",
                "Centralised",
                "centralised",
                (*plain, *_ALONE, f"training.steps={called * steps}"),
                rounds * called * steps,
                rounds,
                "all clients' recordings pooled, as many steps as all clients together",
            )
        )
    seeds = f"mean of {config.evaluation.random_seeds} seeds"
    arms.append(Arm("random", "Untrained network", "random", note=seeds))
    arms += _without_training(config, overrides, arms[0].title)
    if config.evaluation.baselines and 1 < count <= MOST_LOCAL:
        arms += [
            Arm(
                f"local:{name}",
                f"Only {name}",
                "local",
                (*plain, *_ALONE),
                rounds * steps,
                rounds,
                "this site alone, its own steps",
            )
            for name in clients
        ]
    return arms


def _without_strategy(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """The overrides that choose no strategy: another's settings are no settings of FedAvg.

    >>> _without_strategy(("strategy=fedadam", "strategy.tau=0.1", "rounds=3"))
    ('rounds=3',)
    """
    return tuple(w for w in overrides if not w.lstrip("+~").startswith(("strategy=", "strategy.")))


def _without_training(config: Config, overrides: tuple[str, ...], title: str) -> list[Arm]:
    """The rows that train nothing of their own; `title` is that of the global encoder."""
    smile = "no network; openSMILE is free for research only"
    rows = [
        Arm("log_mel", "Log-mel mean and SD", "features", note="no network"),
        Arm("descriptors", "Descriptors", "features", note="no network"),
        Arm(
            "encoder_descriptors",
            f"{title} encoder and descriptors",
            "combined",
            overrides,
            note="side by side, every feature standardised",
        ),
        *(
            Arm(name, f"openSMILE {feature_set}", "features", fits=100, note=smile)
            for name, feature_set in baselines.OPENSMILE.items()
        ),
        Arm(
            "level_length",
            "Loudness and length alone",
            "control",
            note="what a score owes to how loud and how long recordings are",
        ),
    ]
    return [replace(arm, missing=baselines.missing(arm.name, config)) for arm in rows]


def clients_of(arm: Arm, prepared: Prepared) -> dict[str, Selection]:
    """Who trains in an arm."""
    clients = dict(prepared.clients)
    if arm.kind == "centralised":
        return pooled.Pooled(pooled.Config()).clients(clients)
    if arm.kind == "local":
        name = arm.name.removeprefix("local:")
        return {name: clients[name]}
    return clients


def run(
    arm: Arm,
    config: Config,
    prepared: Prepared,
    out: Path,
    on_fit: Callable[[], None],
    observe: Observer = lambda *_: None,
) -> list[ArmScores]:
    """Train an arm where it is trained, and score it; what is done already is read back.

    Returns:
        One result, or one for each seed of the untrained network; none where something is
        missing, and nothing is written then.
    """
    if arm.missing:
        return []
    folder = arm.folder(out)
    done = out / "arms" / f"{arm.name.replace(':', '-')}.json"
    with locked(folder / ".arm.lock", wait=60.0):
        if done.exists():
            return _read_results(done)
        if arm.trained:
            own = load(arm.overrides, PACKAGES)
            assert own.engine is not None
            own.engine.build().federate(
                arm.overrides, clients_of(arm, prepared), folder, observe, lambda _: on_fit()
            )
        results = [
            benchmark.score(prepared.pool, vectors)
            for vectors in _embeddings(arm, config, prepared, out, on_fit)
        ]
        write_json(done, [_to_json(r) for r in results])
    return results


def _embeddings(
    arm: Arm, config: Config, prepared: Prepared, out: Path, on_fit: Callable[[], None]
) -> Iterator[Floats]:
    """An arm's embeddings of the pool, one a seed."""
    selection = prepared.pool.selection
    seconds = config.views.seconds
    if not prepared.pool.tasks:
        return
    if arm.kind == "random":
        for k in range(config.evaluation.random_seeds):
            network = build_encoder(config, config.seed + k)
            yield embedding.embed(network, selection, seconds)
    elif arm.kind in ("features", "control"):
        yield baselines.vectors(arm.name, config, selection, on_fit)
    else:
        # What is combined with other features is the federated encoder.
        folder = out if arm.after_federated else arm.folder(out)
        checkpoint = checkpoints.read(folder, load(arm.overrides, PACKAGES).digest)
        assert checkpoint is not None
        network = encoder_of(config, checkpoint.weights)
        vectors = embedding.embed(network, selection, seconds)
        if arm.after_federated:
            described = baselines.vectors("descriptors", config, selection)
            vectors = np.concatenate([vectors, described], axis=1)
        yield vectors


def build_encoder(config: Config, seed: int, *, warm: bool = False) -> Encoder:
    """The untrained encoder of a seed; `warm` gives the one that the run starts from."""
    return encoders.build(config.encoder, config.front_end.mels, seed, warm=warm)


def encoder_of(config: Config, weights: Mapping[str, Tensor]) -> Encoder:
    """The encoder with a round's weights."""
    encoder = build_encoder(config, config.seed)
    encoders.restore(encoder, weights)
    return encoder


def _to_json(result: ArmScores) -> dict[str, Any]:
    scores = {name: values.tolist() for name, values in result.scores.items()}
    return {**asdict(result), "scores": scores}


def _read_results(path: Path) -> list[ArmScores]:
    return [
        ArmScores(
            scores={n: np.asarray(v) for n, v in r["scores"].items()},
            device=r["device"],
            site=r["site"],
        )
        for r in json.loads(path.read_text())
    ]
