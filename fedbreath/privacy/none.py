"""No mechanism: plain gradients of a uniform draw without replacement.

The draw and the views come from the run's seed, so that the run can be repeated bit for
bit. What leaves the site carries no formal guarantee, and the report says so.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fedbreath.privacy import Guarantee, MakeViews, Place, Plan, Site


@dataclass(frozen=True)
class Config:
    """Nothing is asked."""


def draw(count: int, batch_size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of distinct recordings, at most `count`; shape (B,)."""
    return rng.choice(count, min(batch_size, count), replace=False).astype(np.int64)


class NoPrivacy:
    """Plain training."""

    place: Place = "nowhere"
    tells_metrics = True

    def __init__(self, config: Config, plan: Plan) -> None:  # noqa: ARG002 - as all others
        self.config = config

    def step(
        self,
        module: nn.Module,
        site: Site,
        make_views: MakeViews,
        batch_size: int,
        rng: np.random.Generator,
    ) -> float:
        """One forward and one backward pass over distinct recordings, at most what there are."""
        drawn = draw(len(site.people), batch_size, rng)
        value = module(*make_views(drawn, rng))
        value.backward()
        return float(value.detach())

    def guarantee(self, released: str) -> Guarantee:
        """None."""
        return Guarantee("none", None, None, "nothing", "none", "none", "none", released)
