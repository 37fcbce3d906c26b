"""Who is kept out of pretraining to be tested on: fixed before anything is learnt.

The split is drawn over groups (persons; takes or single recordings where no person is
known; groups that hold identical audio are one), for each site by itself. It depends on
the split's seed and not on the run's, so that every arm and every seed meets the same test
persons, and a real node can leave out the same persons that a simulation of it would.

Choices must not be made on test persons. Where a share of the others is drawn for
validation, those stand in for the test persons, and the test persons are left out of
everything.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """The groups of a site that are not trained on.

    Attributes:
        scored: What scores are measured on: the test groups, or the validation groups.
        hidden: The test groups while validation groups stand in for them: not trained on,
            not probed, not scored.
    """

    scored: frozenset[str]
    hidden: frozenset[str] = frozenset()

    @property
    def kept_out(self) -> frozenset[str]:
        """All groups that nothing may be pretrained on."""
        return self.scored | self.hidden


def parts(
    members: Iterable[tuple[str, Mapping[str, str]]],
    stratify: Sequence[str],
    test: float,
    validation: float,
    seed: int,
) -> Parts:
    """Choose the groups to score on, and those to hide.

    The test groups do not depend on `validation`, so that whoever chose on validation
    groups then meets test groups that no choice has seen.

    Args:
        members: Group and labels of each of a site's recordings.
        stratify: Label names.
        test: Share of the groups that are test groups, in (0, 1).
        validation: Share of the others that are validation groups, in [0, 1); with 0 the
            test groups are scored on.
        seed: Chooses among them.

    >>> found = parts([(f"p{i}", {}) for i in range(10)], (), 0.4, 0.5, 0)
    >>> len(found.scored), len(found.hidden), len(found.scored & found.hidden)
    (3, 4, 0)
    """
    known = list(members)
    tested = test_groups(known, stratify, test, seed)
    if not validation:
        return Parts(tested)
    others = [(group, labels) for group, labels in known if group not in tested]
    return Parts(test_groups(others, stratify, validation, seed), tested)


def parts_alone(groups: Iterable[str], test: float, validation: float, seed: int) -> Parts:
    """As `parts`, but each group's side follows from its own name and nothing else.

    Under privacy at a site that is what makes a training set of a site without one person the
    same set less that person: `parts` fills quotas, so that a person who leaves moves others
    across. Shares hold on average only.

    >>> whole = parts_alone([f"p{i}" for i in range(100)], 0.4, 0.5, 0)
    >>> less = parts_alone([f"p{i}" for i in range(1, 100)], 0.4, 0.5, 0)
    >>> (whole.scored | whole.hidden) - (less.scored | less.hidden) <= {"p0"}
    True
    """
    known = frozenset(groups)
    tested = frozenset(g for g in known if _uniform(seed, f"test:{g}") < test)
    if not validation:
        return Parts(tested)
    shown = frozenset(g for g in known - tested if _uniform(seed, f"validation:{g}") < validation)
    return Parts(shown, tested)


def test_groups(
    members: Iterable[tuple[str, Mapping[str, str]]],
    stratify: Sequence[str],
    share: float,
    seed: int,
) -> frozenset[str]:
    """Choose the groups to test on.

    A group's stratum is the set of values of the `stratify` labels that its recordings
    carry. Each stratum gives its share, rounded so that the total is right (largest
    remainders first); which of its groups, and who wins a tie, a keyed hash decides.

    Args:
        members: Group and labels of each of a site's recordings.
        stratify: Label names.
        share: Share of the groups to take, in (0, 1).
        seed: Chooses among them.

    Returns:
        The test groups; empty when the site has fewer than two groups.

    >>> len(test_groups([(f"p{i}", {}) for i in range(10)], (), 0.4, 0))
    4
    """
    values: dict[str, set[str]] = {}
    for group, labels in members:
        said = "|".join(labels.get(name, "") for name in stratify)
        values.setdefault(group, set()).add(said)
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


def joined(members: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join the groups that hold identical audio: a split must not part them.

    Args:
        members: Group and digest of each recording; a blank digest equals no other.

    Returns:
        Each group's name after joining: the least of the names that were joined.

    >>> joined([("b", "x"), ("a", "x"), ("c", "y"), ("b", "z")])
    {'b': 'a', 'a': 'a', 'c': 'c'}
    """
    parent: dict[str, str] = {}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    first: dict[str, str] = {}
    for group, digest in members:
        parent.setdefault(group, group)
        if digest:
            low, high = sorted((root(group), root(first.setdefault(digest, group))))
            parent[high] = low
    return {group: root(group) for group in parent}


def _uniform(seed: int, text: str) -> float:
    """A number in [0, 1) that follows from a name."""
    return int(_hash(seed, text)[:13], 16) / 16**13


def _hash(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
