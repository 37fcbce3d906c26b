"""Objectives: one file per self-supervised loss, with paper, equation and shapes.

An objective is a module with a ``Config`` dataclass and one subclass of `Objective` that
takes the configuration and what the run has beside it (`Given`). It makes its own views and
owns what is learnt beside the encoder (projection head, predictor, decoder).

Every random number of a view comes from the generator that is passed in; none comes from
torch's global one. No view mixes two recordings: row i of every array is made from recording
i and from draws alone. An objective that is ``decomposable`` is a mean over recordings,

    loss(x_1 ... x_B) = 1/B sum_i loss(x_i),

also of its gradient, so that each recording's share can be computed and clipped alone:
with a batch of one, or with ``torch.func.vmap`` over single recordings. An encoder that
compares the recordings of a batch itself (BatchNorm) takes that away from any objective.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fedbreath.audio import FrontEnd
from fedbreath.config import Component
from fedbreath.encoders import Encoder
from fedbreath.views import Views, augment

Floats = NDArray[np.float32]

#: Draws one new random crop of each recording of the batch, normalised: (B, frames, mels), or
#: (B, frames, mels + tracks) for an objective that takes `Objective.tracks`.
Crops = Callable[[], Floats]


@dataclass(frozen=True)
class Given:
    """What a run has before its objective is built.

    Attributes:
        encoder: The network to be trained; an objective reads its shapes and does not keep it.
        front_end: What made the log-mels.
        views: How crops are cut and changed.
    """

    encoder: Encoder
    front_end: FrontEnd
    views: Views

    @property
    def dim(self) -> int:
        """Length D of the embedding."""
        return self.encoder.dim

    @property
    def frames(self) -> int:
        """Frames of a crop."""
        return self.front_end.frames(self.views.seconds)

    def feature_shape(self) -> tuple[int, int, int]:
        """Channels, mel rows and time columns of the encoder's features of one crop."""
        blank = torch.zeros(1, self.front_end.mels, self.frames)
        with torch.no_grad(), evaluating(self.encoder):
            _, channels, rows, columns = self.encoder.features(blank).shape
        return channels, rows, columns


class Objective(nn.Module):
    """A loss over the views of a batch of recordings.

    Attributes:
        views: Number of arrays that `make` returns and `forward` takes.
        tracks: Whether its crops have the frame tracks beside the log-mels.
        decomposable: True when each recording's loss depends on no other recording.
        COUPLING: Why it is not, as half a sentence; empty where it is.
        MEMORY: What it compares with that is of no recording of the batch and not public (a
            queue of earlier embeddings), as half a sentence; empty where there is nothing.
        SEPARATE: Whether whatever passes through the encoder, with gradient, is rows of the
            batch's own recordings, in order.
        minimum: Recordings that a batch needs at least.
    """

    views: int
    tracks: bool = False
    decomposable: bool
    minimum: int
    COUPLING: ClassVar[str] = ""
    MEMORY: ClassVar[str] = ""
    SEPARATE: ClassVar[bool] = True

    @classmethod
    def coupling(cls, config: Any) -> str:  # noqa: ARG003 - a combination depends on its parts
        """Why the loss does not decompose, without building anything; empty where it does."""
        return cls.COUPLING

    @classmethod
    def memory(cls, config: Any) -> str:  # noqa: ARG003 - as above
        """What `MEMORY` says, without building anything."""
        return cls.MEMORY

    @classmethod
    def separate(cls, config: Any) -> bool:  # noqa: ARG003 - as above
        """What `SEPARATE` says, without building anything."""
        return cls.SEPARATE

    @classmethod
    def least(cls, config: Any) -> int:  # noqa: ARG003 - a combination depends on its parts
        """What `minimum` will be, without building anything."""
        return cls.minimum

    def make(
        self, crops: Crops, views: Views, rng: np.random.Generator, scale: float
    ) -> list[Floats]:
        """The arrays that `forward` takes, each with one row a recording.

        Unless an objective says otherwise: so many random crops, each augmented.

        Args:
            crops: Draws one new random crop of each recording, with the same generator.
            views: How a crop is changed.
            rng: The client's generator of this round.
            scale: Standard deviation by which the log-mels were divided (`augment`).

        Returns:
            `views` arrays; log-mels have the shape (B, mels, frames).
        """
        return [upright(augment(crops(), views, rng, scale=scale)) for _ in range(self.views)]

    def begin(self, encoder: Encoder) -> None:
        """Called at the start of a local fit, when the round's weights have been loaded."""

    def after_step(self, encoder: Encoder) -> None:
        """Called after each step of the optimiser."""

    def forward(
        self,
        encoder: Encoder,  # noqa: ARG002 - the contract
        views: Sequence[Tensor],  # noqa: ARG002
    ) -> Tensor:
        """What `make` made, as tensors -> the mean loss, a scalar."""
        raise TypeError(f"{type(self).__name__} does not say what its loss is")


@contextmanager
def evaluating(encoder: Encoder) -> Iterator[None]:
    """Let what an encoder sees leave no trace in its running statistics."""
    training = encoder.training
    encoder.eval()
    try:
        yield
    finally:
        encoder.train(training)


def upright(crops: Floats) -> Floats:
    """(B, frames, mels) as stores hold it -> (B, mels, frames) as encoders read it."""
    return crops.transpose(0, 2, 1)


def build(component: Component, given: Given, seed: int) -> Objective:
    """An objective with the head that `seed` gives; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        objective: Objective = component.build(given)
    return objective


def minimum(component: Component) -> int:
    """Recordings that a batch of this objective needs at least, without building it."""
    least: int = component.target.least(component.config)  # type: ignore[attr-defined]
    return least
