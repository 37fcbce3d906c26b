"""Who is kept out: whole groups, the right share, from the metadata alone."""

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedbreath import split
from fedbreath.config import component
from fedbreath.recording import Recording, Site
from tests.stores import nothing, person


def chosen_groups(
    recordings: Iterable[Recording], stratify: tuple[str, ...], share: float, seed: int
) -> frozenset[str]:
    return split.test_groups([(r.group, r.labels) for r in recordings], stratify, share, seed)


def people(count: int, takes: int = 1) -> list[Recording]:
    """Every third person is ill."""
    return [
        person(n, take, "yes" if n % 3 == 0 else "no")
        for n in range(count)
        for take in range(takes)
    ]


@pytest.mark.parametrize("share", [0.05, 0.25, 0.4, 0.5, 0.75, 0.95])
@pytest.mark.parametrize("count", [2, 3, 7, 10, 41])
def test_the_share_is_of_persons_to_within_rounding(share: float, count: int) -> None:
    found = chosen_groups(people(count, takes=3), ("ill",), share, 0)
    assert found < {r.group for r in people(count)}
    assert 1 <= len(found) < count
    if 1 <= count * share <= count - 1:
        assert abs(len(found) - count * share) <= 0.5


def test_every_stratum_gives_its_share_to_within_one() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(list("abcde"), 97, p=[0.4, 0.3, 0.2, 0.07, 0.03])
    recordings = [person(n, 0, label) for n, label in enumerate(labels)]
    found = chosen_groups(recordings, ("ill",), 0.4, 3)
    sizes = Counter(r.labels["ill"] for r in recordings)
    taken = Counter(r.labels["ill"] for r in recordings if r.group in found)
    assert len(found) == round(97 * 0.4)
    for label, size in sizes.items():
        assert abs(taken[label] - 0.4 * size) < 1


def test_the_largest_remainder_gives_the_last_person() -> None:
    """Three ill and seven well at 0.4: quotas of 1.2 and 2.8, four persons in all."""
    recordings = [person(n, 0, "yes" if n < 3 else "no") for n in range(10)]
    for seed in range(5):
        found = chosen_groups(recordings, ("ill",), 0.4, seed)
        taken = Counter(r.labels["ill"] for r in recordings if r.group in found)
        assert taken == {"yes": 1, "no": 3}


def test_many_recordings_of_a_person_do_not_count_more() -> None:
    busy = people(20) + [person(0, take, "yes") for take in range(1, 200)]
    assert chosen_groups(busy, (), 0.4, 0) == chosen_groups(people(20), (), 0.4, 0)


def test_the_order_of_recordings_does_not_matter() -> None:
    recordings = people(30, takes=2)
    shuffled = [recordings[i] for i in np.random.default_rng(0).permutation(len(recordings))]
    expected = chosen_groups(recordings, ("ill",), 0.3, 1)
    assert chosen_groups(shuffled, ("ill",), 0.3, 1) == expected


def test_another_seed_chooses_others() -> None:
    chosen = [chosen_groups(people(30), ("ill",), 0.4, seed) for seed in range(5)]
    assert all(a != b for a, b in itertools.combinations(chosen, 2))
    assert frozenset.union(*chosen) > chosen[0]


def test_another_label_of_a_person_does_not_cut_the_person() -> None:
    """Somebody who was well at one visit and ill at the next is one group."""
    recordings = [person(n, take, "yes" if take else "no") for n in range(10) for take in (0, 1)]
    assert len(chosen_groups(recordings, ("ill",), 0.4, 0)) == 4


def test_without_persons_blocks_and_else_recordings_are_kept_whole() -> None:
    blocks = [
        Recording(f"{n}", nothing, "demo", None, "cough", block=f"take-{n // 4}") for n in range(40)
    ]
    assert chosen_groups(blocks, (), 0.4, 0) <= {f"take-{n}" for n in range(10)}
    single = [replace(r, block=None) for r in blocks]
    assert len(chosen_groups(single, (), 0.4, 0)) == 16


@pytest.mark.parametrize("count", [0, 1])
def test_one_person_cannot_be_split(count: int) -> None:
    assert chosen_groups(people(count, takes=5), ("ill",), 0.4, 0) == frozenset()


# -- validation -----------------------------------------------------------------------------

MEMBERS = st.lists(
    st.tuples(st.sampled_from([f"p{n}" for n in range(25)]), st.sampled_from("abc")), max_size=60
).map(lambda rows: [(group, {"ill": label}) for group, label in rows])
SHARES = st.floats(0.05, 0.95)


@given(MEMBERS, SHARES, st.sampled_from([0.0, 0.1, 0.3, 0.8]), st.integers(0, 9))
def test_validation_groups_are_drawn_from_the_others_by_the_same_rule(
    members: list[tuple[str, dict[str, str]]], test: float, validation: float, seed: int
) -> None:
    found = split.parts(members, ("ill",), test, validation, seed)
    everybody = {group for group, _ in members}
    tested = split.test_groups(members, ("ill",), test, seed)
    assert found == split.parts(members[::-1], ("ill",), test, validation, seed)
    assert found.kept_out == found.scored | found.hidden <= everybody
    if not validation:
        assert (found.scored, found.hidden) == (tested, frozenset())
        return
    assert found.hidden == tested, "whom one tests on does not hang on who is validated on"
    assert not found.scored & found.hidden
    rest = [(group, labels) for group, labels in members if group not in tested]
    assert found.scored == split.test_groups(rest, ("ill",), validation, seed)
    assert len(everybody) < 2 or found.kept_out < everybody, "nobody is left to train on"


def test_validation_groups_are_stratified() -> None:
    """Thirty ill and seventy well: test 12 and 28; of the others a third, 6 and 14."""
    recordings = [person(n, 0, "yes" if n < 30 else "no") for n in range(100)]
    members = [(r.group, r.labels) for r in recordings]
    found = split.parts(members, ("ill",), 0.4, 1 / 3, 5)
    ill = {r.group for r in recordings if r.labels["ill"] == "yes"}
    sizes = [(len(part & ill), len(part - ill)) for part in (found.hidden, found.scored)]
    assert sizes == [(12, 28), (6, 14)]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_to_validate_on(count: int) -> None:
    found = split.parts([(f"p{n}", {}) for n in range(count)], (), 0.4, 0.5, 0)
    assert (len(found.hidden), len(found.scored)) == (count // 2, 0)


@pytest.mark.real
def test_no_child_of_sprsound_is_on_both_sides(real_data: object) -> None:
    sites: list[Site] = component("data", "sprsound", [f"root={real_data}"]).build().sites()
    (site,) = sites
    found = chosen_groups(site.recordings, site.stratify, 0.4, 0)
    held = {r.subject for r in site.recordings if r.group in found}
    rest = {r.subject for r in site.recordings if r.group not in found}
    assert not held & rest
    assert len(held) == round(0.4 * len(held | rest))


def test_groups_that_share_audio_are_one_however_long_the_chain() -> None:
    members = [("d", "3"), ("c", "2"), ("c", "3"), ("b", "1"), ("b", "2"), ("a", "1"), ("e", "4")]
    for order in itertools.permutations(members, len(members)):
        found = split.joined(order)
        assert {g: found[g] for g in "abcde"} == dict.fromkeys("abcd", "a") | {"e": "e"}


def test_audio_that_is_not_known_joins_nothing() -> None:
    assert split.joined([("a", ""), ("b", ""), ("a", "")]) == {"a": "a", "b": "b"}


# -- each by itself ----------------------------------------------------------------------


@given(
    st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=40),
    st.floats(0.05, 0.95),
    st.floats(0, 0.9),
    st.integers(0, 9),
)
def test_nobody_moves_another_across(
    names: set[str], test: float, validation: float, seed: int
) -> None:
    whole = split.parts_alone(names, test, validation, seed)
    assert whole.scored | whole.hidden <= names
    for gone in names:
        less = split.parts_alone(names - {gone}, test, validation, seed)
        assert less.scored == whole.scored - {gone}
        assert less.hidden == whole.hidden - {gone}


def test_quotas_do_move_others_across() -> None:
    """Why `parts_alone` is there: with a quota, one who leaves changes another's side."""
    everyone = [(f"p{i}", {"ill": "yes" if i % 3 else "no"}) for i in range(20)]
    whole = split.parts(everyone, ("ill",), 0.4, 0, 0).scored
    moved = 0
    for gone in range(20):
        rest = [one for i, one in enumerate(everyone) if i != gone]
        moved += split.parts(rest, ("ill",), 0.4, 0, 0).scored != whole - {f"p{gone}"}
    assert moved > 0


def test_shares_hold_on_average() -> None:
    names = [f"p{i}" for i in range(4000)]
    found = split.parts_alone(names, 0.4, 0.25, 3)
    assert len(found.hidden) == pytest.approx(1600, abs=5 * 31)
    assert len(found.scored) == pytest.approx(600, abs=5 * 23)
    again = split.parts_alone(names, 0.4, 0, 3)
    assert again.scored == found.hidden, "test persons do not depend on validation"
