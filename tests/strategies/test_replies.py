import copy
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from strategies.replies import read, size_of
from tests.flower import arrays, content, instruction, refusal, reply

SENT: dict[str, Any] = {"w": np.ones((2, 3), np.float32), "count": np.asarray(4, np.int64)}
GOOD = {"num-examples": 3, "steps": 2}


def raw(data: bytes, dtype: str = "float32", stype: str = "numpy.ndarray") -> ArrayRecord:
    """SENT, with w's bytes replaced: what a broken or hostile client can send."""
    record = arrays(SENT)
    record["w"] = Array(dtype=dtype, shape=(2, 3), stype=stype, data=data)
    return record


#: A header that promises petabytes.
HUGE = b"\x93NUMPY\x01\x00v\x00" + (
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999,), }".ljust(117) + b"\n"
)


def message(sent: RecordDict, node: int = 7) -> Message:
    return Message(sent, reply_to=instruction(node))


def test_reads_what_fits() -> None:
    metrics = {**GOOD, "loss": 0.5}
    usable, refused = read([message(content(arrays(SENT), metrics, "a ward"))], arrays(SENT))
    assert refused == {}
    (only,) = usable
    assert (only.node, only.site, only.metrics) == (7, "a ward", metrics)
    assert only.size == size_of(arrays(SENT))
    for name, array in SENT.items():
        np.testing.assert_array_equal(only.arrays[name], array)


def test_sorted_by_node_in_any_order_of_arrival() -> None:
    sent = [reply(3, SENT), refusal(9), reply(1, SENT), refusal(2), reply(2**63 + 5, SENT)]
    for order in (sent, sent[::-1]):
        usable, refused = read(copy.deepcopy(order), arrays(SENT))
        assert [r.node for r in usable] == [1, 3, 2**63 + 5]
        assert list(refused) == [2, 9]


def test_an_error_keeps_its_code() -> None:
    _, refused = read([refusal(2, 1000, "SiteError"), refusal(4, 3, "")])
    assert refused == {2: "1000: SiteError", 4: "3: no reason given"}


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        ({"w": SENT["w"]}, "other tensors"),
        ({**SENT, "more": SENT["w"]}, "other tensors"),
        ({"w": SENT["w"], "other": SENT["count"]}, "other tensors"),
        ({**SENT, "w": SENT["w"].T}, "another shape or type"),
        ({**SENT, "w": SENT["w"].ravel()}, "another shape or type"),
        ({**SENT, "w": SENT["w"][:0]}, "another shape or type"),
        ({**SENT, "w": SENT["w"].astype(np.float64)}, "another shape or type"),
        ({**SENT, "count": SENT["count"].astype(np.int32)}, "another shape or type"),
        ({**SENT, "w": np.where([1, 0, 1], SENT["w"], np.float32(np.nan))}, "not finite"),
        ({**SENT, "w": SENT["w"] * np.float32(np.nan)}, "not finite"),
        ({**SENT, "w": SENT["w"] * np.float32(-np.inf)}, "not finite"),
        ({}, "other tensors"),
    ],
)
def test_arrays_that_do_not_fit(weights: dict[str, Any], code: str) -> None:
    usable, refused = read([reply(1, weights), reply(2, SENT)], arrays(SENT))
    assert [r.node for r in usable] == [2]
    assert code in refused[1]


@pytest.mark.parametrize(
    "sent",
    [
        RecordDict(),
        content(None, GOOD),
        content(arrays(SENT), None),
        content(arrays(SENT), GOOD, site=None),
        content(arrays(SENT), {**GOOD, "num-examples": 0}),
        content(arrays(SENT), {**GOOD, "num-examples": -3}),
        content(arrays(SENT), {**GOOD, "num-examples": np.nan}),
        content(arrays(SENT), {**GOOD, "num-examples": np.inf}),
        content(arrays(SENT), {**GOOD, "steps": np.inf}),
        RecordDict(
            {
                "arrays": arrays(SENT),
                "metrics": MetricRecord({"num-examples": [3], "steps": [2]}),
                "site": ConfigRecord({"name": "x", "round": 1}),
            }
        ),
        RecordDict(
            {
                "arrays": arrays(SENT),
                "metrics": MetricRecord(dict(GOOD)),
                "site": ConfigRecord({"title": "x", "round": 1}),
            }
        ),
        RecordDict(
            {
                "arrays": arrays(SENT),
                "metrics": MetricRecord(dict(GOOD)),
                "site": ConfigRecord({"name": "x"}),
            }
        ),
        RecordDict(
            {
                "arrays": arrays(SENT),
                "metrics": MetricRecord(dict(GOOD)),
                "site": ConfigRecord({"name": "x", "round": "1"}),
            }
        ),
        content(raw(b""), GOOD),
        content(raw(b"no numbers"), GOOD),
        content(raw(b"PK\x03\x04no archive"), GOOD),
        content(raw(b"\x80\x04no pickle."), GOOD),
        content(raw(HUGE), GOOD),
        content(raw(arrays(SENT)["w"].data[:-1]), GOOD),
        content(raw(arrays(SENT)["w"].data, stype="torch.tensor"), GOOD),
    ],
)
def test_malformed_is_a_code_and_never_a_crash(sent: RecordDict) -> None:
    usable, refused = read([message(sent), reply(8, SENT)], arrays(SENT))
    assert [r.node for r in usable] == [8]
    assert refused == {7: "malformed reply"}


@pytest.mark.parametrize("told", [{}, {"steps": 2}, {"num-examples": 3}])
def test_what_a_site_under_privacy_does_not_tell_may_be_absent(told: dict[str, float]) -> None:
    usable, refused = read([message(content(arrays(SENT), told))], arrays(SENT))
    assert refused == {}
    assert [r.metrics for r in usable] == [told]


def test_arrays_beside_the_weights_must_come_back_and_fit() -> None:
    control = {"w": np.ones((2, 3), np.float32)}
    sent = {"control": arrays(control)}

    def answer(node: int, values: dict[str, Any] | None) -> Message:
        records = content(arrays(SENT), GOOD)
        if values is not None:
            records["control"] = arrays(values)
        return message(records, node)

    replies = [
        answer(1, control),
        answer(2, None),
        answer(3, {"w": control["w"][:1]}),
        answer(4, {"w": control["w"] * np.float32(np.nan)}),
    ]
    usable, refused = read(replies, arrays(SENT), sent)
    assert [r.node for r in usable] == [1]
    assert usable[0].size == size_of(arrays(SENT)) + size_of(sent["control"])
    np.testing.assert_array_equal(usable[0].beside["control"]["w"], control["w"])
    assert refused == {
        2: "malformed reply",
        3: "another shape or type than was sent",
        4: "values that are not finite",
    }
    assert read(replies, arrays(SENT))[0][0].beside == {}  # nobody asked


def test_said_type_does_not_count_but_the_real_one_does() -> None:
    double = arrays({"w": SENT["w"].astype(np.float64)})["w"].data
    _, refused = read([message(content(raw(double, dtype="float32"), GOOD))], arrays(SENT))
    assert refused == {7: "another shape or type than was sent"}
