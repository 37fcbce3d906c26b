"""What a site keeps: the last two rounds, and a repeated round starts as it first did."""

from pathlib import Path

import pytest
import torch

from fedbreath.site.state import SiteState


@pytest.fixture
def state(tmp_path: Path) -> SiteState:
    return SiteState(tmp_path / "not made yet")


def keep(state: SiteState, *rounds: int) -> None:
    for number in rounds:
        state.keep(number, {"head.w": torch.full((2, 2), float(number))})


def value(state: SiteState, number: int) -> float | None:
    found = state.before(number)
    return float(found["head.w"][0, 0]) if found else None


def test_what_is_kept_is_read_back_bit_for_bit(state: SiteState) -> None:
    sent = {"a.b": torch.randn(3, 4), "steps": torch.tensor(7.0), "n": torch.tensor([1, 2])}
    state.keep(1, sent)
    found = state.before(2)
    assert sorted(found) == sorted(sent)
    assert all(torch.equal(found[k], sent[k]) and found[k].dtype == sent[k].dtype for k in sent)


def test_a_first_round_has_nothing(state: SiteState) -> None:
    assert state.before(1) == {}
    keep(state, 1)
    assert state.before(1) == {}


def test_a_round_reads_the_newest_earlier_one(state: SiteState) -> None:
    keep(state, 1, 4)
    assert [value(state, number) for number in (2, 4, 5, 100)] == [1, 1, 4, 4]


def test_a_round_that_is_repeated_starts_from_the_same_state(state: SiteState) -> None:
    keep(state, 1, 2, 3)
    assert value(state, 3) == 2
    keep(state, 3)
    assert value(state, 3) == 2


def test_rounds_that_the_server_lost_are_never_read_again(state: SiteState) -> None:
    keep(state, 8, 9, 10)
    keep(state, 9)  # the server goes on from its checkpoint of round 8
    assert value(state, 11) == 9


def test_two_rounds_are_kept(state: SiteState) -> None:
    keep(state, *range(1, 13))
    names = ["round-00000011.safetensors", "round-00000012.safetensors"]
    assert sorted(p.name for p in state.folder.iterdir()) == names


def test_nothing_to_keep_leaves_no_file(state: SiteState) -> None:
    state.keep(1, {})
    assert not state.folder.exists()
