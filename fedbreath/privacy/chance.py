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
from collections.abc import Callable
from dataclasses import dataclass

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
