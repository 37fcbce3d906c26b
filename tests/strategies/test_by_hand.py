"""Each strategy on two or three tiny clients, through Flower's messages, by hand.

The global weight is 1; what clients send and what must come out stands beside each. Where
clients count by their recordings, these are 1, 2, 3 ...
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message

from fedbreath.config import choices, load
from fedbreath.errors import UserError
from fedbreath.guidance import CONTROL
from server.app import PACKAGES
from tests.flower import FakeGrid, arrays, content, numbers


def make(name: str, *words: str) -> Any:
    component = load([f"strategy={name}", *(f"strategy.{w}" for w in words)], PACKAGES).strategy
    assert component is not None
    strategy = component.build(0)
    strategy.buffers = frozenset({"var"})
    return strategy


def model(w: float, var: float = 2.0) -> dict[str, Any]:
    return {"w": np.array([w, 0], np.float32), "var": np.array([var], np.float32)}


def messages(strategy: Any, number: int, sent: Mapping[str, Any], nodes: int) -> list[Message]:
    grid = FakeGrid(dict.fromkeys(range(1, nodes + 1), lambda _: None))
    return list(strategy.configure_train(number, arrays(sent), ConfigRecord(), grid))


def rounds(strategy: Any, sent: list[list[float]], start: float = 1.0) -> list[float]:
    """The global weight after each round, in which clients send these weights."""
    current, found = model(start), []
    for number, values in enumerate(sent, 1):
        back = []
        for count, (message, value) in enumerate(
            zip(messages(strategy, number, current, len(values)), values, strict=True), 1
        ):
            metrics = {"num-examples": count, "steps": 1}
            records = content(arrays(model(value)), metrics)
            back.append(Message(records, reply_to=message))
        record, _ = strategy.aggregate_train(number, back)
        current = {n: np.array(a) for n, a in numbers(record).items()}
        found.append(float(current["w"][0]))
    return found


CASES: dict[str, tuple[tuple[str, ...], list[list[float]], list[float]]] = {
    # (1 * 3 + 2 * 6) / 3; the second round knows nothing of the first.
    "fedavg": ((), [[3, 6], [0, 3]], [5, 2]),
    # m = 4, w = 5; then m = 0.5 * 4 + (2 - 5) = -1.
    "fedavgm": (("momentum=0.5",), [[3, 6], [0, 3]], [5, 4]),
    # Delta = 4: m = 2, v = .75 * 1 + .25 * 16 = 4.75.
    "fedadam": (
        ("learning_rate=1", "beta1=0.5", "beta2=0.75", "tau=1"),
        [[3, 6]],
        [1 + 2 / (4.75**0.5 + 1)],
    ),
    # v = 1 - .25 * 16 * sign(1 - 16) = 5.
    "fedyogi": (
        ("learning_rate=1", "beta1=0.5", "beta2=0.75", "tau=1"),
        [[3, 6]],
        [1 + 2 / (5**0.5 + 1)],
    ),
    # At the server these two are FedAvg.
    "fedprox": ((), [[3, 6], [0, 3]], [5, 2]),
    "fedema": ((), [[3, 6], [0, 3]], [5, 2]),
    # Along one line every cosine is 1 or -1: (3 + 6) / 2; then (-6 * -1 + 1 * 3) / 2.
    "ldawa": ((), [[3, 6], [-6, 3]], [4.5, 4.5]),
    "median": ((), [[3, 6, 900], [2, 4]], [6, 3]),
    "trimmed_mean": ((), [[3, 6, 900], [-900, 1, 3, 5, 900]], [6, 3]),
    # With f = 0 of three a score is the distance to the nearest: 1, 1, large; the first.
    "krum": (("byzantine=0", "minimum=1"), [[3, 4, 900]], [3]),
    # f = 1 of five, two nearest: 3.25 and 4.5 are least (tests/aggregation/test_robust.py).
    "multi_krum": ((), [[0, 1, 2.5, 4, 1000]], [1.75]),
    # Changes 2 and 10, bounded by 4: 1 + (2 + 4) / 2; then by the median of 3 and 1, none.
    "norm_bounding": (("bound=4",), [[3, 11], [7, 5]], [4, 6]),
}


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name: str) -> None:
    words, sent, expected = CASES[name]
    assert rounds(make(name, *words), sent) == pytest.approx(expected, rel=1e-6)


def test_every_strategy_has_a_case() -> None:
    assert {*CASES, "scaffold"} == set(choices("strategy"))


def test_scaffold_by_hand() -> None:
    """Two of four connected clients answer; eta_g = 0.5."""
    strategy = make("scaffold", "learning_rate=0.5")
    # x and c after each round:
    #   x = 1 + .5 * ((3 + 6) / 2 - 1), c = 0 + 2 / 4 * (2 + 4) / 2
    #   x = 2.75 + .5 * ((3 + 6) / 2 - 2.75), c = 1.5 + 1.5
    current = model(1)
    for number, x, c in ((1, 2.75, 0.0), (2, 3.625, 1.5), (3, 4.0625, 3.0)):
        made = messages(strategy, number, current, 4)
        for message in made:
            control = numbers(message.content.array_records[CONTROL])
            assert {n: a.tolist() for n, a in control.items()} == {"w": [c, 0]}  # not of var
        back = []
        for message, value, change in zip(made, (3, 6), (2, 4), strict=False):
            records = content(arrays(model(value, 8.0)), {})
            records[CONTROL] = arrays({"w": np.array([change, 0], np.float32)})
            back.append(Message(records, reply_to=message))
        record, _ = strategy.aggregate_train(number, back)
        current = numbers(record)
        assert current["w"].tolist() == [x, 0]
        assert current["var"].tolist() == [8]  # not half-way


def test_scaffold_without_a_variate_in_the_reply_is_malformed() -> None:
    strategy = make("scaffold")
    (message,) = messages(strategy, 1, model(1), 1)
    silent = Message(content(arrays(model(2)), {"steps": 1}), reply_to=message)
    assert strategy.aggregate_train(1, [silent]) == (None, None)


@pytest.mark.parametrize(
    ("name", "key"), [("fedprox", "proximal-mu"), ("fedema", "ema-tau"), ("fedavg", None)]
)
def test_what_a_message_asks(name: str, key: str | None) -> None:
    words = {"fedprox": ["mu=0.25"], "fedema": ["tau=0.25"]}.get(name, [])
    (message,) = messages(make(name, *words), 4, model(1), 1)
    expected = {"server-round": 4} | ({key: 0.25} if key else {})
    assert dict(message.content.config_records["config"]) == expected
    assert set(message.content.array_records) == {"arrays"}


@pytest.mark.parametrize(
    ("name", "words", "clients", "sentence"),
    [
        (
            "krum", ["byzantine=2", "minimum=1"], 6,
            r"round 1: 6 client\(s\) called, but Krum with strategy.byzantine=2 needs at least 7 "
            r"\(2 x 2 \+ 3\): call more clients, or lower strategy.byzantine to at most 1",
        ),
        ("multi_krum", ["byzantine=2"], 4, "or lower strategy.byzantine to at most 0"),
        ("krum", ["byzantine=0"], 2, "needs at least 3 .* or choose strategy=median"),
        (
            "trimmed_mean", ["byzantine=3"], 6,
            r"TrimmedMean with strategy.byzantine=3 needs at least 7 .* to at most 2",
        ),
    ],
)  # fmt: skip
def test_more_hostile_clients_than_it_can_bear(
    name: str, words: list[str], clients: int, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        messages(make(name, *words), 1, model(1), clients)


def test_nobody_connected_is_nobody_called() -> None:
    assert messages(make("krum"), 1, model(1), 0) == []


def test_more_than_may_be_averaged() -> None:
    strategy = make("multi_krum", "keep=3")
    with pytest.raises(UserError, match=r"strategy.keep=3 of 5 .* at most 2 may be averaged"):
        rounds(strategy, [[0, 1, 2, 3, 4]])
    assert rounds(strategy, [[1, 1, 1, 1, 1, 1]]) == [1]


@pytest.mark.parametrize(
    ("name", "word", "sentence"),
    [
        ("fedavgm", "momentum=1", r"strategy.momentum must lie in \[0, 1\), got 1.0"),
        ("fedavgm", "learning_rate=0", "strategy.learning_rate must be > 0, got 0.0"),
        ("fedadam", "beta2=1", r"strategy.beta2 must lie in \[0, 1\), got 1.0"),
        ("fedyogi", "tau=0", "strategy.tau must be > 0, got 0.0"),
        ("fedprox", "mu=-1", "strategy.mu must be >= 0, got -1.0"),
        ("fedema", "tau=0", r"strategy.tau must lie in \(0, 1\], got 0.0"),
        ("scaffold", "learning_rate=-1", "strategy.learning_rate must be > 0, got -1.0"),
        ("krum", "byzantine=-1", "strategy.byzantine must be >= 0, got -1"),
        ("multi_krum", "keep=0", "strategy.keep must be >= 1, got 0"),
        ("norm_bounding", "bound=0", "strategy.bound must be > 0, got 0.0"),
        ("fedavg", "weighting=equal", "strategy.weighting must be one of examples, uniform"),
        ("median", "fraction=2", r"strategy.fraction must lie in \(0, 1\], got 2.0"),
    ],
)
def test_settings_out_of_range(name: str, word: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        make(name, word)
