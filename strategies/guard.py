"""The server's guard over a round's replies: what is refused, and with which code.

`strategies.replies` looks at each reply by itself. Here they are looked at together, in this
order; no rule hangs on the order of arrival, and whoever is left goes into the round.

1. ``was not called``: of a node that the round did not ask.
2. ``reply to another round``: a client echoes the round's number, so that one that was slow
   is not taken for an answer to weights that it never saw.
3. ``repeated reply``: the same bytes once more, as a network that delivers twice sends them;
   the first counts. ``two replies that differ``: none counts, since which of them is meant
   nobody can say.
4. What does not fit what was sent, by the codes of `strategies.replies`.
5. ``site name of another node``: a name is a site's own word, and two nodes may start from
   one site's settings by mistake. The one with the least node id counts.
6. ``absurd norm``: with n_i = ||x_i - w||, the Euclidean norm over all floating-point arrays
   of a client's change,

       n_i > guard.norm * median(n_1 ... n_n)  for n >= 4,    or    n_i > guard.most.

   Clients take the same number of steps from the same weights, so honest norms are of one
   size (docs/robustness.md measures how far they spread); the median is right as long as fewer
   than half are hostile, which with fewer than four replies may be nobody. A median of 0
   bounds nothing: it says that most did not train. The constant bound holds for any number of
   replies, and keeps their sums, and the squares that adaptive servers keep, finite in
   float32: (1e12)^2 times 1e12 clients stays below 3e38.
   Arrays beside the weights (a control variate is a change already) keep to the same rule.

**Central privacy** clips each client to a constant, which must not hang on what others send:
a median would let one client decide whether another counts, and the sensitivity would not be
C any longer. There rule 6 is left out, since the clip bounds what it would refuse, and of
nodes with the same name none counts: then leaving one of them out lets at most one other in.
All other rules look at a node's own messages alone.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Message
from numpy.typing import NDArray

from fedbreath.sections import Guard
from strategies.replies import Reply, read, round_of, values

#: With fewer replies one hostile client moves a median too far.
LEAST = 4

log = logging.getLogger("fedbreath.server")


@dataclass(frozen=True)
class Asked:
    """What a round asked for.

    Attributes:
        number: The round.
        nodes: Those that were called.
        sent: The weights.
        beside: What was sent beside them.
    """

    number: int
    nodes: Collection[int]
    sent: ArrayRecord
    beside: Mapping[str, ArrayRecord]


@dataclass(frozen=True)
class Refused:
    """A message that does not enter the round."""

    node: int
    code: str


def screen(
    messages: Iterable[Message], asked: Asked, rule: Guard, *, central: bool = False
) -> tuple[list[Reply], list[Refused]]:
    """Sort a round's messages into replies that enter it and refusals.

    Args:
        messages: What the grid brought, in any order.
        asked: What they must fit.
        rule: The bounds of a norm.
        central: Whether the replies are clipped and noised by the server.

    Returns:
        Replies in the order of node ids, and a code for each other message.
    """
    refused: list[Refused] = []
    single = _single(messages, asked, refused)
    usable, unfit = read(single, asked.sent, asked.beside)
    refused += [Refused(node, code) for node, code in unfit.items()]
    bad = _same_names(usable, keep_first=not central)
    usable = [reply for reply in usable if reply.node not in bad]
    if not central:
        absurd = _absurd(usable, asked, rule)
        bad |= absurd
        usable = [reply for reply in usable if reply.node not in absurd]
    refused += [Refused(node, code) for node, code in bad.items()]
    return usable, sorted(refused, key=lambda one: (one.node, one.code))


def _single(messages: Iterable[Message], asked: Asked, refused: list[Refused]) -> list[Message]:
    """At most one message of each node that was called, to this round."""
    of: dict[int, list[Message]] = {}
    for message in messages:
        node = message.metadata.src_node_id
        if node not in asked.nodes:
            refused.append(Refused(node, "was not called"))
        elif _of_another(message, asked.number):
            refused.append(Refused(node, "reply to another round"))
        else:
            of.setdefault(node, []).append(message)
    single = []
    for node, found in of.items():
        differ = len(found) > 1 and len({_identity(message) for message in found}) > 1
        if not differ:
            single.append(found[0])
        code = "two replies that differ" if differ else "repeated reply"
        refused += [Refused(node, code)] * (len(found) - (not differ))
    return single


def _of_another(message: Message, number: int) -> bool:
    """Whether it says that it answers another round; one that says nothing is malformed."""
    if message.has_error():
        return False
    try:
        return round_of(message) != number
    except Exception:  # content of others
        return False


def _identity(message: Message) -> str:
    """The same for messages with the same content."""
    if message.has_error():
        return f"{message.error.code}: {message.error.reason}"
    return message.content.object_id


def _same_names(replies: Sequence[Reply], keep_first: bool) -> dict[int, str]:
    count, met = Counter(reply.site for reply in replies), set()
    refused = {}
    for reply in replies:
        first = reply.site not in met
        met.add(reply.site)
        if count[reply.site] > 1 and not (first and keep_first):
            refused[reply.node] = "site name of another node"
    return refused


def _absurd(replies: Sequence[Reply], asked: Asked, rule: Guard) -> dict[int, str]:
    refused = {}
    for part, norms in _norms(replies, asked):
        bound = rule.most
        median = float(np.median(norms)) if norms else 0.0
        if rule.norm is not None and len(norms) >= LEAST and median > 0:
            bound = min(bound, rule.norm * median)
        for reply, norm in zip(replies, norms, strict=True):
            if not norm <= bound:
                log.warning(
                    "round %d: the norm of %s's %s is %.3g, beyond %.3g (median %.3g): refused",
                    *(asked.number, reply.site, part, norm, bound, median),
                )
                refused[reply.node] = "absurd norm"
    return refused


def _norms(replies: Sequence[Reply], asked: Asked) -> Iterator[tuple[str, list[float]]]:
    """Norms of the changes of weights, and of what goes beside them."""
    sent = values(asked.sent)
    yield "change", [_norm(reply.arrays, sent) for reply in replies]
    for name in asked.beside:
        yield name, [_norm(reply.beside[name], {}) for reply in replies]


def _norm(arrays: Mapping[str, NDArray[Any]], sent: Mapping[str, NDArray[Any]]) -> float:
    """Norm of a difference; infinite where float32 cannot hold its square.

    In the arrays' own precision: faster, and a bound of several times a median does not ask
    for more.
    """
    squares = 0.0
    with np.errstate(over="ignore"):
        for name, array in arrays.items():
            if np.issubdtype(array.dtype, np.floating):
                kind = np.result_type(array, np.float32)
                change = np.subtract(array, sent.get(name, 0), dtype=kind).ravel()
                squares += float(np.dot(change, change))
    return float(np.sqrt(squares))
