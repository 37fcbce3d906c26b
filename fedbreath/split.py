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

    A group's stratum is the set of values of the `stratify` labels that its recordings
    carry. Each stratum gives its share, rounded so that the total is right (largest
    remainders first); which of its groups, and who wins a tie, a keyed hash decides.

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
    values: dict[str, set[str]] = {}
    for recording in recordings:
        said = "|".join(recording.labels.get(name, "") for name in stratify)
        values.setdefault(recording.group, set()).add(said)
    if len(values) < 2:
        return frozenset()
    strata: dict[str, list[str]] = {}
    for group, seen in values.items():
        strata.setdefault(" & ".join(sorted(seen)), []).append(group)
    quotas = {name: len(groups) * share for name, groups in strata.items()}
    counts = {name: int(quota) for name, quota in quotas.items()}
    wanted = min(max(1, round(len(values) * share)), len(values) - 1)  # neither side is empty
    missing = wanted - sum(counts.values())
    by_remainder = sorted(quotas, key=lambda n: (counts[n] - quotas[n], _hash(seed, n)))
    for name in by_remainder[:missing]:
        counts[name] += 1
    return frozenset(
        group
        for name, groups in strata.items()
        for group in sorted(groups, key=lambda g: _hash(seed, g))[: counts[name]]
    )


def _hash(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
