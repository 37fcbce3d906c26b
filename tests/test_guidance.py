"""The client's equations of FedProx, SCAFFOLD and FedEMA, by hand and on two quadratics."""

import pytest
import torch
from torch import Tensor

from fedbreath import guidance
from fedbreath.errors import SiteError
from fedbreath.guidance import Course, Guidance, Mean, State, ema_kept, ema_start


def t(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# -- what a message asks -----------------------------------------------------------------


def test_reads_what_strategies_write() -> None:
    control = {"w": t(1)}
    found = Guidance.read({"server-round": 2, "proximal-mu": 0.5, "ema-tau": 0.7}, control)
    assert (found.proximal, found.ema, found.control) == (0.5, 0.7, control)
    assert Guidance.read({"server-round": 1}) == Guidance()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"proximal-nu": 1.0}, "asks for proximal-nu=1.0, which this version cannot do"),
        ({"proximal-mu": "much"}, "asks for proximal-mu=much"),
        ({"proximal-mu": -1.0}, "asks for proximal-mu=-1.0, which is out of range"),
        ({"proximal-mu": float("nan")}, "out of range"),
        ({"proximal-mu": float("inf")}, "out of range"),
        ({"ema-tau": 1.5}, "asks for ema-tau=1.5, which is out of range"),
    ],
)
def test_an_unknown_wish_is_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(SiteError, match=sentence):
        Guidance.read(settings)


# -- FedProx -----------------------------------------------------------------------------


def test_proximal_is_the_gradient_of_its_term() -> None:
    start, mu = t(1, -2, 3), 0.3
    weight = t(0, 5, 1).requires_grad_()
    (mu / 2 * (weight - start).square().sum()).backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    zero = torch.zeros_like(start)
    torch.testing.assert_close(guidance.proximal(zero, weight.detach(), start, mu), weight.grad)


def test_proximal_fit_ends_between_the_start_and_the_minimum() -> None:
    # min 1/2 (w - 4)^2 + 3/2 w^2 is at w = 1.
    weight = t(0)
    for _ in range(200):
        weight = weight - 0.1 * guidance.proximal(weight - 4, weight, t(0), 3.0)
    torch.testing.assert_close(weight, t(1))


# -- SCAFFOLD ----------------------------------------------------------------------------


def test_the_mean_gradient_is_option_two_of_plain_steps() -> None:
    torch.manual_seed(0)
    a = torch.randn(4, 4, dtype=torch.float64)
    x, own, shared, eta, steps = t(1, 2, 3, 4), t(0, 1, 0, -1), t(2, 0, 1, 0), 0.01, 7
    y, mean = x, Mean()
    for _ in range(steps):
        gradient = a.T @ (a @ y - 1)
        mean.add({"w": gradient})
        y = y - eta * guidance.corrected(gradient, own, shared)
    torch.testing.assert_close(mean.value()["w"], own - shared + (x - y) / (steps * eta))


def test_control_change_by_hand() -> None:
    shared = {"w": t(9), "frozen": t(9)}
    assert guidance.control_change({"w": t(5)}, {"w": t(2)}, shared) == {"w": t(3), "frozen": t(0)}
    assert guidance.control_change({"w": t(5)}, {}, shared) == {"w": t(5), "frozen": t(0)}


def test_a_mean_keeps_no_hold_of_the_gradients() -> None:
    gradient, mean = t(1), Mean()
    mean.add({"w": gradient})
    gradient += 9
    assert mean.value() == {"w": t(1)}
    assert Mean().value() == {}


def minimum_found(*, scaffold: bool) -> float:
    """Where two clients end: F1 = 1/2 (w - 1)^2, F2 = 4/2 (w + 1)^2; the minimum is -0.6."""
    curvature, centre = (1.0, 4.0), (1.0, -1.0)
    x, shared, own = t(0), t(0), [t(0), t(0)]
    for _ in range(200):
        ends, changes = [], []
        for k in range(2):
            y, mean = x, Mean()
            for _ in range(10):
                gradient = curvature[k] * (y - centre[k])
                mean.add({"w": gradient})
                step = guidance.corrected(gradient, own[k], shared) if scaffold else gradient
                y = y - 0.1 * step
            change = guidance.control_change(mean.value(), {"w": own[k]}, {"w": shared})["w"]
            own[k] = own[k] + change
            ends.append(y)
            changes.append(change)
        x = torch.stack(ends).mean(0)
        shared = shared + torch.stack(changes).mean(0)
    return float(x)


def test_scaffold_finds_the_minimum_that_drifting_clients_miss() -> None:
    assert minimum_found(scaffold=True) == pytest.approx(-0.6, abs=1e-6)
    assert abs(minimum_found(scaffold=False) - -0.6) > 0.1


# -- FedEMA ------------------------------------------------------------------------------


def kept(w: Tensor, scale: State) -> State:
    return {**ema_kept({"w": w, "count": torch.tensor(3)}), **scale}


def model(*values: float, count: int = 0) -> State:
    return {"w": t(*values), "count": torch.tensor(count)}


def test_ema_by_hand() -> None:
    # The first round starts from the global weights.
    start, scale = ema_start(model(1, 1, count=8), {}, 0.7)
    assert torch.equal(start["w"], t(1, 1))
    assert scale == {}
    # Apart by 5: lambda = 0.7 / 5, mu = 0.7, so 0.7 * (3, 4).
    start, scale = ema_start(model(0, 0, count=8), kept(t(3, 4), scale), 0.7)
    torch.testing.assert_close(start["w"], t(2.1, 2.8))
    assert start["count"] == 8
    (value,) = scale.values()
    assert float(value) == pytest.approx(0.14)
    # Apart by 2.5: mu = 0.35. Apart by 10: mu = min(1.4, 1).
    start, again = ema_start(model(0, 0), kept(t(1.5, 2), scale), 0.7)
    torch.testing.assert_close(start["w"], 0.35 * t(1.5, 2))
    start, again = ema_start(model(0, 0), kept(t(6, 8), again), 0.7)
    torch.testing.assert_close(start["w"], t(6, 8))
    assert again == scale


def test_a_client_that_agrees_with_the_rest_goes_on_as_it_is() -> None:
    start, scale = ema_start(model(3, 4), kept(t(3, 4), {}), 0.7)
    assert torch.equal(start["w"], t(3, 4))
    assert scale == {}  # there is no distance to measure by yet
    _, scale = ema_start(model(0, 0), kept(t(3, 4), {}), 0.7)
    _, again = ema_start(model(3, 4), kept(t(3, 4), scale), 0.7)
    assert again == scale


def test_divergence_over_a_part_moves_the_whole() -> None:
    weights = {"encoder.w": t(0, 0), "head.w": t(0)}
    last = ema_kept({"encoder.w": t(3, 4), "head.w": t(100)})
    start, scale = ema_start(weights, last, 0.5, "encoder.")
    (value,) = scale.values()
    assert float(value) == pytest.approx(0.1)
    torch.testing.assert_close(start["head.w"], t(50))


def test_what_was_kept_of_another_network_is_not_mixed_in() -> None:
    start, scale = ema_start(model(1, 1), {"ema.v": t(1)}, 0.7)
    assert torch.equal(start["w"], t(1, 1))
    assert scale == {}


def test_types_stay() -> None:
    weights = {"w": torch.zeros(3), "half": torch.zeros(2, dtype=torch.float16)}
    start, _ = ema_start(weights, ema_kept({n: w + 1 for n, w in weights.items()}), 0.7)
    assert {n: w.dtype for n, w in start.items()} == {n: w.dtype for n, w in weights.items()}


# -- the course of a fit -----------------------------------------------------------------


def test_no_guidance_changes_no_gradient_and_keeps_nothing() -> None:
    weight = torch.tensor([1.0], requires_grad=True)
    weight.grad = torch.tensor([3.0])
    course = Course(Guidance(), {"w": torch.zeros(1)}, {})
    course.correct([("w", weight)])
    assert weight.grad.tolist() == [3.0]
    assert (course.kept({"w": weight.detach()}), course.beside()) == ({}, {})


def test_a_course_corrects_by_both_variates_and_keeps_the_mean_of_plain_gradients() -> None:
    """g = 3, then 5; c_i = 1, c = 2: steps along 4 and 6; the new c_i is 4, sent as 4 - 1."""
    weight = torch.tensor([0.0], requires_grad=True)
    shared = {"w": torch.tensor([2.0])}
    kept = {"control.w": torch.tensor([1.0])}
    course = Course(Guidance(control=shared), {"w": torch.zeros(1)}, kept)
    steps = []
    for gradient in (3.0, 5.0):
        weight.grad = torch.tensor([gradient])
        course.correct([("w", weight)])
        steps.append(weight.grad.item())
    assert steps == [4.0, 6.0]
    assert course.kept({})["control.w"].tolist() == [4.0]
    assert course.beside()["w"].tolist() == [3.0]


def test_a_course_is_drawn_back_to_the_weights_that_were_sent_and_not_to_its_start() -> None:
    """mu = .5: from w = 3 with w_t = 1 and g = 1, g + .5 (3 - 1) = 2."""
    weight = torch.tensor([3.0], requires_grad=True)
    weight.grad = torch.tensor([1.0])
    Course(Guidance(proximal=0.5), {"w": torch.tensor([1.0])}, {}).correct([("w", weight)])
    assert weight.grad.tolist() == [2.0]


def test_a_local_head_is_not_guided() -> None:
    head = torch.tensor([3.0], requires_grad=True)
    head.grad = torch.tensor([1.0])
    Course(Guidance(proximal=0.5), {"w": torch.zeros(1)}, {}).correct([("head.w", head)])
    assert head.grad.tolist() == [1.0]
