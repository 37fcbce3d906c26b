"""Several objectives at once: the weighted sum of their losses.

    loss = sum_k w_k loss_k(views of k)

Each part makes its own views, one part after another with the same generator, and has its
own head. The sum decomposes over recordings if and only if every part does, and a batch
needs as many recordings as the most demanding part. Losses have different units: a weight
says how much one counts beside another, and the sum's value says nothing by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from fedbreath import objectives
from fedbreath.config import Component
from fedbreath.encoders import Encoder
from fedbreath.objectives import Crops, Floats, Given, Objective
from fedbreath.views import Views


@dataclass(frozen=True)
class Config:
    """The parts by name, and what each counts.

    Attributes:
        parts: Objectives by a name of the YAML's choice.
        weights: Factor of each part's loss, by the same names.
    """

    parts: Mapping[str, Component]
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("parts must name at least one objective")
        if set(self.parts) != set(self.weights):
            raise ValueError(
                f"weights must name the parts {', '.join(sorted(self.parts))}, "
                f"got {', '.join(sorted(self.weights)) or 'none'}"
            )
        for name, weight in self.weights.items():
            if weight <= 0:
                raise ValueError(f"weights.{name} must be > 0, got {weight}")


class Combined(Objective):
    """A weighted sum of objectives."""

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.weights = [config.weights[name] for name in config.parts]
        parts: dict[str, Objective] = {k: c.build(given) for k, c in config.parts.items()}
        self.parts = list(parts.values())
        self.heads = nn.ModuleDict(parts)
        self.views = sum(part.views for part in self.parts)
        self.tracks, self.mels = any(part.tracks for part in self.parts), given.front_end.mels
        self.decomposable = all(part.decomposable for part in self.parts)
        self.minimum = self.least(config)

    @classmethod
    def coupling(cls, config: Config) -> str:
        """The reason of the first part that has one."""
        return _first({n: p.target.coupling(p.config) for n, p in config.parts.items()})  # type: ignore[attr-defined]

    @classmethod
    def memory(cls, config: Config) -> str:
        """What the first part remembers that remembers anything."""
        return _first({n: p.target.memory(p.config) for n, p in config.parts.items()})  # type: ignore[attr-defined]

    @classmethod
    def separate(cls, config: Config) -> bool:
        """Whether every part's is."""
        return all(p.target.separate(p.config) for p in config.parts.values())  # type: ignore[attr-defined]

    @classmethod
    def least(cls, config: Config) -> int:
        """As many as the most demanding part."""
        return max(objectives.minimum(part) for part in config.parts.values())

    def make(
        self, crops: Crops, views: Views, rng: np.random.Generator, scale: float
    ) -> list[Floats]:
        """What each part makes, one after another."""

        def log_mels() -> Floats:
            return crops()[:, :, : self.mels]

        return [
            array
            for part in self.parts
            for array in part.make(crops if part.tracks else log_mels, views, rng, scale)
        ]

    def begin(self, encoder: Encoder) -> None:
        """Every part begins."""
        for part in self.parts:
            part.begin(encoder)

    def after_step(self, encoder: Encoder) -> None:
        """Every part is told of the step."""
        for part in self.parts:
            part.after_step(encoder)

    def forward(self, encoder: Encoder, views: Sequence[Tensor]) -> Tensor:
        """The parts' arrays, one after another -> the weighted sum, a scalar."""
        rest = iter(views)
        losses = [
            weight * part(encoder, list(islice(rest, part.views)))
            for weight, part in zip(self.weights, self.parts, strict=True)
        ]
        return torch.stack(losses).sum()


def _first(reasons: Mapping[str, str]) -> str:
    """The reason of the first part that has one."""
    return next((f"of its part {name}, {why}" for name, why in reasons.items() if why), "")
