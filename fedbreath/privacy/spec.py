"""What is asked of a private run: the values that every mechanism shares, and refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fedbreath.errors import ConfigError, PrivacyError
from fedbreath.privacy.calibration import sigma_for
from fedbreath.privacy.clipping import Method
from fedbreath.privacy.terms import Adjacency, Terms, TrustModel, Unit

#: How a per-unit gradient can be had from a loss that compares recordings with each other.
SOUND = (
    "objectives whose loss decomposes (descriptors, masked, within_recording, public_bank, byol, "
    "simsiam), or privacy=buckets, whose sensitivity allows for the comparison"
)


@dataclass(frozen=True)
class PrivacySpec:
    """What is asked. What was achieved is a `Guarantee`.

    Attributes:
        epsilon: For all planned rounds together, and spare ones.
        delta: Must be < 1 / population.
        clip: C: the greatest norm of what is clipped.
        sigma: Noise per D_add; None is the least that keeps `epsilon`.
        population: Public number of units. It sets the draws or divides the noised sum, and
            bounds delta; it is never read from the data, since their number is theirs.
        spare_rounds: Rounds that may be lost to a crash and done again, calibrated for.
        adjacency: What makes two data sets neighbours.
    """

    epsilon: float = 8.0
    delta: float = 1e-5
    clip: float = 1.0
    sigma: float | None = None
    population: int | str | None = None
    spare_rounds: int = 2
    adjacency: Adjacency = "add/remove"

    def __post_init__(self) -> None:
        for name in ("epsilon", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        if self.sigma is not None and not self.sigma > 0:
            raise ValueError(
                f"sigma must be > 0, got {self.sigma}: without noise nothing is guaranteed "
                "(only `fedbreath audit` looks at sums without noise; it releases nothing)"
            )
        if self.spare_rounds < 0:
            raise ValueError(f"spare_rounds must be >= 0, got {self.spare_rounds}")
        if not isinstance(self.population, int) and (self.population or not self._stated()):
            raise ValueError(
                f"population must be a whole number, got {self.population!r}: it says how many "
                "there publicly are, and is a setting. Read from the data it would tell their "
                "number through q and the normaliser; state a public figure or a lower bound"
            )
        for name, count in self._stated().items():
            if count < 1:
                raise ValueError(f"population must be >= 1, got {count} for {name}")
            if not 0 < self.delta < 1 / count:
                raise ValueError(
                    f"delta must be > 0 and < 1/population = {1 / count:g}, got {self.delta:g}: "
                    "a delta of 1/population allows to publish one person outright"
                )

    def _stated(self) -> dict[str, int]:
        """Public populations by what they are of."""
        return {"all": self.population} if isinstance(self.population, int) else {}

    @property
    def least_population(self) -> int:
        """The smallest that is stated."""
        return min(self._stated().values())

    def terms(self, unit: Unit, trust_model: TrustModel, population: int) -> Terms:
        """What this run's numbers are about."""
        return Terms(unit, self.adjacency, trust_model, self.delta, population)

    def calibrated(self, terms: Terms, rate: float, steps: int, rounds: int) -> float:
        """Noise per D_add: as asked for, or the least that keeps `epsilon`."""
        if self.sigma is not None:
            return self.sigma
        spare = self.spare_rounds
        return sigma_for(
            self.epsilon, terms, rate=rate, steps=steps, rounds=rounds, spare_rounds=spare
        ).sigma


@dataclass(frozen=True)
class SiteSpec(PrivacySpec):
    """What is asked of a mechanism at the site.

    Attributes:
        rate: q: the chance of each unit to be drawn in a step, independently of all others.
        populations: Public populations of sites by name, where they differ.
        multiplicity: Views of each recording whose gradients are averaged before clipping.
        microbatch: Units whose gradients are held at once; it changes memory, not results.
        grad: How per-unit gradients are made (`clipping`).
    """

    rate: float = 0.1
    populations: Mapping[str, int] = field(default_factory=dict)
    multiplicity: int = 1
    microbatch: int = 64
    grad: Method = "ghost"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate must lie in (0, 1], got {self.rate}")
        for name in ("multiplicity", "microbatch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")

    def _stated(self) -> dict[str, int]:
        return {**super()._stated(), **self.populations}

    def population_of(self, site: str) -> int:
        """The public number of units at a site.

        Raises:
            PrivacyError: Nobody stated it.
        """
        found = self.populations.get(site, self.population)
        if not isinstance(found, int):
            raise PrivacyError(
                f"no public population is stated for site {site}: set privacy.populations.{site} "
                "or privacy.population"
            )
        return found


def refuse_told(run: Any, mechanism: str) -> None:
    """Refuse numbers of a client's data in the clear, and weights that are made of them.

    Raises:
        ConfigError: The run asks for some.
    """
    if run.training.told:
        raise ConfigError(
            f"training.told={','.join(run.training.told)} cannot go with privacy={mechanism}: "
            "a number of a client's data in the clear is a release that no noise covers. Leave "
            "training.told=null; watch the released weights instead (signs of collapse, probes)"
        )
    weighting = getattr(run.strategy and run.strategy.config, "weighting", "uniform")
    if weighting == "examples":
        raise ConfigError(
            f"strategy.weighting=examples cannot go with privacy={mechanism}: how many "
            "recordings a client has would be told in the clear, and would weigh one client "
            "more than the bound allows. Use strategy.weighting=uniform"
        )


def refuse_batch_norm(run: Any, mechanism: str) -> None:
    """Refuse an encoder whose BatchNorm is trained: recordings see each other in it.

    Raises:
        ConfigError: It is.
    """
    norm = getattr(run.encoder.config, "norm", None)
    if norm == "batch" and "norm" not in run.training.freeze:
        raise ConfigError(
            f"encoder.norm=batch cannot go with privacy={mechanism}: in training BatchNorm mixes "
            "the recordings of a batch, so that clipping does not bound what one of them does "
            "(measured: up to 86 times the bound). Use encoder.norm=group, or freeze it with "
            "training.freeze=[norm]"
        )


def _without_persons(data: Any) -> list[str]:
    """Names of the data sets to train on that publish no person ids."""
    parts = getattr(data.config, "sites", None)
    if isinstance(parts, Mapping):
        return [name for part in parts.values() for name in _without_persons(part)]
    return [] if getattr(data.config, "persons", True) else [data.name]


def refuse_unknown_persons(run: Any, mechanism: str) -> None:
    """Refuse a data set of which its own adapter says that it publishes no persons.

    Raises:
        ConfigError: It does.
    """
    for name in _without_persons(run.data):
        raise ConfigError(
            f"data={name} cannot go with privacy={mechanism}: it publishes no person ids, so "
            "that nobody can tell whose recordings belong together. Use privacy=recording (a "
            "weaker claim), or another data set"
        )


def refuse_coupling(run: Any, mechanism: str) -> None:
    """Refuse a loss in which one recording's gradient depends on another recording.

    Raises:
        ConfigError: It does.
    """
    objective = run.objective.target
    why = objective.coupling(run.objective.config)
    if why:
        raise ConfigError(
            f"objective={run.objective.name} cannot go with privacy={mechanism}: {why}, so a "
            "recording's gradient depends on others and clipping it does not bound what that "
            f"recording can do (measured: up to 127 times the bound). Sound are {SOUND}"
        )
    if run.privacy.config.grad == "ghost" and not objective.separate(run.objective.config):
        raise ConfigError(
            f"objective={run.objective.name} passes more through the encoder than a recording's "
            "own rows, whose gradients privacy.grad=ghost cannot tell apart: use privacy.grad=vmap"
        )
