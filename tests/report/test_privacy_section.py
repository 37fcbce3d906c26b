"""The privacy section: numbers with all they mean, words an officer can read, verdicts."""

import dataclasses
import io
from pathlib import Path

import pytest

from fedbreath.report import folder, page, privacy_section
from fedbreath.report.privacy_records import (
    ArmPrivacy,
    Cohort,
    Composition,
    Epsilons,
    PrivacyRecord,
    SiteSpending,
)
from fedbreath.report.privacy_words import explained, uncovered
from fedbreath.report.records import GuaranteeText, Records
from fedbreath.report.score_records import Arm, Difference, Mean
from fedbreath.report.terminal import summary
from fedbreath.report.tradeoff import tradeoff
from fedbreath.report.wording import verdict
from tests.report import sample

SITE = SiteSpending("sprsound", 251, 0.5, 2.5, 1.0, 1.0, "C", 60, 20, 19,
                    Epsilons(7.5, 7.51, 8.4))  # fmt: skip


def arm(
    name: str = "federated", title: str = "Federated, private", **changes: object
) -> ArmPrivacy:
    most = Epsilons(7.5, 7.51, None)
    made = ArmPrivacy(name, title, "patient", "patient", "add/remove", "local", 1e-4,
                      "encoder weights", (SITE, dataclasses.replace(SITE, site="coswara")),
                      most, "epsilon 7.5 with all it means")  # fmt: skip
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def spent(*arms: ArmPrivacy) -> PrivacyRecord:
    known = arms or (arm(), arm("variant:epsilon-1", "Epsilon 1", most=Epsilons(0.9, 0.9, 1.1)))
    together = Composition(tuple(a.title for a in known), "patient", "add/remove", "local", 1e-4,
                           Epsilons(7.7, 7.7, 8.9), "")  # fmt: skip
    return PrivacyRecord(known, (together,), ("Without privacy",))


def private(over: tuple[float, float | None, float | None] | None) -> Records:
    """The sample as a private run, with its paired difference over the public start."""
    plain = sample.records()
    assert plain.scores is not None
    arms = (Arm("start", "Public start", "start", 0, ""),
            Arm("variant:epsilon-1", "Epsilon 1", "variant", 960, ""))  # fmt: skip
    means = (Mean("start", 0.70, 0.66, 0.74), Mean("variant:epsilon-1", 0.69, 0.65, 0.73))
    differences = () if over is None else (Difference("federated", "start", "mean", *over),)
    scores = dataclasses.replace(
        plain.scores,
        arms=(*plain.scores.arms, *arms),
        means=(*plain.scores.means, *means),
        differences=(*plain.scores.differences, *differences),
    )
    run = dataclasses.replace(plain.run, guarantee=GuaranteeText("patient", "planned"))
    return dataclasses.replace(plain, run=run, scores=scores, privacy=spent())


@pytest.mark.parametrize(
    ("over", "tone", "said"),
    [
        ((0.03, 0.01, 0.05), "gain", "gained +0.03 AUROC (0.01 to 0.05) over the public start."),
        ((0.03, -0.01, 0.05), "noise", "cannot be told from the public start"),
        ((0.03, 0.0, 0.05), "noise", "cannot be told from the public start"),
        ((-0.03, -0.05, -0.01), "loss", "lost 0.03 AUROC (−0.05 to −0.01) against the public"),
        ((0.03, None, None), "open", "without an interval it cannot be told from it"),
        (None, "gain", "over the same network untrained"),
    ],
)
def test_private_training_is_judged_by_the_public_start(
    over: tuple[float, float | None, float | None] | None, tone: str, said: str
) -> None:
    found = verdict(private(over))
    assert found.tone == tone
    assert found.text.startswith("Private federated pretraining")
    assert said in found.text
    assert "centralised" not in found.aside
    if over is not None:
        assert "Against the same network untrained: +0.04 (0.01 to 0.06)." in found.aside


def test_a_plain_run_keeps_its_verdict_and_tells_of_its_start() -> None:
    records = dataclasses.replace(private((0.03, 0.01, 0.05)), run=sample.run_record())
    found = verdict(records)
    assert found.text.startswith("Federated pretraining gained +0.04")
    assert "Against the public start: +0.03 (0.01 to 0.05)." in found.aside


def test_no_number_stands_alone() -> None:
    section = privacy_section.section(private((0.03, 0.01, 0.05)))
    assert section is not None
    for row in (*section.rows, *section.compositions):
        assert "at δ 0.0001" in row.epsilon
        assert row.unit == "patient, add/remove, local trust"
        assert "PRV" in row.others
    assert section.rows[0].verdict == "a gain over the public start"
    assert section.rows[0].rounds == "2 ledgers, 40 rounds, 2 lost and spent"
    assert section.rows[0].others.endswith("RDP no bound")
    assert [row.title for row in section.compositions] == ["All 2 together"]
    sites = section.sites[0]
    assert [row.title for row in sites.rows] == ["sprsound", "coswara"]
    assert "251 stated" in sites.rows[0].note
    assert sites.text == "epsilon 7.5 with all it means"


def test_one_private_arm_composes_with_nothing() -> None:
    records = dataclasses.replace(private(None), privacy=spent(arm()))
    section = privacy_section.section(records)
    assert section is not None
    assert section.compositions == ()
    assert not section.compared


def test_words_follow_unit_trust_and_adjacency() -> None:
    told = dict(explained(arm()))
    assert "all recordings of that patient" in told["What is hidden"]
    assert "1,808 times as likely" in told["How well"]
    assert "1 in 10,000" in told["How well"]
    assert "with or without that patient" in told["How well"]
    assert "encoder weights, with noise in them" in told["What leaves"]
    central = arm(unit="client", trust_model="central", adjacency="replace-one",
                  most=Epsilons(None, None, None))  # fmt: skip
    told = dict(explained(central))
    assert "Not from the server" in told["From whom"]
    assert "No useful bound" in told["How well"]
    assert "without noise, to the server alone" in told["What leaves"]


def test_what_is_not_covered_follows_the_run() -> None:
    said = dict(uncovered(spent()))
    assert {"This page", "Choices", "Other runs", "Stated figures", "Arithmetic"} <= set(said)
    assert {"Disjoint sites", "Arms without privacy"} <= set(said)
    assert "The server" not in said
    phones = arm(
        unit="client", trust_model="central", sites=(SITE,), cohort=Cohort(20, 200, 10_000)
    )
    said = dict(uncovered(PrivacyRecord((phones,), ())))
    assert {"The server", "A simulated cohort"} <= set(said)
    assert "Disjoint sites" not in said
    assert "Arms without privacy" not in said


def test_a_cohort_that_stands_for_more_is_told() -> None:
    phones = arm(unit="client", trust_model="central", cohort=Cohort(20, 200, 10_000))
    section = privacy_section.section(dataclasses.replace(private(None), privacy=spent(phones)))
    assert section is not None
    assert "simulated 20, assumed 200, population 10,000" in section.rows[0].note


def test_the_page_and_the_terminal_have_it(tmp_path: Path) -> None:
    from rich.console import Console

    out = sample.write(tmp_path, private((0.03, -0.01, 0.05)))
    folder.save(out, spent())
    assert folder.read(out).privacy == spent()
    text = page.write(out).read_text(encoding="utf-8")
    for said in ("7.50 at δ 0.0001", "cannot be told from the public start", "All 2 together",
                 "In plain words", "What it does not cover", "Utility against"):  # fmt: skip
        assert said in text
    shown = io.StringIO()
    console = Console(width=160, file=shown)
    console.print(summary(out))
    told = shown.getvalue()
    assert "7.50 at δ 0.0001 per patient, add/remove, local trust" in told
    assert "All 2 together" in told


def test_a_run_without_privacy_has_no_such_words() -> None:
    text = page.html(sample.records())
    assert "What was spent" not in text
    assert tradeoff(sample.records()) is None
    assert privacy_section.section(sample.records()) is None


def test_the_figure_goes_from_strict_to_unbounded() -> None:
    figure = tradeoff(private((0.03, -0.01, 0.05)))
    assert figure is not None
    assert figure.wide.index("Epsilon 1") < figure.wide.index("Federated")
    assert [key.text for key in figure.keys] == ["Private", "Public start"]
