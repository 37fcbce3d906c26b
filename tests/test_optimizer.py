"""AdamW: torch's own, and a state that goes on exactly where it was left."""

import pytest
import torch
from torch import Tensor, nn

from fedbreath.optimizer import AdamW

TARGET = torch.tensor([[1.0, -2.0, 3.0]])


def linear() -> nn.Linear:
    found = nn.Linear(4, 3)
    with torch.no_grad():
        found.weight.copy_(torch.arange(12.0).reshape(3, 4) / 10)
        found.bias.zero_()
    return found


def backward(model: nn.Module, number: int) -> None:
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(number))
    (model(inputs) - TARGET).square().mean().backward()


def train(model: nn.Module, steps: range, state: dict[str, Tensor]) -> dict[str, Tensor]:
    optimizer = AdamW(list(model.parameters()), 1e-2, 0.1, state)
    for number in steps:
        optimizer.zero_grad()
        backward(model, number)
        optimizer.step()
    return optimizer.state()


def test_the_steps_are_torchs() -> None:
    ours, theirs = linear(), linear()
    train(ours, range(20), {})
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.1)
    for number in range(20):
        optimizer.zero_grad()
        backward(theirs, number)
        optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)


def test_the_first_step_by_hand() -> None:
    """Moments cancel their bias: w (1 - lr decay) - lr g / (|g| + eps)."""
    weight = nn.Parameter(torch.tensor([2.0, -1.0]))
    optimizer = AdamW([weight], 0.1, 0.5, {})
    weight.grad = torch.tensor([4.0, -0.25])
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.tensor([1.9 - 0.1, -0.95 + 0.1]))


@pytest.mark.parametrize("cut", [1, 7])
def test_going_on_from_a_state_changes_nothing(cut: int) -> None:
    whole, parts = linear(), linear()
    train(whole, range(10), {})
    state = train(parts, range(cut), {})
    copies = {name: tensor.clone() for name, tensor in state.items()}
    train(parts, range(cut, 10), state)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(state[name], copies[name]) for name in state)


def test_a_weight_without_a_gradient_is_left_as_it_is() -> None:
    live, still = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = AdamW([still, live], 0.1, 0.1, {})
    live.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(still.detach(), torch.ones(2))
    assert (live < 1).all()
    assert float(optimizer.state()["steps.0"]) == 0
