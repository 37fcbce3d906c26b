"""Where a private run's randomness comes from: the operating system, and nowhere else.

Noise, draws of units, buckets and views must not follow from anything that another party
knows. The run's seed is known to the coordinator; torch's generators keep 32 bits of theirs.
So each use gets a Philox generator (Salmon et al. 2011) with a fresh key of 128 bits from
``os.urandom``, which is never logged, stored or sent.

What belongs to a unit (its views, its bucket) is keyed by the unit's name under a key of the
step, never by its place in the batch: another unit that leaves moves nobody else's view.

Gaussian noise in floating point has gaps that an adversary with the exact released bits could
use (Mironov 2012); that is a stated limit.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: So many bytes, which nobody can guess.
Entropy = Callable[[int], bytes]


def generator(key: bytes) -> np.random.Generator:
    """A Philox generator with a key of 128 bits."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "little")))


@dataclass(frozen=True)
class StepKeys:
    """The keys of one step.

    Attributes:
        units: What each unit's own generator is derived from.
    """

    units: bytes

    def of(self, unit: str, purpose: str) -> np.random.Generator:
        """A unit's own generator for a purpose: the same whoever else takes part."""
        words = f"{purpose}\x1f{unit}".encode()
        return generator(hashlib.blake2b(words, key=self.units, digest_size=16).digest())


class Rows(np.random.Generator):
    """A generator whose draws have a row for each row of a batch, from its unit's own generator.

    So views of a whole batch are made at once, and each unit's are the same whoever else is in
    the batch. Only the draws that views use are there, and only with a row for every row.

    Args:
        generators: One a unit.
        rows: Rows of each unit, one after another.

    >>> one, two = (np.random.default_rng(n) for n in (1, 2))
    >>> alone = np.random.default_rng(2).random((3, 5))
    >>> bool((Rows([one, two], 3).random((6, 5))[3:] == alone).all())
    True
    """

    def __init__(self, generators: Sequence[np.random.Generator], rows: int) -> None:
        # Nothing is drawn from it.
        super().__init__(np.random.Philox(key=0))
        self._generators, self._rows = list(generators), rows

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """As `numpy.random.Generator.random`."""
        return self._drawn("random", size, out, dtype=dtype)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """As `numpy.random.Generator.standard_normal`."""
        return self._drawn("standard_normal", size, out, dtype=dtype)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """As `numpy.random.Generator.uniform`, with numbers as bounds."""
        return self._drawn("uniform", size, None, low=low, high=high)

    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> Any:
        """As `numpy.random.Generator.integers`; bounds may have a value for each row."""
        if high is None:
            low, high = 0, low
        count = len(self._generators) * self._rows
        lows, highs = np.broadcast_to(low, (count,)), np.broadcast_to(high, (count,))
        shape = (count,) if size is None else np.empty(size, bool).shape
        if shape[:1] != (count,) or len(shape) > 1:
            raise ValueError(f"{count} rows, but integers of shape {shape} are asked for")
        parts = [
            g.integers(lows[rows], highs[rows], dtype=dtype, endpoint=endpoint)
            for g, rows in self._parts()
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype)

    def _drawn(self, method: str, size: Any, out: Any, **settings: Any) -> Any:
        count = len(self._generators) * self._rows
        shape = np.empty(size, bool).shape if size is not None else ()
        if shape[:1] != (count,) or out is not None:
            raise ValueError(f"{count} rows, but draws of shape {shape} are asked for")
        each = (self._rows, *shape[1:])
        parts = [getattr(g, method)(size=each, **settings) for g in self._generators]
        return np.concatenate(parts) if parts else np.empty(shape)

    def _parts(self) -> Iterator[tuple[np.random.Generator, slice]]:
        for number, own in enumerate(self._generators):
            yield own, slice(number * self._rows, (number + 1) * self._rows)


def _refused(name: str) -> Callable[..., Any]:
    def draw(*_: object, **__: object) -> Any:
        raise TypeError(f"views of a private run cannot draw by {name}: it has no rows")

    return draw


for _name in dir(np.random.Generator):
    if not _name.startswith("_") and _name not in vars(Rows) and _name != "bit_generator":
        setattr(Rows, _name, _refused(_name))


class Chance:
    """Fresh randomness for a private mechanism.

    Args:
        entropy: Where it comes from; tests pass their own.

    >>> Chance().generator().random() == Chance().generator().random()
    False
    """

    def __init__(self, entropy: Entropy = os.urandom) -> None:
        self._entropy = entropy

    def generator(self) -> np.random.Generator:
        """A generator that nobody else has."""
        return generator(self._entropy(16))

    def step(self) -> StepKeys:
        """New keys for a step."""
        return StepKeys(self._entropy(32))
