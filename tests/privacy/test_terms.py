"""No number without its terms, and no terms out of range."""

from dataclasses import replace
from typing import Any

import pytest

from fedbreath.errors import PrivacyError
from fedbreath.privacy.terms import UNITS, Bound, Event, Terms

EVENT = Event(noise=2.0, clip=0.5, rate=0.05, steps=40)
TERMS = Terms("patient", "add/remove", "local", 1e-5, 5_000)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("noise", 0.0, "noise must be > 0, got 0.0"),
        ("noise", -1.0, "noise must be > 0"),
        ("noise", float("nan"), "noise must be > 0, got nan"),
        ("noise", float("inf"), "noise must be > 0, got inf"),
        ("clip", 0.0, "clip must be > 0"),
        ("rate", 0.0, r"q must be in \(0, 1\], got 0.0"),
        ("rate", 1.01, r"q must be in \(0, 1\], got 1.01"),
        ("rate", float("nan"), r"q must be in \(0, 1\]"),
        ("rate", "0.1", r"q must be in \(0, 1\]"),
        ("rate", True, r"q must be in \(0, 1\]"),
        ("steps", 0, "steps must be a whole number >= 1, got 0"),
        ("steps", 1.5, "steps must be a whole number >= 1, got 1.5"),
        ("steps", True, "steps must be a whole number"),
        ("sampler", "fixed-size", "'fixed-size' gives no amplification"),
    ],
)
def test_an_event_out_of_range_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(PrivacyError, match=said):
        replace(EVENT, **{field: value})


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("delta", 0.0, "delta must be > 0 and < 1/N"),
        ("delta", -1e-5, "delta must be > 0"),
        ("delta", 1 / 5_000, "< 1/N = 0.0002"),
        ("delta", float("nan"), "delta must be > 0"),
        ("population", 0, "population must be a whole number >= 1, got 0"),
        ("unit", "cough", "unit must be one of recording, patient, client; got 'cough'"),
        ("adjacency", "substitute", "adjacency must be one of add/remove, replace-one"),
        ("trust_model", "nobody", "trust model must be one of local, central, distributed"),
    ],
)
def test_terms_out_of_range_are_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(PrivacyError, match=said):
        replace(TERMS, **{field: value})


def test_text_of_a_bound_has_all_of_it() -> None:
    text = str(Bound(16.9733, TERMS, "PLD").assuming("nobody is ill"))
    for part in ("16.97", "delta 1e-05", "per patient of 5,000", "add/remove", "local", "by PLD"):
        assert part in text
    assert text.endswith("; nobody is ill")


def test_the_number_alone_cannot_be_formatted() -> None:
    bound = Bound(1.0, TERMS, "PLD")
    assert f"{bound}" == str(bound)
    with pytest.raises(TypeError):
        f"{bound:.2f}"
    with pytest.raises(TypeError):
        float(bound)  # type: ignore[arg-type]


def test_a_bound_becomes_a_guarantee_with_its_assumptions() -> None:
    bound = Bound(3.14159, replace(TERMS, delta=1.4e-5), "PLD", ("nobody is at two sites",))
    guarantee = bound.guarantee("dp_sgd", "encoder weights")
    assert (guarantee.epsilon, guarantee.delta) == (3.14159, 1.4e-5)
    assert guarantee.sentence() == (
        "(3.14, 1.4e-05)-differential privacy per patient, add/remove adjacency, local trust "
        "model, by PLD; released: encoder weights; nobody is at two sites."
    )


def test_export_has_all_of_it_and_no_infinity() -> None:
    found = Bound(float("inf"), TERMS, "PLD").to_json()
    assert found == {
        "epsilon": None,
        "delta": 1e-5,
        "unit": "patient",
        "population": 5_000,
        "adjacency": "add/remove",
        "trust_model": "local",
        "accountant": "PLD",
        "assumptions": [],
    }


def test_units_are_ordered_weakest_first() -> None:
    assert UNITS == ("recording", "patient", "client")
