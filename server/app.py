"""The ServerApp: compose the run, then its rounds.

The same app runs behind a SuperLink and in a simulation, which passes an observer that
probes the global encoder.
"""

import logging
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from torch import Tensor

from fedbreath.config import LIBRARY, Config, load
from fedbreath.errors import UserError
from server.rounds import Observer, federate

#: The groups that the server builds.
PACKAGES = {**LIBRARY, "strategy": "strategies"}


#: Flower forwards its own logger to whoever streams the run.
log = logging.getLogger("flwr")


def _silent(number: int, weights: Mapping[str, Tensor]) -> None:
    """Observe nothing."""


def build(observe: Observer = _silent) -> ServerApp:
    """A ServerApp that tells `observe` about every round."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        _run(grid, context, observe)

    return app


def _run(grid: Grid, context: Context, observe: Observer) -> None:
    config = load(str(context.run_config["overrides"]), PACKAGES)
    assert config.strategy is not None
    strategy = config.strategy.build(config.seed)
    federate(grid, strategy, config, run_folder(config), observe)


def run_folder(config: Config) -> Path:
    """Where everything of a run goes: ``resume``, ``out``, or a dated folder under ``runs``."""
    named = config.resume or config.out
    return Path(named) if named else Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}"


#: The app behind a SuperLink. What a user can put right is one line in its log: Flower
#: would print a traceback for an exception that leaves the app.
app = ServerApp()


@app.main()
def _deployed(grid: Grid, context: Context) -> None:
    try:
        _run(grid, context, _silent)
    except UserError as error:
        log.error("fedbreath: %s", error)
        sys.exit(2)
