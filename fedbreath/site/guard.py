"""The guard on what leaves a site: names, shapes, types, finite values.

It compares an update with the weights that came in and that the round asks back: what was
not sent, or was sent to stay, is not sent back, and nothing else leaves.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from fedbreath.errors import SiteError


def check(update: Mapping[str, Tensor], reference: Mapping[str, Tensor]) -> None:
    """Refuse an update that does not fit the weights it answers.

    Raises:
        SiteError: Another set of names, another shape or type, or a value not finite.
    """
    if set(update) != set(reference):
        odd = sorted(set(update) ^ set(reference))
        raise SiteError(f"update names other tensors than were asked for: {', '.join(odd[:3])}")
    for name, tensor in update.items():
        expected = reference[name]
        if tensor.shape != expected.shape or tensor.dtype != expected.dtype:
            raise SiteError(
                f"update {name} is {tensor.dtype} {tuple(tensor.shape)}, "
                f"expected {expected.dtype} {tuple(expected.shape)}"
            )
        # NaN passes through minimum and maximum; one pass instead of a mask of the tensor.
        if (
            tensor.is_floating_point()
            and tensor.numel()
            and not all(math.isfinite(extreme) for extreme in torch.aminmax(tensor))
        ):
            raise SiteError(f"update {name} holds values that are not finite")
