"""What a strategy asks of a client's local fit: FedProx, SCAFFOLD, FedEMA; their equations.

A strategy writes its wishes into a round's message by the names below; a client reads them
with `Guidance.read`, which refuses a wish that it does not know: a client that ignored one
would train something else than the run says, and nobody would see it. All corrections act
on the gradient that the mechanism returns and on states that derive from released or
noised weights, so that under differential privacy inside a site they are post-processing.

FedProx (Li et al. 2020, arXiv 1812.06127, eq. 2) minimises ``F(w) + mu/2 ||w - w_t||^2``:
`proximal` adds ``mu (w - w_t)`` to the gradient. (Flower's page on it writes the norm where
its square belongs, whose gradient has a constant length.)

SCAFFOLD (Karimireddy et al. 2020, arXiv 1910.06378, algorithm 1) steps along
``g - c_i + c``: `corrected`. At the end ``c_i_new = c_i - c + (x - y) / (K eta)``, option II.
That is the mean of the K local gradients g when steps are plain gradient steps of one size,
and nothing of the kind under Adam or a schedule; `Mean` takes the mean itself, which is
option II for plain steps and stays a gradient for any optimiser.

FedEMA (Zhuang et al. 2022, arXiv 2204.04385, eqs. 4 to 6) starts a client's fit from
``mu w_k + (1 - mu) w``, with w_k what the client sent last, w the global weights, and
``mu = min(lambda_k ||w - w_k||, 1)``. The autoscaler sets ``lambda_k = tau / ||w - w_k||``
once, so that a client's first mu is tau. Here the client does it, when it is called for
the second time: the server need keep nothing about any client. (The paper's server does it
at the end of a client's first round; that is the same where a client is called in two
rounds running.)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fedbreath.errors import SiteError

State = dict[str, Tensor]

#: Keys of a message's settings, as Flower's own FedProx calls its one.
PROXIMAL = "proximal-mu"
EMA = "ema-tau"

#: Names of the arrays of a message that do not come back (`fedbreath.exchange`).
STAYS = "stays"

#: The arrays beside the weights: SCAFFOLD's c in a message, c_i_new - c_i in a reply.
CONTROL = "control"

#: Under these names a site keeps its part between rounds.
KEPT_CONTROL = "control."
KEPT_EMA = "ema."
_SCALE = "ema_scale"


@dataclass(frozen=True)
class Guidance:
    """What a round's message asks of the local fit; nothing by default.

    Attributes:
        proximal: FedProx's mu; 0 is none.
        ema: FedEMA's tau; 0 is none.
        control: SCAFFOLD's server variate c by name of a parameter; None is none.
        stays: Arrays that are not to be sent back.
    """

    proximal: float = 0.0
    ema: float = 0.0
    control: Mapping[str, Tensor] | None = None
    stays: frozenset[str] = frozenset()

    @classmethod
    def read(
        cls, settings: Mapping[str, object], control: Mapping[str, Tensor] | None = None
    ) -> "Guidance":
        """From a message's settings and its control variate.

        Args:
            settings: By key; ``server-round`` is no wish.
            control: The arrays that the message carries beside the weights.

        Raises:
            SiteError: An unknown wish, or a value out of range.

        >>> Guidance.read({"server-round": 3, "proximal-mu": 0.1})
        Guidance(proximal=0.1, ema=0.0, control=None, stays=frozenset())
        """
        found = {}
        stays = settings.get(STAYS, [])
        if not isinstance(stays, list) or not all(isinstance(name, str) for name in stays):
            raise SiteError(f"the round's {STAYS} must be a list of names")
        for key, value in settings.items():
            if key in ("server-round", STAYS):
                continue
            name = {PROXIMAL: "proximal", EMA: "ema"}.get(key)
            if name is None or not isinstance(value, int | float):
                raise SiteError(f"the round asks for {key}={value}, which this version cannot do")
            if not 0 <= value < float("inf") or (key == EMA and value > 1):
                raise SiteError(f"the round asks for {key}={value}, which is out of range")
            found[name] = float(value)
        return cls(**found, control=control, stays=frozenset(stays))


def proximal(gradient: Tensor, weight: Tensor, start: Tensor, mu: float) -> Tensor:
    """FedProx's gradient: ``g + mu (w - w_t)``, all of one shape.

    >>> proximal(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]), 0.5)
    tensor([2.])
    """
    return gradient + mu * (weight - start)


def corrected(gradient: Tensor, own: Tensor, shared: Tensor) -> Tensor:
    """SCAFFOLD's gradient: ``g - c_i + c``, all of one shape.

    >>> corrected(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    tensor([-1.])
    """
    return gradient - own + shared


@dataclass
class Mean:
    """Mean of the local gradients by name, which is a client's next control variate c_i.

    >>> mean = Mean()
    >>> mean.add({"w": torch.tensor([1.0])})
    >>> mean.add({"w": torch.tensor([4.0])})
    >>> mean.value()["w"]
    tensor([2.5000])
    """

    count: int = 0
    total: State = field(default_factory=dict)

    def add(self, gradients: Mapping[str, Tensor]) -> None:
        """Count a step's gradients, as they were before any correction."""
        for name, gradient in gradients.items():
            if name in self.total:
                self.total[name] += gradient.detach()
            else:
                self.total[name] = gradient.detach().clone()
        self.count += 1

    def value(self) -> State:
        """The mean; empty before any step."""
        return {name: total / self.count for name, total in self.total.items()}


def control_change(
    new: Mapping[str, Tensor], own: Mapping[str, Tensor], shared: Mapping[str, Tensor]
) -> State:
    """What a client sends beside its weights: ``c_i_new - c_i``, as `shared` names it.

    A client's first variate is zero, and a parameter that was given no gradient has a new
    one of zero.
    """
    zero = {name: torch.zeros_like(c) for name, c in shared.items()}
    return {name: new.get(name, zero[name]) - own.get(name, zero[name]) for name in shared}


def ema_start(
    weights: Mapping[str, Tensor], kept: Mapping[str, Tensor], tau: float, names: str = ""
) -> tuple[State, State]:
    """FedEMA's start of a local fit, and what the site must keep of it.

    Args:
        weights: The global weights w.
        kept: What the site kept: its last weights (`ema_kept`) and its scale; empty at
            its first round.
        tau: The autoscaler's target for the first mu, in (0, 1].
        names: The divergence is over floating-point arrays that begin so; the paper's is
            over the encoder, and its mu moves the predictor too.

    Returns:
        The weights to start from (integers are the global ones), and the scale lambda_k
        under its name, or nothing where it has none yet.
    """
    last = {k.removeprefix(KEPT_EMA): v for k, v in kept.items() if k.startswith(KEPT_EMA)}
    if set(last) != {name for name, tensor in weights.items() if tensor.is_floating_point()}:
        return dict(weights), {}
    apart = divergence(weights, last, names)
    if not apart:
        return dict(weights), {_SCALE: kept[_SCALE]} if _SCALE in kept else {}
    scale = kept.get(_SCALE, torch.tensor(tau / apart, dtype=torch.float64))
    mu = min(float(scale) * apart, 1.0)
    start = {
        name: mu * last[name] + (1 - mu) * tensor if name in last else tensor
        for name, tensor in weights.items()
    }
    return start, {_SCALE: scale}


def ema_kept(state: Mapping[str, Tensor]) -> State:
    """A client's weights after its fit, as the site keeps them for `ema_start`."""
    return {f"{KEPT_EMA}{n}": t.clone() for n, t in state.items() if t.is_floating_point()}


def divergence(first: Mapping[str, Tensor], second: Mapping[str, Tensor], names: str = "") -> float:
    """Euclidean distance over the floating-point arrays whose names begin so."""
    squares = [
        (tensor.double() - second[name].double()).square().sum()
        for name, tensor in first.items()
        if name.startswith(names) and tensor.is_floating_point()
    ]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


class Course:
    """One local fit under guidance: its start, its corrections, and what comes of them.

    Args:
        guidance: What the round asks for.
        weights: The global weights that are trained and sent back, by the model's names.
        kept: What the site kept from its last round.
    """

    def __init__(
        self, guidance: Guidance, weights: Mapping[str, Tensor], kept: Mapping[str, Tensor]
    ) -> None:
        self._guidance, self._weights = guidance, weights
        self._own = {
            name.removeprefix(KEPT_CONTROL): tensor
            for name, tensor in kept.items()
            if name.startswith(KEPT_CONTROL)
        }
        self._mean = Mean()
        self.start: State = dict(weights)
        self._scale: State = {}
        if guidance.ema:
            self.start, self._scale = ema_start(weights, kept, guidance.ema, "encoder.")

    def correct(self, parameters: Iterable[tuple[str, Tensor]]) -> None:
        """Change a step's gradients in place, once the mechanism has made them."""
        mu, control = self._guidance.proximal, self._guidance.control
        if not mu and control is None:
            return
        live = {n: p for n, p in parameters if n in self._weights and p.grad is not None}
        gradients = {name: p.grad for name, p in live.items() if p.grad is not None}
        if control is not None:
            self._mean.add(gradients)
        for name, parameter in live.items():
            gradient = gradients[name]
            if mu:
                anchor = self._weights[name].to(gradient.device)
                gradient = proximal(gradient, parameter.detach(), anchor, mu)
            if control is not None:
                shared = control[name].to(gradient)
                own = self._own.get(name, torch.zeros_like(shared)).to(gradient)
                gradient = corrected(gradient, own, shared)
            parameter.grad = gradient

    def beside(self) -> State:
        """What is sent beside the weights: SCAFFOLD's change of the site's variate."""
        if self._guidance.control is None:
            return {}
        return control_change(self._on_cpu(), self._own, self._guidance.control)

    def kept(self, state: Mapping[str, Tensor]) -> State:
        """What the site keeps for its next fit.

        Args:
            state: The weights that it sends.
        """
        found: State = {}
        if self._guidance.control is not None:
            found |= {f"{KEPT_CONTROL}{name}": tensor for name, tensor in self._on_cpu().items()}
        if self._guidance.ema:
            found |= ema_kept(state) | self._scale
        return found

    def _on_cpu(self) -> State:
        return {name: tensor.cpu() for name, tensor in self._mean.value().items()}
