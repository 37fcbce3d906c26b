"""The local fit: encoder + objective + a site's recordings + mechanism -> `Update`.

A `Learner` is what a process keeps: one encoder and one objective that are set to the
round's weights and trained in place, client after client, so that a simulation of many
clients allocates one network. What a site keeps between rounds (its projection head and
optimiser state) goes in and comes out as a plain dictionary of tensors.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fedbreath import encoders, exchange, objectives
from fedbreath.config import Component, Config
from fedbreath.encoders import Encoder, warm_start
from fedbreath.errors import ConfigError, PrivacyError, SiteError, UserError
from fedbreath.features import Selection, normalise
from fedbreath.guidance import Course, Guidance
from fedbreath.objectives import Floats, Given, Objective
from fedbreath.optimizer import AdamW
from fedbreath.privacy import Mechanism, Plan, Site
from fedbreath.privacy.sampled import Sampled
from fedbreath.site.records import Reservation

State = dict[str, Tensor]

#: What the names of the groups that a site keeps to itself begin with in its state.
_LOCAL = "local."

#: A round whose strategy asks for nothing.
PLAIN = Guidance()


@dataclass(frozen=True)
class Update:
    """What a local fit produced.

    Attributes:
        state: The weights that leave the site, by name: all that were sent but what stays
            (`exchange`).
        kept: What the site keeps for its next round.
        recordings: Recordings trained on.
        steps: Optimiser steps taken.
        loss: Mean loss over the steps; None where the mechanism does not let it be known.
        norm: Euclidean norm of the change in the weights that leave.
        beside: What leaves beside the weights, where the round's strategy asks for it.
    """

    state: State
    kept: State
    recordings: int
    steps: int
    loss: float | None
    norm: float
    beside: State = field(default_factory=dict)


def device_of(name: str = "auto") -> torch.device:
    """``auto`` is the GPU when there is one, else the CPU.

    Raises:
        ConfigError: A GPU is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device=cuda: PyTorch finds no GPU here; device=auto takes what there is")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class Trained(nn.Module):
    """Encoder and objective as one module: views -> the mean loss over their rows.

    Args:
        encoder: What is shared.
        head: The objective.
        mixed: Whether to compute in bfloat16 where that pays, which is on a GPU.
    """

    def __init__(self, encoder: Encoder, head: Objective, *, mixed: bool) -> None:
        super().__init__()
        self.encoder, self.head, self.mixed = encoder, head, mixed

    @property
    def minimum(self) -> int:
        """Rows that a batch needs at least."""
        return self.head.minimum

    def forward(self, *views: Tensor) -> Tensor:
        """What the objective made -> the mean loss, a scalar."""
        device = views[0].device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.mixed and device == "cuda"):
            loss: Tensor = self.head(self.encoder, views)
        return loss


class Learner:
    """One encoder and objective, trained in place.

    Args:
        config: The run's configuration; its seed gives the initial weights.
        warm: Whether the file that the encoder's ``init`` names is read. Whoever makes the
            first weights reads it; a client is sent weights, and reads no file that a run
            names.
    """

    def __init__(self, config: Config, *, warm: bool = False) -> None:
        self.config = config
        self.device = device_of(config.device)
        self.encoder: Encoder = encoders.build(
            config.encoder, config.front_end.mels, config.seed, warm=warm
        )
        if not self.encoder.parameter_count():
            raise ConfigError(
                f"encoder={config.encoder.name} has no weights to train; reports show it anyway"
            )
        training = config.training
        if training.freeze:
            self.encoder.freeze(training.freeze)
        given = Given(self.encoder, config.front_end, config.views)
        self.objective: Objective = objectives.build(config.objective, given, config.seed + 1)
        if training.head == "start":
            if warm:
                self._take_head()
            self.objective.requires_grad_(False)
        self.mechanism: Mechanism = config.privacy.build(Plan(config.rounds, config.training.steps))
        plain = self.mechanism.place == "nowhere"
        self.model = Trained(self.encoder, self.objective, mixed=plain).to(self.device)
        if isinstance(self.mechanism, Sampled):
            self.mechanism.vet(self.model)
        self._first_head = _copy(self.objective.state_dict(), "head.")
        still = [n for n, _ in self.objective.named_parameters() if training.head == "start"]
        self.exchange = exchange.of(
            self.encoder,
            [f"head.{name}" for name in still],
            training.freeze,
            training.local,
            config.transport.dtype,
        )

    def _take_head(self) -> None:
        """Take the projection head of the run that the encoder starts from.

        Raises:
            UserError: No such run is named, or its head is another.
        """
        found = warm_start.head(getattr(self.config.encoder.config, "init", None))
        state = self.objective.state_dict()
        misfit = sorted(set(found) ^ set(state)) or sorted(
            name for name, tensor in state.items() if found[name].shape != tensor.shape
        )
        if misfit:
            raise UserError(
                f"training.head=start: the head of encoder.init has not the tensors of "
                f"objective={self.config.objective.name} (first {misfit[0]}). It must come from a "
                "run of the same objective with training.head=averaged"
            )
        self.objective.load_state_dict(found)

    def shared_state(self) -> State:
        """Copies of what travels: the encoder with its buffers, and an averaged head."""
        travels = self.config.training.head != "local"
        return {
            name: tensor
            for name, tensor in _copy(self.model.state_dict(), "").items()
            if travels or name.startswith("encoder.")
        }

    def fit(
        self,
        weights: Mapping[str, Tensor],
        kept: Mapping[str, Tensor],
        selection: Selection,
        rng: np.random.Generator,
        number: int,
        reserved: Reservation | None = None,
        population: int | None = None,
        guidance: Guidance = PLAIN,
    ) -> Update:
        """Train from `weights` on the site's recordings.

        Args:
            weights: The round's global weights, as `shared_state` names them.
            kept: What the site kept from its last round; empty at its first.
            selection: The site's training recordings.
            rng: Draws and views of this site and round.
            number: The round, from 1: where on the schedule its steps lie.
            reserved: What the site's ledger has written down for this round, without which
                no mechanism that adds noise at the site starts.
            population: The site's public number of privacy units.
            guidance: What the round's strategy asks of the fit.

        Raises:
            SiteError: Too few recordings for the objective.
            PrivacyError: No reservation, or one of something else.
        """
        require_enough(selection, self.config.objective)
        if isinstance(self.mechanism, Sampled):
            require_reserved(self.mechanism, reserved, number)
        training = self.config.training
        course = Course(guidance, self.exchange.moving(weights), kept)
        self.model.load_state_dict(
            {
                **self._first_head,
                **{k: v for k, v in kept.items() if k.startswith("head.")},
                **weights,
                **course.start,
                **_under(_LOCAL, kept),
            }
        )
        self.model.train()
        self.objective.begin(self.encoder)
        optimizer = AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            training.learning_rate,
            training.weight_decay,
            _under("optimizer.", kept) if training.optimizer_state == "kept" else {},
        )
        site = Site(selection.people, population)
        losses = []
        for step in range(training.steps):
            done = (number - 1 + (step + 0.5) / training.steps) / self.config.rounds
            optimizer.learning_rate = training.rate(done)
            losses.append(self._step(optimizer, course, selection, site, rng))
        shared = self.shared_state()
        state = self.exchange.moving(shared)
        return Update(
            state=state,
            kept=self._keep(optimizer, shared) | course.kept(state),
            recordings=len(selection),
            steps=training.steps,
            loss=mean_of(losses),
            norm=distance(state, weights),
            beside=course.beside(),
        )

    def _step(
        self,
        optimizer: AdamW,
        course: Course,
        selection: Selection,
        site: Site,
        rng: np.random.Generator,
    ) -> float | None:
        optimizer.zero_grad()
        loss = self.mechanism.step(
            self.model,
            site,
            lambda indices, draws: self.views(selection, indices, draws),
            self.config.training.batch_size,
            rng,
        )
        course.correct(self.model.named_parameters())
        optimizer.step()
        self.objective.after_step(self.encoder)
        return loss

    def views(
        self, selection: Selection, drawn: NDArray[np.int64], rng: np.random.Generator
    ) -> Sequence[Tensor]:
        """What the objective makes of new crops of these recordings."""
        front_end, views = self.config.front_end, self.config.views
        frames = front_end.frames(views.seconds)
        rows = front_end.rows if self.objective.tracks else front_end.mels

        def crops() -> Floats:
            return normalise(selection.crops(drawn, frames, rng, rows), front_end)

        made = self.objective.make(crops, views, rng, front_end.sd)
        return [torch.from_numpy(array).to(self.device) for array in made]

    def _keep(self, optimizer: AdamW, shared: State) -> State:
        kept: State = {f"{_LOCAL}{name}": shared[name] for name in sorted(self.exchange.local)}
        if self.config.training.head == "local":
            kept |= _copy(self.objective.state_dict(), "head.")
        if self.config.training.optimizer_state == "kept":
            kept |= {f"optimizer.{name}": tensor for name, tensor in optimizer.state().items()}
        return kept


def require_enough(selection: Selection, objective: Component) -> None:
    """Refuse a site that the objective cannot learn from.

    Raises:
        SiteError: Fewer recordings than the objective compares.
    """
    least = objectives.minimum(objective)
    if len(selection) < least:
        raise SiteError(
            f"{len(selection)} recording(s) to train on, but "
            f"{objective.target.__name__} compares at least {least}"
        )


def require_reserved(mechanism: Sampled, reserved: Reservation | None, number: int) -> None:
    """Refuse to start a private fit that no ledger has written down.

    Raises:
        PrivacyError: No reservation, or one of another round or of less than will be spent.
    """
    if reserved is None:
        raise PrivacyError(
            f"a fit under privacy={mechanism.name} starts only once the site's ledger has "
            "written it down"
        )
    if reserved.release.round != number or reserved.release.event != mechanism.event():
        raise PrivacyError(
            f"the ledger's reservation {reserved.number} is for round {reserved.release.round}, "
            f"{reserved.release.event}; round {number} needs {mechanism.event()}"
        )


def mean_of(losses: Sequence[float | None]) -> float | None:
    """The mean of losses, all of which are known or none."""
    known = [loss for loss in losses if loss is not None]
    return float(np.mean(known)) if known else None


def rng_of(seed: int, *parts: str | int) -> np.random.Generator:
    """The generator of one site and round: the same whoever computes it, and when.

    >>> rng_of(0, "site", 1).random() == rng_of(0, "site", 1).random()
    True
    """
    text = "\x1f".join(map(str, (seed, *parts)))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()))


def distance(state: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Euclidean distance between the floating-point tensors of two states."""
    norms = [
        torch.linalg.vector_norm(tensor - other[name].to(tensor.device), dtype=torch.float64)
        for name, tensor in state.items()
        if tensor.is_floating_point()
    ]
    return float(torch.stack(norms).norm()) if norms else 0.0


def _copy(state: Mapping[str, Tensor], prefix: str) -> State:
    return {f"{prefix}{k}": v.detach().to("cpu", copy=True) for k, v in state.items()}


def _under(prefix: str, kept: Mapping[str, Tensor]) -> State:
    """The entries under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in kept.items() if k.startswith(prefix)}
