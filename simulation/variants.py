"""Arms that the configuration names: the same clients, trained with other settings.

``evaluation.compare`` maps a title to overrides on top of the run's own (`derived.variant`).
A variant may change how the encoder is trained, not what it is trained or scored on: only
then are its scores paired with the run's, over the same persons.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from fedbreath.config import Config
from fedbreath.errors import ConfigError, UserError
from fedbreath.features import Selection
from fedbreath.pretraining import Learner
from fedbreath.privacy import Plan
from fedbreath.privacy.sampled import Sampled
from simulation import derived, starts
from simulation.starts import Composed

#: What all arms share; ``views.seconds`` besides, the window that is scored.
_SHARED = ("data", "partition", "split", "tasks", "front_end", "evaluation")


@dataclass(frozen=True)
class Variant:
    """An arm that the configuration names.

    Attributes:
        title: As it is called there.
        run: What it trains.
    """

    title: str
    run: Composed

    @property
    def name(self) -> str:
        """For files; unique among the arms."""
        return f"variant:{re.sub(r'[^a-z0-9]+', '-', self.title.lower()).strip('-')}"


def of(config: Config, words: tuple[str, ...]) -> list[Variant]:
    """The variants of a run, each checked.

    Args:
        config: The run.
        words: What it was composed from, as its user gave them.

    Raises:
        ConfigError: One that cannot be composed, changes what is shared, or is called as
            another; the text names it.
    """
    found: list[Variant] = []
    for title, said in config.evaluation.compare.items():
        if said is None:
            continue
        try:
            own = starts.compose(derived.variant(words, shlex.split(said)))
            _refuse_other_data(config, own.config)
            Learner(own.config)
        except (UserError, ValueError) as error:
            raise ConfigError(f"evaluation.compare, {title}: {error}") from None
        one = Variant(title, own)
        if one.name in {other.name for other in found} or one.name == "variant:":
            raise ConfigError(
                f"evaluation.compare, {title}: titles must differ in their letters and digits"
            )
        found.append(one)
    return found


def _refuse_other_data(config: Config, own: Config) -> None:
    for name in _SHARED:
        if own.tree[name] != config.tree[name]:
            raise ConfigError(
                f"it changes {name}, but all arms train the same clients and are scored on the "
                "same persons; that is a run of its own"
            )
    if own.views.seconds != config.views.seconds:
        raise ConfigError("it changes views.seconds, the window that all arms are scored by")


def refuse_unstated(title: str, config: Config, clients: Mapping[str, Selection]) -> None:
    """Refuse a private arm for whose clients no public population is stated.

    Raises:
        ConfigError: There is one; the text names the arm.
    """
    mechanism = config.privacy.build(Plan(config.rounds, config.training.steps))
    if not isinstance(mechanism, Sampled):
        return
    for name in clients:
        try:
            mechanism.spec.population_of(name)
        except UserError as error:
            raise ConfigError(f"{title}: {error}") from None
