"""FedAdam: the server steps with Adam along the clients' mean change (Reddi et al. 2021).

arXiv 2003.00295, algorithm 2: ``m <- beta1 m + (1 - beta1) Delta``,
``v <- beta2 v + (1 - beta2) Delta^2``, ``w <- w + eta m / (sqrt(v) + tau)``
(`fedbreath.aggregation.optimizers`). Flower's own starts v at 0
where the paper asks for tau^2 at least, corrects a bias that algorithm 2 does not correct
(with the exponent of the round after), and steps batch statistics and integer counters.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from strategies.adaptive import AdaptiveConfig, AdaptiveServer


@dataclass(frozen=True)
class Config(AdaptiveConfig):
    """Whom to call, how much each counts, and the server's step."""


class FedAdam(AdaptiveServer):
    """Adam at the server."""

    rule: ClassVar[Literal["adam", "yogi"]] = "adam"
