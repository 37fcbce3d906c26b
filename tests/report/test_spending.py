"""From ledgers to the privacy record: against the accountants called by hand."""

from pathlib import Path

import pytest

from fedbreath.config import load
from fedbreath.errors import LedgerError
from fedbreath.privacy import Plan
from fedbreath.privacy.accounting import epsilon
from fedbreath.privacy.terms import Event, Terms
from fedbreath.report import spending
from fedbreath.report.spending import Spender
from fedbreath.site.ledger import Ledger
from fedbreath.site.records import Budget, planned

WORDS = ("privacy=patient", "privacy.delta=1e-3", "privacy.rate=0.5", "strategy.weighting=uniform",
         "rounds=4", "training.steps=3")  # fmt: skip
PHONES = ("privacy=client_central", "privacy.sigma=1.5", "privacy.population=10000",
          "privacy.simulated=20", "strategy.weighting=uniform", "rounds=4")  # fmt: skip


def spender(folder: Path, name: str, *words: str) -> Spender:
    return Spender(name, name.title(), folder / name, load(words))


def spend(arm: Spender, place: Path, site: str, population: int, rounds: int, lost: int) -> None:
    """What the rounds of one site leave in its folder; the last `lost` never got a reply."""
    mechanism = arm.config.privacy.build(Plan(arm.config.rounds, arm.config.training.steps))
    terms = mechanism.spec.terms(mechanism.unit, mechanism.trust_model, population)
    for name in ("privacy", "privacy-heads"):
        (place / name).mkdir(parents=True, exist_ok=True)
    ledger = Ledger(place / "privacy", place / "privacy-heads", site, "run")
    ledger.begin(Budget(100.0, terms))
    for number in range(1, rounds + 1):
        reserved = ledger.reserve(planned(mechanism, "run", number, "digest"))
        if number <= rounds - lost:
            ledger.commit(reserved, "0" * 64)


def hospital(folder: Path, name: str, sigma: float, rounds: int = 4, lost: int = 0) -> Spender:
    """Two sites, of which the second did fewer rounds."""
    words = (*WORDS, f"privacy.sigma={sigma}", "+privacy.populations={a: 251, b: 126}")
    arm = spender(folder, name, *words)
    spend(arm, arm.folder / "sites/a", "a", 251, rounds, lost)
    spend(arm, arm.folder / "sites/b", "b", 126, rounds - 1, 0)
    return arm


def test_an_arm_is_what_its_ledgers_say(tmp_path: Path) -> None:
    record = spending.record([hospital(tmp_path, "one", 2.0, lost=1)])
    assert record is not None
    (arm,) = record.arms
    first, second = arm.sites
    assert (first.site, first.population, first.rate, first.rule) == ("a", 251, 0.5, "C")
    assert first.sigma == pytest.approx(2.0)
    assert (first.reserved, first.committed, first.steps) == (4, 3, 12)
    assert (second.reserved, second.committed, second.steps) == (3, 3, 9)
    terms = Terms("patient", "add/remove", "local", 1e-3, 251)
    event = Event(2.0, 1.0, 0.5, 12)
    assert first.spent.pld == pytest.approx(epsilon(event, terms).value)
    assert first.spent.prv == pytest.approx(epsilon(event, terms, "PRV").value)
    assert first.spent.rdp == pytest.approx(epsilon(event, terms, "RDP").value)
    assert arm.most == first.spent
    assert second.spent.pld is not None
    assert second.spent.pld < (first.spent.pld or 0)
    assert (arm.unit, arm.adjacency, arm.trust_model, arm.delta) == (
        "patient", "add/remove", "local", 1e-3
    )  # fmt: skip
    assert arm.released == "encoder weights"


def test_arms_compose_as_events(tmp_path: Path) -> None:
    arms = [hospital(tmp_path, "one", 2.0), hospital(tmp_path, "two", 4.0)]
    record = spending.record([*arms, spender(tmp_path, "plain")])
    assert record is not None
    (together,) = record.compositions
    assert together.arms == ("One", "Two")
    terms = Terms("patient", "add/remove", "local", 1e-3, 251)
    expected = epsilon([Event(2.0, 1.0, 0.5, 12), Event(4.0, 1.0, 0.5, 12)], terms)
    assert together.spent.pld == pytest.approx(expected.value)
    assert "nobody is at two of the 2 sites" in together.text
    assert record.unprotected == ("Plain",)


def test_what_is_about_something_else_does_not_compose(tmp_path: Path) -> None:
    patients = hospital(tmp_path, "one", 2.0)
    phones = spender(tmp_path, "phones", *PHONES)
    spend(phones, phones.folder, "server", 10_000, 4, 0)
    record = spending.record([patients, phones])
    assert record is not None
    assert [one.arms for one in record.compositions] == [("One",), ("Phones",)]
    of = record.arms[1]
    assert (of.unit, of.trust_model) == ("client", "central")
    assert of.cohort is not None
    assert (of.cohort.simulated, of.cohort.assumed, of.cohort.population) == (20, 200, 10_000)
    assert "simulated 20, assumed 200, population 10000" in of.text
    assert "sites" not in of.text


def test_under_replace_one_pld_stands_alone(tmp_path: Path) -> None:
    arm = spender(tmp_path, "one", *WORDS, "privacy.sigma=3", "privacy.population=251",
                  "privacy.adjacency=replace-one")  # fmt: skip
    spend(arm, arm.folder / "sites/a", "a", 251, 2, 0)
    record = spending.record([arm])
    assert record is not None
    most = record.arms[0].most
    assert most.pld is not None
    assert (most.prv, most.rdp) == (None, None)


def test_nothing_private_leaves_no_record(tmp_path: Path) -> None:
    assert spending.record([spender(tmp_path, "plain")]) is None
    unasked = spender(tmp_path, "one", *WORDS, "privacy.population=251")
    assert spending.record([unasked]) is None


def test_a_changed_ledger_is_no_source(tmp_path: Path) -> None:
    arm = hospital(tmp_path, "one", 2.0)
    path = next((arm.folder / "sites/a/privacy").glob("*.jsonl"))
    *kept, _ = path.read_text().splitlines(keepends=True)
    path.write_text("".join(kept[:-2]))
    with pytest.raises(LedgerError):
        spending.record([arm])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("training.head=averaged",), "weights of encoder and projection head, counts and losses"),
        ((), "encoder weights, counts and losses"),
        ((*WORDS, "privacy.population=251"), "encoder weights"),
        (
            (*WORDS, "privacy.population=251", "training.head=averaged"),
            "weights of encoder and projection head",
        ),
    ],
)
def test_under_privacy_weights_alone_leave(words: tuple[str, ...], said: str) -> None:
    assert spending.released(load(words)) == said
