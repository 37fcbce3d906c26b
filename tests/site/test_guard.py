"""The guard: what was not sent is not sent back, and nothing that is not a number leaves."""

import pytest
import torch
from torch import Tensor

from fedbreath.errors import SiteError
from fedbreath.site import guard

SENT = {"encoder.w": torch.zeros(2, 3), "encoder.n": torch.tensor(3)}


def changed(**tensors: Tensor) -> dict[str, Tensor]:
    return {**SENT, **{f"encoder.{name}": tensor for name, tensor in tensors.items()}}


def test_an_update_that_fits_passes() -> None:
    guard.check(changed(w=torch.randn(2, 3), n=torch.tensor(9)), SENT)
    guard.check({}, {})


@pytest.mark.parametrize(
    ("update", "sentence"),
    [
        (changed(secret=torch.zeros(1)), "other tensors than were asked for: encoder.secret"),
        ({"encoder.w": SENT["encoder.w"]}, "other tensors than were asked for: encoder.n"),
        ({}, "other tensors than were asked for"),
        (changed(w=torch.zeros(3, 2)), r"encoder.w is torch.float32 \(3, 2\), expected"),
        (changed(w=torch.zeros(2, 3, 1)), "encoder.w is"),
        (changed(w=torch.zeros(2, 3, dtype=torch.float64)), "encoder.w is torch.float64"),
        (changed(n=torch.tensor(3.0)), "expected torch.int64"),
        (changed(w=torch.tensor([[0, 0, 0], [0, 0, torch.nan]])), "encoder.w .* not finite"),
        (changed(w=torch.full((2, 3), -torch.inf)), "encoder.w .* not finite"),
    ],
)
def test_an_update_that_does_not_fit_is_refused(update: dict[str, Tensor], sentence: str) -> None:
    with pytest.raises(SiteError, match=sentence):
        guard.check(update, SENT)
