"""Public starts: the run that another one begins with, trained once and kept.

``start`` holds the overrides of a run on public or simulated sound (`derived.start` says what
it is composed of). Its checkpoint lies in a folder that is called after its digest, among the
caches, so that the arms of a run and later runs with the same start share it; one that was
interrupted is gone on with. A run that begins with it gets its folder as ``encoder.init``.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedbreath.composition import written
from fedbreath.config import Config, load
from fedbreath.errors import ConfigError, UserError
from fedbreath.lock import locked
from server import checkpoints
from simulation import PACKAGES, derived
from simulation.data import Prepared, cache_of, prepare
from simulation.engines import Engine

#: Told recordings read and in all, see `prepare`.
OnRead = Callable[[int, int], None]


@dataclass(frozen=True)
class Start:
    """A start that is, or is to be, trained.

    Attributes:
        config: Its configuration.
        words: What that was composed from.
        folder: Where its checkpoint lies.
    """

    config: Config
    words: tuple[str, ...]
    folder: Path

    @property
    def done(self) -> bool:
        """Whether all of its rounds are.

        Raises:
            UserError: Its checkpoint cannot be read.
        """
        found = checkpoints.read(self.folder, self.config.digest)
        return found is not None and found.number == self.config.rounds


@dataclass(frozen=True)
class Composed:
    """A run, with what it begins with.

    Attributes:
        config: The run; ``encoder.init`` names the start, where there is one.
        words: What it is composed from.
        start: What must be trained before; None without ``start``.
    """

    config: Config
    words: tuple[str, ...]
    start: Start | None = None


def compose(words: Sequence[str]) -> Composed:
    """A run from its overrides; nothing is trained yet.

    Raises:
        ConfigError: As for `load`, or what ``start`` says is no public start.
    """
    given = tuple(words)
    config = load(given, PACKAGES)
    if config.start is None:
        return Composed(config, given)
    if getattr(config.encoder.config, "init", None) is not None:
        raise ConfigError(
            "start and encoder.init both say what the encoder begins with: leave one of them out"
        )
    start = _start(config, config.start)
    begun = (*given, f"encoder.init={written(f'fedbreath:{start.folder}')}")
    return Composed(load(begun, PACKAGES), begun, start)


def _start(config: Config, said: str) -> Start:
    try:
        words = derived.start(config, shlex.split(said))
        own = load(words, PACKAGES)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"start: {error}") from None
    if own.privacy.target.place != "nowhere" or own.start is not None:  # type: ignore[attr-defined]
        raise ConfigError(
            "start: a public start is a plain run (privacy=none, start=null): what it is trained "
            "on is taken for public, and its own privacy would be accounted for nowhere"
        )
    folder = cache_of(config).parent / "starts" / own.digest
    return Start(own, words, folder)


def make(
    start: Start, on_read: OnRead, on_fit: Callable[[], None], engine: Engine | None = None
) -> None:
    """Train a start, or go on with it; one that is done costs nothing.

    Args:
        start: Which.
        on_read: Told of recordings that are read.
        on_fit: Told after each local fit.
        engine: What trains it; None is what its own settings say.

    Raises:
        UserError: As for a run.
    """
    # A start takes minutes, and whoever waits for the same one is better off waiting.
    with locked(start.folder / ".lock", wait=3600.0):
        if start.done:
            return
        assert start.config.engine is not None
        built = engine or start.config.engine.build()
        try:
            prepared = prepare(start.config, built.workers, on_read)
            built.federate(
                start.words, prepared.clients, start.folder, lambda *_: None, lambda _: on_fit()
            )
        except UserError as error:
            raise type(error)(f"start: {error}") from None


def refuse_overlap(start: Start, prepared: Prepared) -> None:
    """Refuse a start that would train on a data set without its test persons left out.

    The split leaves out the same persons in both, where both hold tasks on the data set.

    Raises:
        ConfigError: The run is scored on a data set on which the start holds no task.
    """
    tested = {task.config.dataset for task in start.config.tasks.values()}
    scored = {data.task.config.dataset for data in prepared.pool.tasks}
    trained = {
        recording.dataset
        for site in start.config.data.build().sites()
        if site.pretrain
        for recording in site.recordings
    }
    missing = sorted(scored & trained - tested)
    if missing:
        raise ConfigError(
            f"start: it would train on the test persons of {', '.join(missing)}; give it tasks on "
            "that data set (tasks=all), so that they are left out there too"
        )
