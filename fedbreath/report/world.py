"""What a real federation would have needed, where clients come and go in simulated time."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from fedbreath.report.records import RoundRecord, SimulatedRound
from fedbreath.report.wording import data_size, duration

#: What the rounds call a client whose update entered.
_TOOK = "took part"


@dataclass(frozen=True)
class Caller:
    """A client over all rounds, in words.

    Attributes:
        name: The client's name.
        called: Rounds in which it was called.
        took: Rounds in which its answer was taken.
        down: What was sent to it.
        up: What it sent, late answers included.
    """

    name: str
    called: int
    took: int
    down: str
    up: str


@dataclass(frozen=True)
class World:
    """The page's words on simulated time.

    Attributes:
        sentences: Wall time, waiting, what became of those who were called, bytes.
        rounds: A row a round: number, start, wait, length, there, called, took part.
        callers: A row a client, the most bytes first.
    """

    sentences: tuple[str, ...]
    rounds: tuple[tuple[str, ...], ...]
    callers: tuple[Caller, ...]


@dataclass
class _Count:
    called: int = 0
    took: int = 0
    down: int = 0
    up: int = 0


@dataclass
class _Sums:
    outcomes: Counter[str] = field(default_factory=Counter)
    clients: dict[str, _Count] = field(default_factory=dict)


def world(rounds: Sequence[RoundRecord]) -> World | None:
    """What the rounds tell of simulated time; None where they were in none."""
    told = [(one.number, one.simulated) for one in rounds if one.simulated is not None]
    if not told:
        return None
    sums = _summed([simulated for _, simulated in told])
    callers = sorted(sums.clients.items(), key=lambda pair: (-pair[1].down - pair[1].up, pair[0]))
    return World(
        sentences=_sentences([simulated for _, simulated in told], sums),
        rounds=tuple(_row(number, simulated) for number, simulated in told),
        callers=tuple(
            Caller(name, c.called, c.took, data_size(c.down), data_size(c.up))
            for name, c in callers
        ),
    )


def _summed(told: Sequence[SimulatedRound]) -> _Sums:
    sums = _Sums()
    for one in told:
        for client in one.clients:
            sums.outcomes[client.outcome] += 1
            own = sums.clients.setdefault(client.name, _Count())
            own.called += 1
            own.took += client.outcome == _TOOK
            own.down += client.bytes_down
            own.up += client.bytes_up
    return sums


def _sentences(told: Sequence[SimulatedRound], sums: _Sums) -> tuple[str, ...]:
    waited = sum(one.called - one.started for one in told)
    lengths = [one.finished - one.called for one in told if one.clients]
    skipped = sum(not any(c.outcome == _TOOK for c in one.clients) for one in told)
    first = (
        f"A real federation would have needed {duration(told[-1].finished)}, of which it would "
        f"have waited {duration(waited)} for clients to be there."
    )
    parts = [first]
    if lengths:
        parts.append(
            f"A round took {duration(statistics.median(lengths))} from the call "
            f"(median; the longest {duration(max(lengths))})."
        )
    if skipped:
        parts.append(f"In {skipped} of {len(told)} rounds nobody's answer was taken.")
    if sums.outcomes:
        what = ", ".join(f"{n:,} {outcome}" for outcome, n in sums.outcomes.most_common())
        parts.append(f"Of {sum(sums.outcomes.values()):,} calls: {what}.")
        down = data_size(sum(c.down for c in sums.clients.values()))
        up = data_size(sum(c.up for c in sums.clients.values()))
        parts.append(f"{down} went to the clients and {up} came from them.")
    return tuple(parts)


def _row(number: int, one: SimulatedRound) -> tuple[str, ...]:
    took = sum(client.outcome == _TOOK for client in one.clients)
    return (
        str(number),
        duration(one.started),
        duration(one.called - one.started),
        duration(one.finished - one.called),
        f"{one.there:,}",
        f"{len(one.clients):,}",
        f"{took:,}",
    )
