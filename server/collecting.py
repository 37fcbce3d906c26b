"""A round's replies: call the clients, guard what comes, ask again where too few can be used.

A round wants `minimum` usable replies (all, where it calls fewer), and never fewer than the
strategy's rule has an answer to. With fewer, those whose reply cannot be used are asked again,
`patience.repeat` times, each wait bounded as the first; replies that can be used are kept. To
ask again costs a site under privacy nothing: it sends the reply that it stored. Under central
privacy nobody is asked twice, since the server would have to reserve the round anew; few
replies, or none, are a sum there like any other.
"""

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid

from fedbreath.config import Config
from fedbreath.errors import UserError
from fedbreath.report.records import Failure
from strategies import Strategy
from strategies.guard import Asked, screen
from strategies.replies import Reply, beside, size_of

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


def collect(
    grid: Grid,
    strategy: Strategy,
    config: Config,
    number: int,
    sent: ArrayRecord,
    names: dict[int, str],
) -> Collected:
    """Call the clients of a round and collect what can be used.

    Args:
        grid: Flower's connection to the clients.
        strategy: Whom to call.
        config: The run.
        number: The round.
        sent: The global weights.
        names: Sites by node, as far as they are known; this round's are added.

    Raises:
        UserError: Too few replies can be used, however often the run lets them be asked for;
            the text names every code.
    """
    calls = _Calls(number, sent, config, names)
    repeats = 0
    while True:
        try:
            messages = strategy.configure_train(number, sent, ConfigRecord(), grid)
        except UserError:
            if not repeats:
                raise
            break  # too few are left to be asked again; what came of the first time says why
        calls.ask(grid, list(messages))
        need = max(strategy.least, min(strategy.min_available_nodes, len(calls.called)))
        if calls.central or len(calls.usable) >= need:
            return Collected(calls.usable, tuple(calls.failures), repeats, calls.bytes_down)
        if repeats == config.patience.repeat:
            break
        repeats += 1
        log.warning(
            "round %d: %d usable reply(ies), %d needed: asking again, %d of %d times",
            *(number, len(calls.usable), need, repeats, config.patience.repeat),
        )
        with contextlib.suppress(UserError):
            wait_for_clients(grid, strategy, config.patience.connect)
    raise UserError(_too_few(strategy, number, calls.usable, need, tuple(calls.failures)))


class _Calls:
    """What was asked in a round, and what came of it.

    Args:
        number: The round.
        sent: The global weights.
        config: The run.
        names: Sites by node.
    """

    def __init__(
        self, number: int, sent: ArrayRecord, config: Config, names: dict[int, str]
    ) -> None:
        self.number, self.sent, self.config, self.names = number, sent, config, names
        self.central = getattr(config.privacy.target, "place", "nowhere") == "server"
        self.called: set[int] = set()
        self.usable: list[Reply] = []
        self.failures: dict[Failure, None] = {}
        self.bytes_down = 0
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
        found = list(grid.send_and_receive(messages, timeout=self.config.patience.reply))
        self._arrived = [m for m in self._arrived if m.metadata.src_node_id in kept] + found
        asked = Asked(self.number, self.called, self.sent, self._beside)
        self.usable, refused = screen(self._arrived, asked, self.config.guard, central=self.central)
        self.names |= {reply.node: reply.site for reply in self.usable}
        codes = [(one.node, one.code) for one in refused]
        silent = nodes - {m.metadata.src_node_id for m in found}
        for node, code in sorted([*codes, *((node, "no reply in time") for node in silent)]):
            self.failures[Failure(self.names.get(node, f"node {node}"), code)] = None


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
    while (found := len(list(grid.get_node_ids()))) < least:
        if time.monotonic() > deadline:
            raise UserError(
                f"{found} client(s) connected after {seconds:g} s, at least {least} are needed: "
                "start more nodes, or lower strategy.minimum"
            )
        log.info("waiting for clients: %d of %d connected", found, least)
        time.sleep(1)
