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
        config = load(str(context.run_config["overrides"]), PACKAGES)
        assert config.strategy is not None
        strategy = config.strategy.build(config.seed)
        folder = run_folder(config)
        federate(grid, strategy, config, folder, observe)

    return app


def run_folder(config: Config) -> Path:
    """Where everything of a run goes: ``resume``, ``out``, or a dated folder under ``runs``."""
    named = config.resume or config.out
    return Path(named) if named else Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}"


app = build()
