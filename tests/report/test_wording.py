"""What may be said of an interval."""

import dataclasses

import pytest

from fedbreath.report.records import Records
from fedbreath.report.score_records import Difference, Ratio, ScoresRecord
from fedbreath.report.wording import change, decimal, kept_share, tone, verdict

from . import sample

Bounds = tuple[float, float | None, float | None]


def with_scores(**changes: object) -> Records:
    records = sample.records()
    assert records.scores is not None
    scores = dataclasses.replace(records.scores, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(records, scores=scores)


def judged(federated: Bounds, centralised: Bounds = (0.045, 0.02, 0.07)) -> Records:
    differences = (
        Difference("federated", "random", "mean", *federated),
        Difference("centralised", "random", "mean", *centralised),
    )
    return with_scores(differences=differences)


@pytest.mark.parametrize(
    ("federated", "wanted", "words"),
    [
        ((0.04, 0.01, 0.07), "gain", "gained +0.04 AUROC (0.01 to 0.07) over the same network"),
        ((0.02, -0.01, 0.05), "noise", "+0.02 AUROC (−0.01 to 0.05)"),
        ((0.02, 0.0, 0.04), "noise", "within noise"),
        ((-0.02, -0.04, 0.0), "noise", "within noise"),
        ((-0.03, -0.05, -0.01), "loss", "lost 0.03 AUROC (−0.05 to −0.01) against"),
        ((0.02, 0.002, 0.038), "gain", "gained +0.020 AUROC (0.002 to 0.038)"),
        ((0.02, None, None), "open", "without an interval this shows nothing"),
    ],
)
def test_the_verdict_follows_the_interval(federated: Bounds, wanted: str, words: str) -> None:
    said = verdict(judged(federated))
    assert said.tone == wanted
    assert words in said.text
    assert ("gained" in said.text) == (wanted == "gain")
    assert ("lost" in said.text) == (wanted == "loss")
    assert ("within noise" in said.text) == (wanted == "noise")


def test_a_share_is_stated_where_there_is_a_centralised_gain() -> None:
    assert "keeps 78 % (41 to 110 %) of the centralised gain" in verdict(sample.records()).aside


@pytest.mark.parametrize(
    ("centralised", "words"),
    [
        ((0.03, -0.01, 0.07), "within noise"),
        ((-0.03, -0.05, -0.01), "a loss"),
        ((0.03, None, None), "without an interval"),
    ],
)
def test_no_share_of_a_gain_that_is_not_there(centralised: Bounds, words: str) -> None:
    aside = verdict(judged((0.04, 0.01, 0.07), centralised)).aside
    assert "keeps" not in aside
    assert words in aside


def test_a_network_that_was_harmed_keeps_no_share() -> None:
    assert verdict(judged((-0.03, -0.05, -0.01))).aside == "Mean over 7 tasks."


def test_a_share_that_could_not_be_computed_says_why() -> None:
    ratio = Ratio(None, None, None, 0.75, 0.72, None, "no centralised encoder was trained")
    aside = verdict(with_scores(ratio=ratio)).aside
    assert aside == (
        "Mean over 7 tasks. No share of a centralised gain is stated: "
        "no centralised encoder was trained."
    )


def test_without_scores_the_reasons_are_given() -> None:
    records = sample.records()
    assert records.scores is not None
    empty = ScoresRecord((), records.scores.skipped, (), (), (), (), records.scores.ratio)
    said = verdict(dataclasses.replace(records, scores=empty))
    assert said.tone == "open"
    assert "class severe has 7 test subjects" in said.aside


def test_without_rounds_nothing_is_judged() -> None:
    said = verdict(dataclasses.replace(sample.records(), rounds=()))
    assert said.text.startswith("No round has finished")


def test_a_bound_is_never_rounded_to_zero() -> None:
    assert change(Difference("a", "b", "t", 0.03, 0.0004, 0.06)) == "+0.0300 (0.0004 to 0.0600)"
    assert change(Difference("a", "b", "t", 0.03, 0.0, 0.06)) == "+0.03 (0.00 to 0.06)"


def test_no_difference_is_open_and_no_zero_is_negative() -> None:
    assert tone(None) == "open"
    assert decimal(-0.0001) == "0.00"


def test_the_share_is_a_number_with_its_interval_or_a_reason() -> None:
    scores = sample.records().scores
    assert scores is not None
    assert kept_share(scores) == "0.78 (0.41 to 1.10)."
    why = Ratio(None, None, None, 0.7, 0.7, 0.7, "the gain is noise")
    assert kept_share(dataclasses.replace(scores, ratio=why)) == "not stated: the gain is noise."
