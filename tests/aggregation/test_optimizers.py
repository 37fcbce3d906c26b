"""Server optimisers: hand-sized numbers, PyTorch's SGD, and what they leave alone."""

from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fedbreath.aggregation.optimizers import (
    Adaptive,
    adaptive_step,
    control_step,
    momentum_step,
    scaled_step,
)

State = dict[str, NDArray[Any]]

#: Numbers that can be reckoned by hand.
EASY = Adaptive(learning_rate=0.1, beta1=0.5, beta2=0.75, tau=1.0)


def model(value: float, var: float = 1.0, count: int = 0) -> State:
    return {
        "w": np.array([value], np.float64),
        "var": np.array([var], np.float32),
        "count": np.asarray(count, np.int64),
    }


def test_momentum_by_hand() -> None:
    # m = 2, w = 1 + 0.5 * 2 = 2; then m = 0.5 * 2 + 4 = 5, w = 2 + 0.5 * 5 = 4.5.
    new, m = momentum_step(model(1), model(3), {}, 0.5, 0.5)
    assert (new["w"].tolist(), m["w"].tolist()) == ([2], [2])
    new, m = momentum_step(new, {**new, "w": new["w"] + 4}, m, 0.5, 0.5)
    assert (new["w"].tolist(), m["w"].tolist()) == ([4.5], [5])


def test_momentum_is_that_of_pytorch() -> None:
    rng = np.random.default_rng(0)
    ours: State = {"w": rng.normal(size=20)}
    theirs = torch.tensor(ours["w"].copy(), requires_grad=True)
    optimizer = torch.optim.SGD([theirs], lr=0.3, momentum=0.9)
    m: State = {}
    for _ in range(5):
        delta = rng.normal(size=20)
        ours, m = momentum_step(ours, {"w": ours["w"] + delta}, m, 0.3, 0.9)
        theirs.grad = torch.from_numpy(-delta)
        optimizer.step()
    np.testing.assert_allclose(ours["w"], theirs.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "v2"),
    # Delta 1, then 3; v starts at tau^2 = 1.
    # Adam: v = .75 + .25 = 1, then .75 + 2.25 = 3.
    # Yogi: v = 1 - .25 sign(1 - 1) = 1, then 1 - .25 * 9 * sign(1 - 9) = 3.25.
    [("adam", 3.0), ("yogi", 3.25)],
)
def test_adaptive_by_hand(rule: Literal["adam", "yogi"], v2: float) -> None:
    new, m, v = adaptive_step(rule, model(0), model(1), ({}, {}), EASY)
    # m = .5, so w = .1 * .5 / (1 + 1).
    assert (m["w"].tolist(), v["w"].tolist()) == ([0.5], [1])
    assert new["w"].tolist() == pytest.approx([0.025])
    new, m, v = adaptive_step(rule, new, {**new, "w": new["w"] + 3}, (m, v), EASY)
    assert m["w"].tolist() == pytest.approx([1.75])
    assert v["w"].tolist() == pytest.approx([v2])
    assert new["w"].tolist() == pytest.approx([0.025 + 0.1 * 1.75 / (v2**0.5 + 1)])


def test_yogi_forgets_by_the_step_and_adam_by_the_share() -> None:
    """From v = 100 a small Delta takes a share of v from Adam, a share of Delta^2 from Yogi."""
    large: tuple[State, State] = ({}, {"w": np.array([100.0])})
    _, _, adam = adaptive_step("adam", model(0), model(1), large, EASY)
    _, _, yogi = adaptive_step("yogi", model(0), model(1), large, EASY)
    assert (adam["w"].tolist(), yogi["w"].tolist()) == ([75.25], [99.75])


@pytest.mark.parametrize("rule", ["adam", "yogi"])
def test_nothing_asked_is_nothing_done(rule: Literal["adam", "yogi"]) -> None:
    sent: State = {"w": np.random.default_rng(0).normal(size=100).astype(np.float32)}
    new, _, _ = adaptive_step(rule, sent, sent, ({}, {}), EASY)
    assert new["w"].tobytes() == sent["w"].tobytes()
    new, _ = momentum_step(sent, sent, {}, 1.0, 0.9)
    assert new["w"].tobytes() == sent["w"].tobytes()


def test_buffers_and_counters_are_what_the_clients_say() -> None:
    """With momentum a falling variance would go below zero."""
    m: State = {}
    moments: tuple[State, State] = ({}, {})
    sent = model(0, var=10, count=1)
    for count, var in enumerate((5.0, 1.0, 0.01), start=2):
        said = model(0, var=var, count=count)
        first, m = momentum_step(sent, said, m, 1.0, 0.9, {"var"})
        second, *found = adaptive_step("adam", sent, said, moments, EASY, {"var"})
        third = scaled_step(sent, said, 2.0, {"var"})
        moments = (found[0], found[1])
        for new in (first, second, third):
            assert (new["var"].tolist(), int(new["count"])) == ([np.float32(var)], count)
        sent = said
    assert set(m) == set(moments[0]) == set(moments[1]) == {"w"}


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64")],
)
def test_types(dtype: str, kept: str) -> None:
    sent: State = {"w": np.zeros((2, 3), dtype)}
    said: State = {"w": np.ones((2, 3), dtype)}
    new, m, v = adaptive_step("yogi", sent, said, ({}, {}), EASY)
    assert new["w"].dtype == dtype
    assert m["w"].dtype == v["w"].dtype == kept
    assert new["w"].shape == m["w"].shape == (2, 3)
    stepped, m = momentum_step(sent, said, {}, 1.0, 0.9)
    assert (stepped["w"].dtype.name, m["w"].dtype.name) == (dtype, kept)


def test_a_scalar_stays_one() -> None:
    sent, said = {"w": np.asarray(0.0, np.float32)}, {"w": np.asarray(1.0, np.float32)}
    new, m, v = adaptive_step("adam", sent, said, ({}, {}), EASY)
    for array in (new["w"], m["w"], v["w"], scaled_step(sent, said, 0.5)["w"]):
        assert isinstance(array, np.ndarray)
        assert array.shape == ()


def test_scaled_step() -> None:
    assert scaled_step(model(1), model(3), 0.5)["w"].tolist() == [2]
    said = model(1 / 3)
    assert scaled_step(model(1), said, 1.0)["w"].tobytes() == said["w"].tobytes()


def test_control_step_by_hand() -> None:
    # Two of eight took part: 1 + 2 / 8 * 4 = 2.
    found = control_step({"w": np.ones(1, np.float32)}, {"w": np.full(1, 4, np.float32)}, 2 / 8)
    assert found["w"].tolist() == [2]
    assert found["w"].dtype == np.float32
