"""A round's replies: call the clients, guard what comes, ask again where too few can be used.

A round wants `minimum` usable replies (all, where it calls fewer), and never fewer than the
strategy's rule has an answer to. With fewer, those whose reply cannot be used are asked again,
`patience.repeat` times, each wait bounded as the first; replies that can be used are kept. To
ask again costs a site under privacy nothing: it sends the reply that it stored. Under central
privacy nobody is asked twice, since the server would have to reserve the round anew; few
replies, or none, are a sum there like any other. In simulated time nobody is asked twice either:
the round takes what comes in time, and is skipped where that is too little for the rule.
"""

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid

from fedbreath.config import Config
from fedbreath.errors import UserError
from fedbreath.exchange import Exchange
from fedbreath.guidance import STAYS
from fedbreath.report.records import Failure
from server.clock import Clocked
from strategies import Strategy
from strategies.federated import connected
from strategies.guard import Asked, screen
from strategies.replies import Reply, beside, moving, size_of

#: Sites whose names are kept.
_KNOWN = 10_000

log = logging.getLogger("fedbreath.server")


@dataclass(frozen=True)
class Collected:
    """What a round brought.

    Attributes:
        replies: Those that enter it, in the order of node ids.
        failures: What does not, each client and code once.
        repeats: How many times clients were asked again.
        bytes_down: Sent to clients.
    """

    replies: list[Reply]
    failures: tuple[Failure, ...]
    repeats: int
    bytes_down: int


@dataclass
class Collector:
    """What all rounds of a run have in common.

    Attributes:
        strategy: Says whom to call.
        config: The run.
        exchange: What travels, and comes back.
        world: The grid, where it simulates clients that come and go.
        names: Sites by node, as far as they are known.
    """

    strategy: Strategy
    config: Config
    exchange: Exchange
    world: Clocked | None = None
    names: dict[int, str] = field(default_factory=dict)

    def learn(self, replies: Sequence[Reply]) -> None:
        """Keep what sites are called, the newest ones: phones come and do not come again."""
        self.names |= {reply.node: reply.site for reply in replies}
        for node in list(self.names)[:-_KNOWN]:
            del self.names[node]

    def name(self, node: int) -> str:
        """What a node is called; its number where it has never said."""
        known = self.names.get(node)
        if known is None and self.world is not None:
            known = self.world.names.get(node)
        return known or f"node {node}"

    def collect(self, grid: Grid, number: int, sent: ArrayRecord) -> Collected:
        """Call the clients of a round and collect what can be used.

        Args:
            grid: Flower's connection to the clients.
            number: The round.
            sent: The global weights, as they travel.

        Raises:
            UserError: Too few replies can be used, however often the run lets them be asked
                for; the text names every code.
        """
        strategy, patience = self.strategy, self.config.patience
        calls = _Calls(self, number, sent)
        repeats = 0
        while True:
            try:
                messages = strategy.configure_train(number, sent, self._settings(), grid)
            except UserError:
                if not repeats:
                    raise
                break  # too few are left to be asked again; what came of the first time says why
            calls.ask(grid, list(messages))
            need = self._need(len(calls.called))
            if calls.central or self._skipped() or len(calls.usable) >= need:
                return calls.collected(repeats)
            # Who is away in simulated time is so for the whole round.
            if repeats == patience.repeat or self.world is not None:
                break
            repeats += 1
            log.warning(
                "round %d: %d usable reply(ies), %d needed: asking again, %d of %d times",
                *(number, len(calls.usable), need, repeats, patience.repeat),
            )
            with contextlib.suppress(UserError):
                wait_for_clients(grid, strategy, patience.connect)
        raise UserError(_too_few(strategy, number, calls.usable, need, tuple(calls.failures)))

    def _settings(self) -> ConfigRecord:
        stays = sorted(self.exchange.stays)
        return ConfigRecord({STAYS: stays} if stays else {})

    def _need(self, called: int) -> int:
        """Usable replies that a round wants, of so many that were called."""
        least = self.strategy.least
        if self.world is not None:
            return least
        return max(least, min(self.strategy.min_available_nodes, called))

    def _skipped(self) -> bool:
        """Whether too few came through in simulated time."""
        return self.world is not None and self.world.heard < self.strategy.least


class _Calls:
    """What was asked in a round, and what came of it.

    Args:
        run: What it has in common with the others.
        number: The round.
        sent: The global weights, as they travel.
    """

    def __init__(self, run: Collector, number: int, sent: ArrayRecord) -> None:
        self.run, self.number, self.sent = run, number, sent
        self.central = getattr(run.config.privacy.target, "place", "nowhere") == "server"
        self.called: set[int] = set()
        self.usable: list[Reply] = []
        self.failures: dict[Failure, None] = {}
        self.bytes_down = 0
        self._back = moving(sent, run.exchange.stays)
        self._arrived: list[Message] = []
        self._beside: dict[str, ArrayRecord] = {}

    def ask(self, grid: Grid, messages: Sequence[Message]) -> None:
        """Send the messages to those whose reply is not there yet, and screen all replies."""
        kept = {reply.node for reply in self.usable}
        messages = [m for m in messages if m.metadata.dst_node_id not in kept]
        nodes = {m.metadata.dst_node_id for m in messages}
        self.called |= nodes
        if messages:
            self._beside = beside(messages[0].content)
        self.bytes_down += sum(map(size_of, (self.sent, *self._beside.values()))) * len(messages)
        found = list(grid.send_and_receive(messages, timeout=self.run.config.patience.reply))
        self._arrived = [m for m in self._arrived if m.metadata.src_node_id in kept] + found
        asked = Asked(self.number, self.called, self._back, self._beside)
        guard = self.run.config.guard
        self.usable, refused = screen(self._arrived, asked, guard, central=self.central)
        self.run.learn(self.usable)
        codes = [(one.node, one.code) for one in refused]
        silent = nodes - {m.metadata.src_node_id for m in found}
        for node, code in sorted([*codes, *((node, "no reply in time") for node in silent)]):
            self.failures[Failure(self.run.name(node), code)] = None

    def collected(self, repeats: int) -> Collected:
        """The usable replies as they are computed with, and the rest of the story."""
        widened = self.run.exchange.widened
        usable = [replace(reply, arrays=widened(reply.arrays)) for reply in self.usable]
        return Collected(usable, tuple(self.failures), repeats, self.bytes_down)


def _too_few(
    strategy: Strategy, number: int, usable: Sequence[Reply], need: int, failures: Sequence[Failure]
) -> str:
    reasons = ", ".join(f"{f.name}: {f.code}" for f in failures)
    if not usable:
        return f"round {number}: no client's update can be used ({reasons})"
    try:
        strategy.require(number, len(usable))
    except UserError as error:
        return f"{error} ({reasons})"
    return (
        f"round {number}: {len(usable)} usable reply(ies), at least {need} are needed ({reasons}): "
        "put those clients right and resume the run, or lower strategy.minimum"
    )


def wait_for_clients(grid: Grid, strategy: Strategy, seconds: float) -> None:
    """Wait until the strategy's minimum of clients is connected.

    Raises:
        UserError: They are not within `seconds`.
    """
    least = strategy.min_available_nodes
    deadline = time.monotonic() + seconds
    while (found := len(connected(grid))) < least:
        if time.monotonic() > deadline:
            raise UserError(
                f"{found} client(s) connected after {seconds:g} s, at least {least} are needed: "
                "start more nodes, or lower strategy.minimum"
            )
        log.info("waiting for clients: %d of %d connected", found, least)
        time.sleep(1)
