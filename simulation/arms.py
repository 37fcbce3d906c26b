"""What the federation is compared with, and how each arm is trained and scored.

Every trained arm is a federation run by the same engine: centralised training is one
client that has all recordings (``partition=pooled``) and takes as many steps as all clients
together, and each local-only encoder is one site alone with its own steps. So every arm has
checkpoints, resumes, starts from the same weights, and leaves out the same test persons.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
from fedbreath.report.score_records import Kind
from server import checkpoints
from server.rounds import Observer
from simulation import PACKAGES, baselines
from simulation.data import Prepared
from simulation.engines import Engine
from simulation.partitions import pooled


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
        return self.kind in ("federated", "centralised", "local", "variant")

    def folder(self, out: Path) -> Path:
        """Where the arm lies: the federated one in the run's folder itself."""
        return out if self.kind == "federated" else out / "arms" / self.name.replace(":", "-")


def clients_of(arm: Arm, prepared: Prepared) -> Mapping[str, Selection]:
    """Who trains in an arm."""
    clients = prepared.clients
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
    engine: Engine | None = None,
) -> list[ArmScores]:
    """Train an arm where it is trained, and score it; what is done already is read back.

    Args:
        arm: Which.
        config: The run's.
        prepared: What it works on.
        out: The run's folder.
        on_fit: Told after each local fit.
        observe: Told after each round.
        engine: What trains it; None is what the arm's own settings say.

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
            (engine or own.engine.build()).federate(
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
    elif arm.kind == "start":
        network = build_encoder(config, config.seed, warm=True)
        yield embedding.embed(network, selection, seconds)
    elif arm.kind in ("features", "control"):
        yield baselines.vectors(arm.name, config, selection, on_fit)
    else:
        # What is combined with other features is the federated encoder.
        folder = out if arm.after_federated else arm.folder(out)
        own = load(arm.overrides, PACKAGES)
        checkpoint = checkpoints.read(folder, own.digest)
        assert checkpoint is not None
        network = encoder_of(own, checkpoint.weights)
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
