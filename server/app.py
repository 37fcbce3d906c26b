"""The ServerApp: compose the run, then its rounds.

The same app runs behind a SuperLink and in a simulation, which passes an observer that
probes the global encoder.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from torch import Tensor

from fedbreath.config import LIBRARY, Config, load
from fedbreath.errors import ConfigError, UserError
from server.rounds import Observer, federate

#: The groups that the server builds.
PACKAGES = {**LIBRARY, "strategy": "strategies"}


def _silent(number: int, weights: Mapping[str, Tensor]) -> None:
    """Observe nothing."""


def build(observe: Observer = _silent) -> ServerApp:
    """A ServerApp that tells `observe` about every round."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        _run(grid, context, observe)

    return app


def refuse_simulated(config: Config) -> None:
    """Refuse what only a simulation does: train a run to begin with, play hostile clients.

    Raises:
        ConfigError: ``start`` is set, or clients are to be hostile.
    """
    if config.adversary.share > 0:
        raise ConfigError(
            f"adversary.share={config.adversary.share:g}: hostile clients are for the simulation; "
            "leave adversary out of a run on real nodes"
        )
    if config.start is not None:
        raise ConfigError(
            "start is for the simulation, which trains it first. Here name the checkpoint to begin "
            "with: start=null encoder.init=fedbreath:PATH, a path on the server"
        )


def _run(grid: Grid, context: Context, observe: Observer) -> None:
    config = load(str(context.run_config["overrides"]), PACKAGES)
    assert config.strategy is not None
    strategy = config.strategy.build(config.seed)
    federate(grid, strategy, config, run_folder(config), observe)


def run_folder(config: Config) -> Path:
    """Where everything of a run goes: ``resume``, ``out``, or a dated folder under ``runs``."""
    named = config.resume or config.out
    return Path(named) if named else Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}"


class RefusedError(Exception):
    """What a user can put right, as the last word of a run behind a SuperLink.

    Flower logs an exception that leaves the app with its traceback; this one has none to
    show, so the log holds the sentence alone and the run counts as failed.
    """

    __traceback__ = property(lambda _: None, lambda *_: None)


#: The app behind a SuperLink.
app = ServerApp()


@app.main()
def _deployed(grid: Grid, context: Context) -> None:
    try:
        refuse_simulated(load(str(context.run_config["overrides"]), PACKAGES))
        _run(grid, context, _silent)
    except UserError as error:
        raise RefusedError(str(error)) from None
