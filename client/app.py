"""The ClientApp: answer a round with an update.

The same app runs on a real node, where the site comes from the data holder's settings,
and in a simulation, which passes its own way of opening a site. A refusal leaves the
site as a code; its sentence stays in the site's log.
"""

import logging
import time
from collections.abc import Callable, Mapping
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
from fedbreath.errors import PrivacyError, UserError
from fedbreath.pretraining import Learner, State, require_enough, rng_of
from fedbreath.privacy import Mechanism
from fedbreath.privacy.sampled import Sampled
from fedbreath.site import guard
from fedbreath.site.records import planned

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
    # Before the site is opened: what cannot be made private is refused before data are touched.
    mechanism = learner(config).mechanism
    site = open_site(context, config)
    require_promise(mechanism, site)
    sent = message.content.array_records["arrays"]
    weights = {name: npy.tensor(array.data) for name, array in sent.items()}
    started = time.perf_counter()
    if isinstance(mechanism, Sampled):
        state, known = _private(config, site, weights, number), dict[str, float]()
    else:
        state, known = _plain(config, site, weights, number)
    known["seconds"] = time.perf_counter() - started
    return RecordDict(
        {
            "arrays": ArrayRecord({n: _array(t.numpy()) for n, t in state.items()}),
            "metrics": MetricRecord(told(config, mechanism, known)),
            "site": ConfigRecord({"name": site.name}),
        }
    )


def _plain(
    config: Config, site: LocalSite, weights: State, number: int
) -> tuple[State, dict[str, float]]:
    """A fit whose noise, if any, is not the site's to add."""
    update = learner(config).fit(
        weights,
        site.state.before(number),
        site.selection,
        rng_of(config.seed, site.name, number),
        number,
    )
    guard.check(update.state, weights)
    site.state.keep(number, update.kept)
    known = {"num-examples": update.recordings, "norm": update.norm}
    return update.state, known | ({} if update.loss is None else {"loss": update.loss})


def _private(config: Config, site: LocalSite, weights: State, number: int) -> State:
    """A fit that spends the site's budget: reserve, fit, store, commit, in this order."""
    privacy, learn = site.privacy, learner(config)
    assert privacy is not None
    assert isinstance(learn.mechanism, Sampled)
    stored = privacy.replies.stored(number, weights)
    if stored is not None:
        return stored
    require_enough(site.selection, config.objective)
    release = planned(learn.mechanism, privacy.run, number, config.digest)
    reserved = privacy.ledger.reserve(release)
    update = learn.fit(
        weights,
        site.state.before(number),
        site.selection,
        rng_of(config.seed, site.name, number),
        number,
        reserved,
        privacy.population,
    )
    guard.check(update.state, weights)
    site.state.keep(number, update.kept)
    privacy.replies.commit(reserved, weights, update.state)
    return update.state


def require_promise(mechanism: Mechanism, site: LocalSite) -> None:
    """Refuse a run that promises less than the site asks for, or more than it has a budget for.

    Raises:
        PrivacyError: It does.
    """
    if mechanism.place == "site" and site.privacy is None:
        raise PrivacyError(
            f"site {site.name} has no privacy budget: nothing that a run may spend is stated "
            "under privacy in the site's settings"
        )
    if mechanism.place != "site" and site.privacy is not None:
        raise PrivacyError(
            f"site {site.name} asks for privacy at the site (see its settings), and this run "
            "adds no noise there"
        )


def told(config: Config, mechanism: Mechanism, known: Mapping[str, float]) -> dict[str, Any]:
    """The numbers that leave beside the weights: what the run asks for, or the mechanism lets.

    Steps are the run's own setting; all others are of the site's data.
    """
    asked: tuple[str, ...] = ()
    if config.training.told is not None:
        asked = config.training.told
    elif mechanism.tells_metrics:
        asked = ("loss", "norm", "recordings", "seconds")
    names = ["num-examples" if name == "recordings" else name for name in asked]
    chosen: dict[str, Any] = {name: known[name] for name in names if name in known}
    return {"steps": config.training.steps, **chosen}


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
