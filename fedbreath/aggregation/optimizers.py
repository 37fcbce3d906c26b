"""Server optimisers: the clients' mean change is a gradient that the server steps along.

Reddi et al. 2021 (arXiv 2003.00295, algorithm 2). With x the global weights, Delta the
change that the clients' mean asks for, and all of it coordinate by coordinate:

    FedAvgM  m <- beta m + Delta                               x <- x + eta m
    FedAdam  m <- beta1 m + (1 - beta1) Delta
             v <- beta2 v + (1 - beta2) Delta^2                x <- x + eta m / (sqrt(v) + tau)
    FedYogi  m as FedAdam
             v <- v - (1 - beta2) Delta^2 sign(v - Delta^2)    x as FedAdam

m starts at 0 and v at tau^2, the least value that the paper allows. FedAvgM is that of Hsu,
Qi and Brown 2019 (arXiv 1909.06335, section 4.3).

Buffers and integers are not stepped: they become what the clients' mean says (a running
variance with momentum can turn negative). Moments are kept in float32, or in the weights'
own type where that is wider; steps are computed in float64.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedbreath.aggregation import Arrays, Floats, is_float

Moments = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Adaptive:
    """Settings of FedAdam and FedYogi.

    Attributes:
        learning_rate: eta, the server's step size.
        beta1: Share that the first moment keeps of itself in a round.
        beta2: Share that the second moment keeps.
        tau: Degree of adaptivity: the smaller, the more even the steps of coordinates.
    """

    learning_rate: float
    beta1: float
    beta2: float
    tau: float


def momentum_step(
    weights: Arrays,
    combined: Arrays,
    moments: Mapping[str, NDArray[Any]],
    learning_rate: float,
    momentum: float,
    buffers: Collection[str] = (),
) -> tuple[dict[str, NDArray[Any]], Moments]:
    """FedAvgM: new weights, and the momentum by name.

    Args:
        weights: The global weights x.
        combined: What the clients' weights were combined to: x + Delta.
        moments: The momentum m; empty at the start.
        learning_rate: eta.
        momentum: beta.
        buffers: Names of what is no parameter.

    >>> new, m = momentum_step({"w": np.zeros(1)}, {"w": np.ones(1)}, {"w": np.ones(1)}, 1.0, 0.5)
    >>> new["w"].tolist(), m["w"].tolist()
    ([1.5], [1.5])
    """
    new, kept = dict(combined), Moments()
    for name in parameters(weights, buffers):
        x = weights[name].astype(np.float64)
        m = momentum * _exact(moments, name, 0.0) + (combined[name] - x)
        kept[name] = _kept(m, weights[name])
        new[name] = _typed(x + learning_rate * kept[name], weights[name].dtype)
    return new, kept


def adaptive_step(
    rule: Literal["adam", "yogi"],
    weights: Arrays,
    combined: Arrays,
    moments: tuple[Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]]],
    settings: Adaptive,
    buffers: Collection[str] = (),
) -> tuple[dict[str, NDArray[Any]], Moments, Moments]:
    """FedAdam or FedYogi: new weights, first moments, second moments.

    Args:
        rule: Which.
        weights: The global weights x.
        combined: What the clients' weights were combined to: x + Delta.
        moments: First and second moments; empty at the start.
        settings: Step size and the moments' memory.
        buffers: Names of what is no parameter.
    """
    new, first, second = dict(combined), Moments(), Moments()
    for name in parameters(weights, buffers):
        x = weights[name].astype(np.float64)
        delta = combined[name] - x
        m = settings.beta1 * _exact(moments[0], name, 0.0) + (1 - settings.beta1) * delta
        v = _exact(moments[1], name, settings.tau**2)
        square = np.square(delta)
        if rule == "adam":
            v = settings.beta2 * v + (1 - settings.beta2) * square
        else:
            v = v - (1 - settings.beta2) * square * np.sign(v - square)
        first[name], second[name] = _kept(m, weights[name]), _kept(v, weights[name])
        step = first[name] / (np.sqrt(second[name], dtype=np.float64) + settings.tau)
        new[name] = _typed(x + settings.learning_rate * step, weights[name].dtype)
    return new, first, second


def scaled_step(
    weights: Arrays, combined: Arrays, learning_rate: float, buffers: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """``x + eta Delta``; with eta = 1 the combined weights, bit for bit.

    >>> scaled_step({"w": np.zeros(1)}, {"w": np.ones(1)}, 0.5)["w"].tolist()
    [0.5]
    """
    new = dict(combined)
    if learning_rate != 1.0:
        for name in parameters(weights, buffers):
            x = weights[name].astype(np.float64)
            new[name] = _typed(x + learning_rate * (combined[name] - x), weights[name].dtype)
    return new


def control_step(
    control: Mapping[str, NDArray[Any]], moved: Mapping[str, NDArray[Any]], share: float
) -> dict[str, NDArray[Any]]:
    """SCAFFOLD's server control variate (Karimireddy et al. 2020, algorithm 1, line 17).

    ``c <- c + |S| / N * mean_S (c_i_new - c_i)``, in arXiv 1910.06378.

    Args:
        control: The variate c.
        moved: Mean change of the variates of the clients that took part.
        share: |S| / N: the clients that took part, of all.

    >>> control_step({"w": np.ones(1)}, {"w": np.full(1, 4.0)}, 0.25)["w"].tolist()
    [2.0]
    """
    return {name: _kept(c + share * np.float64(moved[name]), c) for name, c in control.items()}


def parameters(weights: Arrays, buffers: Collection[str] = ()) -> list[str]:
    """Names of the floating-point arrays that are no buffers."""
    return [name for name, array in weights.items() if name not in buffers and is_float(array)]


def _exact(moments: Mapping[str, NDArray[Any]], name: str, start: float) -> Floats:
    """A moment in float64, or where it starts."""
    return np.asarray(moments.get(name, start), np.float64)


def _kept(value: Floats, like: NDArray[Any]) -> NDArray[Any]:
    return _typed(value, np.result_type(like.dtype, np.float32))


def _typed(value: Floats, dtype: np.dtype[Any]) -> NDArray[Any]:
    # NumPy's arithmetic makes a scalar of an array without axes.
    return np.asarray(value).astype(dtype)
