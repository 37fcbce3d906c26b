"""Who is kept out of pretraining to be tested on: fixed before anything is learnt.

The split is drawn over groups (persons; takes or single recordings where no person is
known), for each site by itself, from the metadata alone. It depends on the split's seed
and not on the run's, so that every arm and every seed meets the same test persons, and
a real node can leave out the same persons that a simulation of it would.
"""

import hashlib
from collections.abc import Iterable, Sequence

from fedbreath.recording import Recording


def test_groups(
    recordings: Iterable[Recording], stratify: Sequence[str], share: float, seed: int
) -> frozenset[str]:
    """Choose the groups to test on.

    Groups are ordered by stratum (the sorted values of the `stratify` labels that the
    group's recordings carry) and, inside a stratum, by a keyed hash; then every
    ``1 / share``-th is taken. So each stratum gives its share to within one group.

    Args:
        recordings: A site's recordings.
        stratify: Label names.
        share: Share of the groups to take, in (0, 1).
        seed: Chooses among them.

    Returns:
        The test groups; empty when the site has fewer than two groups.

    >>> a = [Recording(str(i), lambda: ..., "d", f"p{i}", "cough") for i in range(10)]
    >>> len(test_groups(a, (), 0.4, 0))
    4
    """
    strata: dict[str, set[str]] = {}
    for recording in recordings:
        values = strata.setdefault(recording.group, set())
        values.add("|".join(recording.labels.get(name, "") for name in stratify))
    if len(strata) < 2:
        return frozenset()
    order = sorted(strata, key=lambda g: (sorted(strata[g]), _hash(seed, g)))
    phase = int(_hash(seed, "phase")[:8], 16) / 2**32
    return frozenset(
        group
        for i, group in enumerate(order)
        if int((i + 1) * share + phase) > int(i * share + phase)
    )


def _hash(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
