"""Central client-level privacy: DP-FedAvg (McMahan et al. 2018), noise at the server.

With w the global weights and w_i the reply of client i, d_i = w_i - w,

    mean = ( sum over drawn clients of  d_i min(1, C / |d_i|)  +  N(0, (z C)^2 I) ) / (q N),

D_add = C: a client is everything that its phone holds. The norm is over the whole update;
weights are uniform and the divisor is public. Each of N registered clients is called with
probability q, independently of all others and without topping up; who does not answer
contributes nothing, which is only less. A reply that is not finite contributes nothing. The
server is trusted to clip and to add the noise.

**Adaptive clipping** (Andrew et al. 2021, arXiv 1905.03871), towards the quantile gamma of
the norms. With b_i = 1 where |d_i| <= C, m = q N and noise of deviation s_b = m / 20 on
centred bits, which move by at most 1/2,

    b = 1/2 + (sum (b_i - 1/2) + N(0, s_b^2)) / m,     C <- C exp(-eta (b - gamma)),
    z_update = (z^-2 - (2 s_b)^-2)^(-1/2),

so that both releases together cost what noise z alone would. b is the share *un*clipped:
C shrinks while most updates fit.

**Extrapolation**: c simulated clients stand for c' > c. The rate is c' / N, and noise on the
sum is scaled by c / c', so that the mean carries the noise that the real mean would.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fedbreath.errors import ConfigError
from fedbreath.privacy import Guarantee, MakeViews, Place, Plan, Site
from fedbreath.privacy.accounting import Extrapolation, epsilon
from fedbreath.privacy.chance import Chance
from fedbreath.privacy.none import draw
from fedbreath.privacy.spec import PrivacySpec, refuse_told
from fedbreath.privacy.terms import Event, SensitivityRule, Terms, TrustModel, Unit

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Config(PrivacySpec):
    """What is asked, per client.

    Attributes:
        cohort: Clients that a round is expected to call, c', of `population`.
        simulated: Clients that a simulation calls in their place, c; None calls c'.
        adaptive: Whether C follows the updates' norms.
        quantile: gamma, the share of updates that is to fit.
        adaptation: eta, how fast C follows.
    """

    delta: float = 1e-6
    cohort: int = 200
    simulated: int | None = None
    adaptive: bool = False
    quantile: float = 0.5
    adaptation: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.cohort <= self.least_population:
            raise ValueError(
                f"cohort must lie in 1 to population = {self.least_population}, got {self.cohort}"
            )
        if self.simulated is not None and not 1 <= self.simulated <= self.cohort:
            raise ValueError(
                f"simulated must lie in 1 to cohort = {self.cohort}, got {self.simulated}"
            )
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile must lie between 0 and 1, got {self.quantile}")
        if not self.adaptation > 0:
            raise ValueError(f"adaptation must be > 0, got {self.adaptation}")


class ClientCentral:
    """Clients' whole updates, clipped and noised by the server.

    Attributes:
        clip: C as it is now.
    """

    place: Place = "server"
    trust_model: TrustModel = "central"
    tells_metrics = False
    name = "client_central"
    unit: Unit = "client"
    rule: SensitivityRule = "C"

    def __init__(self, config: Config, plan: Plan) -> None:
        self.spec, self.plan = config, plan
        self.clip = config.clip
        self.chance = Chance()
        simulated = config.cohort if config.simulated is None else config.simulated
        self.cohort = Extrapolation(simulated, config.cohort, config.least_population)

    @staticmethod
    def check(run: Any) -> None:
        """Refuse what cannot be made private.

        Raises:
            ConfigError: The strategy's rule, its draw of clients, or something that is told.
        """
        refuse_told(run, "client_central")
        if getattr(getattr(run.world, "config", None), "over_selection", 1.0) > 1:
            raise ConfigError(
                "world.over_selection cannot go with privacy=client_central: where the first "
                "answers are taken, a client more takes the place of another, and the sum moves by "
                "2 C. Set world.over_selection=1; a deadline is for each client by itself"
            )
        if run.strategy is None:
            return
        why = getattr(run.strategy.target, "central_privacy", "")
        if why:
            raise ConfigError(
                f"strategy={run.strategy.name} cannot go with privacy=client_central: {why}. Sound "
                "are fedavg, fedavgm, fedadam, fedyogi, fedprox and fedema, or noise at the sites "
                "(privacy=patient), after which every rule may follow"
            )
        own = run.strategy.config
        if getattr(own, "fraction", 1.0) != 1.0 or getattr(own, "cohort", None) is not None:
            raise ConfigError(
                "strategy.fraction and strategy.cohort cannot go with privacy=client_central: a "
                "draw of a fixed size gives no amplification. Set privacy.cohort, which draws "
                "each client by itself"
            )

    @cached_property
    def sigma(self) -> float:
        """z: noise per C, of all that a round releases together."""
        terms = self._terms()
        sigma = self.spec.calibrated(terms, self.cohort.rate, 1, self.plan.rounds)
        if self.spec.adaptive and sigma >= 2 * self._bit_noise:
            raise ConfigError(
                f"privacy.adaptive=true needs 2 s_b = cohort/10 = {2 * self._bit_noise:g} above "
                f"the noise multiplier {sigma:.3g}: a larger cohort, or a fixed privacy.clip"
            )
        return sigma

    @property
    def update_sigma(self) -> float:
        """Noise per C on the updates alone."""
        if not self.spec.adaptive:
            return self.sigma
        return float((self.sigma**-2 - (2 * self._bit_noise) ** -2) ** -0.5)

    @property
    def _bit_noise(self) -> float:
        """s_b, of the assumed cohort."""
        return self.cohort.assumed / 20

    def event(self) -> Event:
        """What one round costs: one release."""
        return Event(self.sigma * self.clip, self.clip, self.cohort.rate, 1)

    def clipping_norm(self) -> float:
        """C, as a ledger writes it down."""
        return self.clip

    def budget(self) -> tuple[float, Terms]:
        """Epsilon that the planned rounds and the spare ones may spend."""
        terms = self._terms()
        if self.spec.sigma is None:
            return self.spec.epsilon, terms
        rounds = self.plan.rounds + self.spec.spare_rounds
        return epsilon([self.event()] * rounds, terms).value * (1 + 1e-9), terms

    def step(
        self,
        module: nn.Module,
        site: Site,
        make_views: MakeViews,
        batch_size: int,
        rng: np.random.Generator,  # noqa: ARG002 - it follows from the run's seed
    ) -> None:
        """A client's plain step; its draws are its own."""
        own = self.chance.generator()
        drawn = draw(len(site.people), batch_size, own)
        module(*make_views(drawn, own)).backward()

    def _chance(self, count: int) -> float:
        """The chance of each of `count` clients to be called."""
        if self._stands_for():
            return min(1.0, self.cohort.simulated / max(count, 1))
        return self.cohort.rate

    def expected(self, count: int) -> int:
        """How many of `count` clients a round is expected to call."""
        return round(count * self._chance(count))

    def called(self, nodes: Sequence[int]) -> list[int]:
        """Whom to call of all clients that there are, each drawn independently."""
        rate = self._chance(len(nodes))
        draws = self.chance.generator().random(len(nodes))
        return [node for node, u in zip(nodes, draws, strict=True) if u < rate]

    def total(
        self, weights: Arrays, replies: Sequence[Arrays]
    ) -> tuple[dict[str, NDArray[Any]], int]:
        """The clipped sum before noise, in float64, and how many updates were not clipped.

        Only `mean` and the audit ask for it. Arrays of whole numbers are left out.
        """
        sums = {n: np.zeros(w.shape) for n, w in weights.items() if _floating(w)}
        unclipped = 0
        for reply in replies:
            update = {n: reply[n].astype(np.float64) - weights[n] for n in sums}
            norm = math.sqrt(sum(float(np.vdot(d, d)) for d in update.values()))
            if not math.isfinite(norm):
                continue
            unclipped += norm <= self.clip
            factor = min(1.0, self.clip / norm) if norm else 1.0
            for name, change in update.items():
                sums[name] += factor * change
        return sums, unclipped

    def mean(self, weights: Arrays, replies: Sequence[Arrays]) -> dict[str, NDArray[Any]]:
        """The global weights moved by the noised mean update; C follows where it is adaptive.

        Whole numbers (BatchNorm's counters) stay as the server has them.
        """
        sums, unclipped = self.total(weights, replies)
        noise = self.chance.generator()
        deviation = self.cohort.simulated_noise(self.update_sigma * self.clip)
        moved = dict(weights)
        for name, total in sums.items():
            shaken = total + deviation * noise.standard_normal(total.shape)
            moved[name] = (weights[name] + shaken / self.cohort.simulated).astype(
                weights[name].dtype
            )
        if self.spec.adaptive:
            bits = unclipped - len(replies) / 2
            bits += self.cohort.simulated_noise(self._bit_noise) * noise.standard_normal()
            share = 0.5 + bits / self.cohort.simulated
            self.clip *= math.exp(-self.spec.adaptation * (share - self.spec.quantile))
        return moved

    def guarantee(self, released: str) -> Guarantee:
        """Of all planned rounds."""
        rounds = self.plan.rounds
        bound = epsilon([self.event()] * rounds, self._terms()).assuming(
            f"{rounds} rounds, q = {self.cohort.rate:g}, z = {self.sigma:.4g}"
        )
        if self._stands_for():
            bound = bound.assuming(str(self.cohort))
        return bound.guarantee(self.name, released)

    def _stands_for(self) -> bool:
        return self.cohort.simulated < self.cohort.assumed

    def _terms(self) -> Terms:
        return self.spec.terms(self.unit, self.trust_model, self.spec.least_population)


def _floating(array: NDArray[Any]) -> bool:
    return bool(np.issubdtype(array.dtype, np.floating))
