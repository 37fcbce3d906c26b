"""The ClientApp: answer a round with an update.

The same app runs on a real node, where the site comes from the data holder's settings,
and in a simulation, which passes its own way of opening a site. A refusal leaves the
site as a code; its sentence stays in the site's log.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Error,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from client.local import LocalSite, open_site
from fedbreath import npy
from fedbreath.config import LIBRARY, Config, load
from fedbreath.errors import UserError
from fedbreath.pretraining import Learner, rng_of
from fedbreath.site import guard

#: Error codes of a refusal and of a defect; Flower reserves the numbers below 1000.
REFUSED = 1000
FAILED = 1001

OpenSite = Callable[[Context, Config], LocalSite]

log = logging.getLogger("fedbreath.client")


def build(open_site: OpenSite, tell_defects: bool = True) -> ClientApp:
    """A ClientApp whose site is opened by `open_site`.

    Args:
        open_site: Opens the site.
        tell_defects: Whether an exception that is no refusal is raised. Flower sends the
            text of what is raised to the server, and the text may name a site's files.
    """
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        try:
            return Message(_train(message, context, open_site), reply_to=message)
        except UserError as error:
            log.warning("round refused: %s", error)
            return Message(Error(REFUSED, type(error).__name__), reply_to=message)
        except Exception as error:
            if tell_defects:
                raise
            log.exception("round failed")
            return Message(Error(FAILED, type(error).__name__), reply_to=message)

    return app


def _train(message: Message, context: Context, open_site: OpenSite) -> RecordDict:
    config = load(str(context.run_config["overrides"]), LIBRARY)
    number = int(message.content.config_records["config"]["server-round"])  # type: ignore[arg-type]
    site = open_site(context, config)
    sent = message.content.array_records["arrays"]
    weights = {name: npy.tensor(array.data) for name, array in sent.items()}
    started = time.perf_counter()
    update = learner(config).fit(
        weights,
        site.state.before(number),
        site.selection,
        rng_of(config.seed, site.name, number),
        number,
    )
    guard.check(update.state, weights)
    site.state.keep(number, update.kept)
    metrics: dict[str, int | float | list[int] | list[float]] = {
        "num-examples": update.recordings,
        "steps": update.steps,
        "seconds": time.perf_counter() - started,
    }
    if learner(config).mechanism.tells_metrics:
        metrics |= {"loss": update.loss, "norm": update.norm}
    return RecordDict(
        {
            "arrays": ArrayRecord({n: _array(t.numpy()) for n, t in update.state.items()}),
            "metrics": MetricRecord(metrics),
            "site": ConfigRecord({"name": site.name}),
        }
    )


def _array(values: NDArray[Any]) -> Array:
    return Array(str(values.dtype), values.shape, "numpy.ndarray", npy.pack(values))


#: This process's one network, under the digest of its run: a simulation of a thousand
#: clients allocates one.
_learners: dict[str, Learner] = {}


def learner(config: Config) -> Learner:
    """This process's network, made anew when the run changes."""
    if config.digest not in _learners:
        _learners.clear()
        _learners[config.digest] = Learner(config)
    return _learners[config.digest]


app = build(open_site, tell_defects=False)
