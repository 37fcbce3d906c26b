"""The guard: what replies of a round say of each other, by hand-sized examples."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Message

from fedbreath.sections import Guard
from strategies.guard import Asked, Refused, screen
from tests.flower import arrays, content, instruction, refusal, reply

SENT: dict[str, Any] = {"w": np.ones(4, np.float32), "count": np.asarray(4, np.int64)}
RULE = Guard()


def asked(*nodes: int, number: int = 1, beside: Mapping[str, Any] | None = None) -> Asked:
    records = {name: arrays(values) for name, values in (beside or {}).items()}
    return Asked(number, nodes, arrays(SENT), records)


def moved(node: int, norm: float, site: str = "") -> Message:
    """A reply whose change has a norm; the counter moves far, and is none of it."""
    changed = {"w": SENT["w"] + np.float32(norm / 2), "count": np.asarray(10**9)}
    return reply(node, changed, site=site)


def codes(refused: Sequence[Refused]) -> list[tuple[int, str]]:
    return [(one.node, one.code) for one in refused]


def found(
    messages: Sequence[Message], ask: Asked, rule: Guard = RULE, *, central: bool = False
) -> tuple[list[int], list[tuple[int, str]]]:
    """Who enters and who is refused: the same whatever the order of arrival."""
    results = []
    for order in itertools.islice(itertools.permutations(messages), 24):
        usable, refused = screen(order, ask, rule, central=central)
        results.append(([one.node for one in usable], codes(refused)))
    assert all(result == results[0] for result in results)
    return results[0]


def test_good_replies_enter() -> None:
    assert found([moved(n, 1) for n in (3, 1, 2)], asked(1, 2, 3)) == ([1, 2, 3], [])
    assert found([], asked(1)) == ([], [])


def test_who_was_not_called_does_not_enter() -> None:
    assert found([moved(1, 1), moved(9, 1)], asked(1)) == ([1], [(9, "was not called")])


def test_a_late_reply_does_not_enter_nor_displace_the_right_one() -> None:
    late = reply(1, SENT, number=1)
    right = reply(1, SENT, number=2)
    refused = [(1, "reply to another round")]
    assert found([late, right], asked(1, number=2)) == ([1], refused)
    assert found([late], asked(1, number=2)) == ([], refused)
    assert found([right], asked(1, number=1)) == ([], refused)


def test_the_same_bytes_again_count_once() -> None:
    replies = [moved(1, 1), moved(1, 1), moved(1, 1), moved(2, 1)]
    assert found(replies, asked(1, 2)) == ([1, 2], [(1, "repeated reply")] * 2)


@pytest.mark.parametrize("other", [moved(1, 2), refusal(1), reply(1, {"w": SENT["w"]})])
def test_of_two_replies_that_differ_none_counts(other: Message) -> None:
    refused = [(1, "two replies that differ")] * 2
    assert found([moved(1, 1), other, moved(2, 1)], asked(1, 2)) == ([2], refused)


def test_a_repeated_refusal_is_a_refusal() -> None:
    refused = [(1, "1000: SiteError"), (1, "repeated reply")]
    assert found([refusal(1), refusal(1)], asked(1)) == ([], refused)


def test_of_nodes_with_one_name_the_first_counts() -> None:
    replies = [moved(5, 1, "clinic"), moved(2, 1, "clinic"), moved(3, 1, "ward")]
    refused = [(5, "site name of another node")]
    assert found(replies, asked(2, 3, 5)) == ([2, 3], refused)


def test_a_refused_reply_takes_nobodys_name() -> None:
    wrong = reply(1, {"w": SENT["w"] * np.float32(np.nan), "count": SENT["count"]}, site="clinic")
    refused = [(1, "values that are not finite")]
    assert found([wrong, moved(2, 1, "clinic")], asked(1, 2)) == ([2], refused)


@pytest.mark.parametrize(("norm", "enters"), [(4.9, True), (5.1, False), (1e30, False)])
def test_an_absurd_norm_is_five_times_the_median(norm: float, enters: bool) -> None:
    replies = [moved(1, 0.5), moved(2, 1), moved(3, 1), moved(4, 1.5), moved(5, norm)]
    expected = [1, 2, 3, 4, *([5] if enters else [])]
    refused = [] if enters else [(5, "absurd norm")]
    assert found(replies, asked(1, 2, 3, 4, 5)) == (expected, refused)


def test_below_four_replies_there_is_no_median() -> None:
    replies = [moved(1, 1), moved(2, 1), moved(3, 1000)]
    assert found(replies, asked(1, 2, 3)) == ([1, 2, 3], [])
    assert found([*replies, moved(4, 1)], asked(1, 2, 3, 4))[1] == [(3, "absurd norm")]


def test_the_constant_bound_holds_for_one() -> None:
    assert found([moved(1, 0.9e6)], asked(1)) == ([1], [])
    assert found([moved(1, 1.1e6)], asked(1)) == ([], [(1, "absurd norm")])
    # The square is beyond float32, the value is not.
    assert found([moved(1, 1e38)], asked(1)) == ([], [(1, "absurd norm")])


def test_settings_of_the_norm() -> None:
    replies = [*(moved(n, 1) for n in (1, 2, 3)), moved(4, 100)]
    assert found(replies, asked(1, 2, 3, 4), Guard(norm=None))[1] == []
    assert found(replies, asked(1, 2, 3, 4), Guard(norm=None, most=50))[1] == [(4, "absurd norm")]
    for bad in ({"norm": 0.5}, {"most": 0}, {"most": 1e13}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Guard(**bad)


def test_a_median_of_nothing_bounds_nothing() -> None:
    replies = [*(moved(n, 0) for n in (1, 2, 3)), moved(4, 1)]
    assert found(replies, asked(1, 2, 3, 4)) == ([1, 2, 3, 4], [])


def test_what_goes_beside_the_weights_keeps_to_the_same_rule() -> None:
    control = {"w": np.ones(4, np.float32)}

    def answer(node: int, factor: float) -> Message:
        records = content(arrays(SENT), {"steps": 1}, f"site-{node}")
        records["control"] = arrays({"w": control["w"] * np.float32(factor)})
        return Message(records, reply_to=instruction(node))

    replies = [answer(n, 1) for n in (1, 2, 3)] + [answer(4, 11)]
    ask = asked(1, 2, 3, 4, beside={"control": control})
    assert found(replies, ask) == ([1, 2, 3], [(4, "absurd norm")])


def test_nothing_can_be_shouted_away_under_central_privacy() -> None:
    """Leaving one client out must change the sum by one client at most, whoever the others are."""
    replies = [moved(1, 1), moved(2, 1), moved(3, 1), moved(4, 1e9)]
    assert found(replies, asked(1, 2, 3, 4), central=True) == ([1, 2, 3, 4], [])
    twins = [moved(1, 1, "twin"), moved(2, 1, "twin"), moved(3, 1, "twin"), moved(4, 1)]
    everybody = set(found(twins, asked(1, 2, 3, 4), central=True)[0])
    assert everybody == {4}
    for gone in range(4):
        others = [m for i, m in enumerate(twins) if i != gone]
        entered = set(found(others, asked(1, 2, 3, 4), central=True)[0])
        assert len(entered ^ everybody) <= 1
    pair = twins[:2]
    assert found(pair, asked(1, 2), central=True)[0] == []
    assert found(pair[:1], asked(1, 2), central=True)[0] == [1]
