"""The ClientApp: answer a round with an update.

The same app runs on a real node, where the site comes from the data holder's settings,
and in a simulation, which passes its own way of opening a site. A refusal leaves the
site as a code; its sentence stays in the site's log.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from fedbreath.guidance import CONTROL, Guidance
from fedbreath.pretraining import Learner, State, Update, require_enough, rng_of
from fedbreath.privacy import Mechanism
from fedbreath.privacy.sampled import Sampled
from fedbreath.site import guard
from fedbreath.site.records import planned

#: Error codes of a refusal and of a defect; Flower reserves the numbers below 1000.
REFUSED = 1000
FAILED = 1001

#: What the names of arrays that go beside the weights begin with in a stored reply.
_BESIDE = "beside."

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


@dataclass(frozen=True)
class Answer:
    """What a round leaves to be sent.

    Attributes:
        state: Weights.
        beside: Arrays beside them, where the strategy asks for some.
        known: Numbers of the fit by name, of which `told` chooses.
    """

    state: State
    beside: State
    known: Mapping[str, float] = field(default_factory=dict)


def _train(message: Message, context: Context, open_site: OpenSite) -> RecordDict:
    config = load(str(context.run_config["overrides"]), LIBRARY)
    settings = message.content.config_records["config"]
    number = int(settings["server-round"])  # type: ignore[arg-type]
    records = message.content.array_records
    control = _tensors(records[CONTROL]) if CONTROL in records else None
    guidance = Guidance.read(dict(settings), control)
    # Before the site is opened: what cannot be made private is refused before data are touched.
    exchange, mechanism = learner(config).exchange, learner(config).mechanism
    exchange.require(guidance.stays)
    site = open_site(context, config)
    require_promise(mechanism, site)
    weights = exchange.widen(_tensors(records["arrays"]))
    started = time.perf_counter()
    if isinstance(mechanism, Sampled):
        answer = _private(config, site, weights, number, guidance)
    else:
        answer = _plain(config, site, weights, number, guidance)
    known = {**answer.known, "seconds": time.perf_counter() - started}
    reply = RecordDict(
        {
            "arrays": _record(exchange.narrow(answer.state)),
            "metrics": MetricRecord(told(config, mechanism, known)),
            # The round is the run's own number: a server tells late replies by it.
            "site": ConfigRecord({"name": site.name, "round": number}),
        }
    )
    if control is not None:
        reply[CONTROL] = _record(answer.beside)
    return reply


def _plain(
    config: Config, site: LocalSite, weights: State, number: int, guidance: Guidance
) -> Answer:
    """A fit whose noise, if any, is not the site's to add."""
    update = learner(config).fit(
        weights,
        site.state.before(number),
        site.selection,
        rng_of(config.seed, site.name, number),
        number,
        guidance=guidance,
    )
    _guard(update, weights, guidance)
    site.state.keep(number, update.kept)
    known: dict[str, float] = {"num-examples": update.recordings, "norm": update.norm}
    if update.loss is not None:
        known["loss"] = update.loss
    return Answer(update.state, update.beside, known)


def _private(
    config: Config, site: LocalSite, weights: State, number: int, guidance: Guidance
) -> Answer:
    """A fit that spends the site's budget: reserve, fit, store, commit, in this order."""
    privacy, learn = site.privacy, learner(config)
    assert privacy is not None
    assert isinstance(learn.mechanism, Sampled)
    stored = privacy.replies.stored(number, weights)
    if stored is not None:
        return _parted(stored)
    require_enough(site.selection, config.objective)
    learn.mechanism.members(site.selection.people)  # refused before anything is spent
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
        guidance,
    )
    _guard(update, weights, guidance)
    site.state.keep(number, update.kept)
    whole = update.state | {f"{_BESIDE}{name}": t for name, t in update.beside.items()}
    privacy.replies.commit(reserved, weights, whole)
    return Answer(update.state, update.beside)


def _parted(stored: State) -> Answer:
    """A stored reply's weights, and what went beside them."""
    beside = {n.removeprefix(_BESIDE): t for n, t in stored.items() if n.startswith(_BESIDE)}
    return Answer({n: t for n, t in stored.items() if not n.startswith(_BESIDE)}, beside)


def _guard(update: Update, weights: State, guidance: Guidance) -> None:
    """Check all that is about to leave against what came in.

    Raises:
        SiteError: It does not fit.
    """
    guard.check(update.state, {n: t for n, t in weights.items() if n not in guidance.stays})
    guard.check(update.beside, guidance.control or {})


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


def _tensors(record: ArrayRecord) -> State:
    return {name: npy.tensor(array.data) for name, array in record.items()}


def _record(tensors: State) -> ArrayRecord:
    return ArrayRecord({name: _array(tensor.numpy()) for name, tensor in tensors.items()})


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
