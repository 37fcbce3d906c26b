"""What a client's fit is expected to cost, so that the longest are begun first."""

from collections.abc import Hashable

#: Clients that are remembered: sites come again every round, phones hardly ever.
_KNOWN = 4096


class Costs:
    """A moving average of each client's measured seconds.

    A client that was never measured is expected to take as long per recording as those
    that were. The order in which clients are begun changes how long a round takes, and
    nothing else.

    Args:
        weight: Of the newest measurement, in (0, 1].

    >>> costs = Costs()
    >>> costs.learn("a", 10, 2.0)
    >>> costs.expected("a", 10), costs.expected("b", 5)
    (2.0, 1.0)
    """

    def __init__(self, weight: float = 0.3) -> None:
        self.weight = weight
        self._seconds: dict[Hashable, float] = {}
        self._total = [0.0, 0]

    def expected(self, client: Hashable, recordings: int) -> float:
        """Seconds, or before anything was measured a number of recordings."""
        known = self._seconds.get(client)
        if known is not None:
            return known
        seconds, measured = self._total
        return recordings * (seconds / measured if measured else 1.0)

    def learn(self, client: Hashable, recordings: int, seconds: float) -> None:
        """Take in a measurement."""
        before = self._seconds.pop(client, seconds)
        self._seconds[client] = before + self.weight * (seconds - before)
        if len(self._seconds) > _KNOWN:
            del self._seconds[next(iter(self._seconds))]
        self._total[0] += seconds
        self._total[1] += recordings
