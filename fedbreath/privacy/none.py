"""No mechanism: plain gradients of a uniform draw without replacement.

The draw and the views come from the run's seed, so that the run can be repeated bit for
bit. What leaves the site carries no formal guarantee, and the report says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fedbreath.privacy import Guarantee, MakeViews


@dataclass(frozen=True)
class Config:
    """Nothing is asked."""


class NoPrivacy:
    """Plain training."""

    tells_metrics = True

    def __init__(self, config: Config) -> None:
        self.config = config

    def draw(
        self, subjects: Sequence[str | None], batch_size: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Distinct recordings, at most what the site has; shape (B,)."""
        size = min(batch_size, len(subjects))
        return rng.choice(len(subjects), size, replace=False).astype(np.int64)

    def backward(
        self,
        loss: Callable[[Sequence[Tensor]], Tensor],
        model: nn.Module,  # noqa: ARG002 - other mechanisms need it
        make_views: MakeViews,
        drawn: NDArray[np.int64],
    ) -> float:
        """One forward and one backward pass."""
        value = loss(make_views(drawn))
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    def guarantee(self, released: str) -> Guarantee:
        """None."""
        return Guarantee("none", None, None, "nothing", "none", "none", "none", released)
