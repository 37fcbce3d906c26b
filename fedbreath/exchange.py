"""What crosses the network in a round, and as which type.

All shared arrays travel to a site. Back comes what the site's fit may have changed and the
server averages; not what *stays*: groups that are frozen (``training.freeze``), a head that
stands still (``training.head=start``), and groups that each site keeps to itself
(``training.local``; FedBN: Li et al., ICLR 2021, arXiv 2102.07623, for normalisation layers).
The round's message names what stays, both ends compare it with the run, and a reply that
holds more or less is refused.

With ``transport.dtype=float16`` single-precision arrays are rounded to half precision by
whoever sends them, and are single precision again before anything is computed: a relative
error of at most 2^-11. A round's weights are what the clients were sent, at the server too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedbreath.encoders import Encoder
from fedbreath.errors import SiteError, UserError

#: The greatest number in half precision; what rounds above it would become infinite.
LARGEST = torch.finfo(torch.float16).max

Dtype = Literal["float32", "float16"]


@dataclass(frozen=True)
class Exchange:
    """What of a run's arrays travels; names are the model's.

    Attributes:
        stays: Arrays that are sent to a site and never come back.
        local: Those of them that each site trains and keeps.
        dtype: The type in which single precision travels.
    """

    stays: frozenset[str] = frozenset()
    local: frozenset[str] = frozenset()
    dtype: Dtype = "float32"

    def moving(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The arrays that come back.

        >>> sorted(Exchange(frozenset("a")).moving({"a": torch.ones(1), "b": torch.ones(1)}))
        ['b']
        """
        return {name: tensor for name, tensor in state.items() if name not in self.stays}

    def narrow(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Arrays as they travel.

        Raises:
            UserError: A number is too large for the type.

        >>> Exchange(dtype="float16").narrow({"w": torch.tensor([0.1])})["w"].item()
        0.0999755859375
        """
        if self.dtype == "float32":
            return dict(state)
        return {name: _half(name, tensor) for name, tensor in state.items()}

    def widen(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Arrays as they are computed with, of those that travelled.

        >>> Exchange(dtype="float16").widen({"w": torch.ones(1).half()})["w"].dtype
        torch.float32
        """
        if self.dtype == "float32":
            return dict(state)
        return {n: t.float() if t.dtype == torch.float16 else t for n, t in state.items()}

    def widened(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """`widen` for arrays of NumPy."""
        if self.dtype == "float32":
            return dict(arrays)
        half = np.float16
        return {n: a.astype(np.float32) if a.dtype == half else a for n, a in arrays.items()}

    def require(self, asked: Collection[str]) -> None:
        """Refuse a round that leaves at the site something else than the run's settings say.

        Raises:
            SiteError: It does.
        """
        odd = sorted(set(asked) ^ self.stays)
        if odd:
            raise SiteError(
                f"the round's message and the run's settings disagree on {len(odd)} array(s) that "
                f"stay at the site (first {odd[0]})"
            )


def of(
    encoder: Encoder,
    head: Collection[str],
    freeze: Collection[str],
    local: Collection[str],
    dtype: Dtype,
) -> Exchange:
    """The exchange of a run.

    Args:
        encoder: Knows the arrays of its groups.
        head: The model's names of the head's parameters that travel and are not trained.
        freeze: Groups of the encoder that stand still.
        local: Groups of the encoder that each site keeps.
        dtype: In which arrays travel.
    """
    frozen, own = (
        frozenset(f"encoder.{name}" for name in encoder.members(groups))
        for groups in (freeze, local)
    )
    return Exchange(frozen | own | frozenset(head), own, dtype)


def _half(name: str, tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    # Not a finite number is told of where arrays are checked, as without rounding.
    lost = half.isinf() & tensor.isfinite()
    if lost.any():
        raise UserError(
            f"{name} holds {tensor[lost][0].item():g}, and the greatest number that "
            f"transport.dtype=float16 carries is {LARGEST:g}: transport.dtype=float32 carries it"
        )
    return half
