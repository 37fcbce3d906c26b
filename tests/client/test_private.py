"""A private round at a client: spent before it starts, told nothing, lost for nothing."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict

import client.app
from client.app import REFUSED, build, learner
from client.local import LocalSite, SitePrivacy
from fedbreath.config import Config, load
from fedbreath.errors import PrivacyError
from fedbreath.pretraining import Learner, rng_of
from fedbreath.privacy.accounting import epsilon
from fedbreath.privacy.terms import Event, Terms
from fedbreath.site.ledger import Ledger
from fedbreath.site.records import Budget
from fedbreath.site.state import SiteState
from tests.flower import instruction, numbers
from tests.stores import MELS, noise, person, store

WORDS = (
    f"front_end.mels={MELS} views.seconds=0.5 encoder.widths=[8] rounds=6 training.steps=2 "
    "privacy=patient privacy.population=40 privacy.rate=0.4 privacy.delta=1e-3 privacy.sigma=1.5"
)
TERMS = Terms("patient", "add/remove", "local", 1e-3, 40)
Open = Callable[[Context, Config], LocalSite]


def ledger_in(folder: Path, **options: Any) -> Ledger:
    for part in ("privacy", "heads"):
        (folder / part).mkdir(exist_ok=True)
    return Ledger(folder / "privacy", folder / "heads", "clinic", "adults", **options)


def opener(folder: Path, budget: float = 50.0, people: int = 12, **options: Any) -> Open:
    recordings = [person(n, take) for n in range(people) for take in range(2)]
    selection = store(recordings, noise(len(recordings))).select()

    def open_site(context: Context, config: Config) -> LocalSite:
        ledger = ledger_in(folder, **options)
        privacy = SitePrivacy.at(ledger, Budget(budget, TERMS), folder, "run-7")
        return LocalSite("clinic", selection, SiteState(folder / "state"), privacy)

    return open_site


def sent(number: int = 1, words: str = WORDS, shift: float = 0.0) -> Message:
    weights = {n: t + shift for n, t in Learner(load(words)).shared_state().items()}
    content = RecordDict({"config": ConfigRecord({"server-round": number})})
    content["arrays"] = ArrayRecord(weights)
    return instruction(5, content)


def answer(open_site: Open, asked: Message, words: str = WORDS) -> Message:
    return build(open_site)(asked, Context(7, 5, {}, RecordDict(), {"overrides": words}))


def refusal(reply: Message) -> str:
    assert reply.has_error(), "it was answered"
    assert reply.error.code == REFUSED
    return str(reply.error.reason)


def kinds(folder: Path) -> list[str]:
    lines = (folder / "privacy/clinic.adults.jsonl").read_text().splitlines()
    return [json.loads(line)["kind"] for line in lines]


def test_nothing_is_told_but_weights_the_site_and_the_runs_own_steps(tmp_path: Path) -> None:
    reply = answer(opener(tmp_path), sent())
    assert set(reply.content) == {"arrays", "metrics", "site"}
    assert dict(reply.content.metric_records["metrics"]) == {"steps": 2}
    assert dict(reply.content.config_records["site"]) == {"name": "clinic", "round": 1}
    asked = Learner(load(WORDS)).shared_state()
    found = numbers(reply.content.array_records["arrays"])
    assert {n: a.shape for n, a in found.items()} == {n: tuple(t.shape) for n, t in asked.items()}


def test_a_round_is_reserved_before_it_starts_and_committed_before_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    plain = Learner.fit

    def fit(self: Learner, *args: Any, **kwargs: Any) -> Any:
        seen.append(kinds(tmp_path))
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Learner, "fit", fit)
    answer(opener(tmp_path), sent())
    assert seen == [["open", "reserve"]]
    assert kinds(tmp_path) == ["open", "reserve", "commit"]


def test_a_stored_reply_is_sent_again_for_nothing(tmp_path: Path) -> None:
    first, again = (answer(opener(tmp_path), sent()) for _ in range(2))
    assert kinds(tmp_path) == ["open", "reserve", "commit"]
    before, after = (numbers(m.content.array_records["arrays"]) for m in (first, again))
    assert all(np.array_equal(before[n], after[n]) for n in before)


def test_the_same_round_from_other_weights_is_a_new_release(tmp_path: Path) -> None:
    answer(opener(tmp_path), sent())
    answer(opener(tmp_path), sent(shift=0.5))
    assert kinds(tmp_path) == ["open", "reserve", "commit", "reserve", "commit"]


def test_a_reply_that_was_changed_on_disk_is_not_sent(tmp_path: Path) -> None:
    answer(opener(tmp_path), sent())
    (path,) = (tmp_path / "replies").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    answer(opener(tmp_path), sent())
    assert kinds(tmp_path)[-2:] == ["reserve", "commit"]


def test_a_crash_after_the_reservation_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Learner, "fit", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            answer(opener(tmp_path), sent())
    one = ledger_in(tmp_path).spent().value
    answer(opener(tmp_path), sent())
    assert kinds(tmp_path) == ["open", "reserve", "reserve", "commit"]
    assert ledger_in(tmp_path).spent().value > one > 0


def test_rounds_never_reset_the_ledger(tmp_path: Path) -> None:
    spent = []
    for number in range(1, 4):
        answer(opener(tmp_path), sent(number))
        spent.append(ledger_in(tmp_path).spent().value)
    assert spent[0] < spent[1] < spent[2] < 3 * spent[0]


def test_an_exhausted_budget_trains_nothing_and_releases_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    enough = epsilon(Event(1.5, 1.0, 0.4, 2), TERMS).value * 1.01
    answer(opener(tmp_path, budget=enough), sent())
    monkeypatch.setattr(Learner, "fit", lambda *_, **__: pytest.fail("it was trained"))
    with caplog.at_level(logging.WARNING):
        assert refusal(answer(opener(tmp_path, budget=enough), sent(2))) == "BudgetError"
    assert "is used up" in caplog.text
    assert kinds(tmp_path) == ["open", "reserve", "commit"]


@pytest.mark.parametrize("harm", ["lost", "changed", "rolled back"])
def test_a_ledger_that_cannot_be_trusted_stops_the_site(
    tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "privacy/clinic.adults.jsonl"
    answer(opener(tmp_path), sent())
    older = path.read_bytes()
    answer(opener(tmp_path), sent(2))
    if harm == "lost":
        path.unlink()
    else:
        path.write_bytes(older if harm == "rolled back" else older.replace(b'"q":0.4', b'"q":0.1'))
    monkeypatch.setattr(Learner, "fit", lambda *_, **__: pytest.fail("it was trained"))
    assert refusal(answer(opener(tmp_path), sent(3))) == "LedgerError"


def test_a_clock_that_went_back_stops_the_site(tmp_path: Path) -> None:
    answer(opener(tmp_path, clock=lambda: 1_700_000_000.0), sent())
    late = opener(tmp_path, clock=lambda: 1_600_000_000.0)
    assert refusal(answer(late, sent(2))) == "LedgerError"


def test_a_run_without_privacy_is_refused_where_the_site_asks_for_it(tmp_path: Path) -> None:
    words = WORDS[: WORDS.index("privacy=")]
    assert refusal(answer(opener(tmp_path), sent(words=words), words)) == "PrivacyError"
    central = f"{words} privacy=client_central privacy.population=900"
    assert refusal(answer(opener(tmp_path), sent(words=central), central)) == "PrivacyError"
    assert kinds(tmp_path) == ["open"]


def test_a_private_run_is_refused_where_nobody_has_set_a_budget(tmp_path: Path) -> None:
    def open_site(context: Context, config: Config) -> LocalSite:
        selection = store([person(n) for n in range(9)], noise(9)).select()
        return LocalSite("clinic", selection, SiteState(tmp_path))

    assert refusal(answer(open_site, sent())) == "PrivacyError"


def test_a_weaker_unit_is_refused(tmp_path: Path) -> None:
    words = f"{WORDS} privacy=recording".replace("privacy=patient ", "")
    assert refusal(answer(opener(tmp_path), sent(words=words), words)) == "PrivacyError"
    assert kinds(tmp_path) == ["open"]


def test_persons_that_nobody_knows_are_refused_per_patient(tmp_path: Path) -> None:
    def open_site(context: Context, config: Config) -> LocalSite:
        nobody = [replace(person(n), subject=None) for n in range(9)]
        selection = store(nobody, noise(9)).select()
        privacy = SitePrivacy.at(ledger_in(tmp_path), Budget(50.0, TERMS), tmp_path, "run-7")
        return LocalSite("clinic", selection, SiteState(tmp_path / "state"), privacy)

    assert refusal(answer(open_site, sent())) == "PrivacyError"


def test_what_cannot_be_made_private_is_refused_before_the_site_is_opened() -> None:
    words = f"{WORDS} encoder=opera_ct encoder.norm=group".replace("encoder.widths=[8]", "")
    words = words.replace(f"front_end.mels={MELS}", "")

    def open_site(context: Context, config: Config) -> LocalSite:
        pytest.fail("data were touched")

    message = sent()
    assert refusal(answer(open_site, message, words)) == "ConfigError"


def test_noise_is_the_operating_systems_and_not_the_seeds(tmp_path: Path) -> None:
    found = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        client.app._learners.clear()
        reply = answer(opener(tmp_path / place), sent())
        found.append(numbers(reply.content.array_records["arrays"]))
    assert not any(np.array_equal(found[0][n], found[1][n]) for n in found[0])


def test_a_fit_without_a_reservation_does_not_start() -> None:
    learn = learner(load(WORDS))
    selection = store([person(n) for n in range(9)], noise(9)).select()
    with pytest.raises(PrivacyError, match="starts only once the site's ledger"):
        learn.fit(learn.shared_state(), {}, selection, rng_of(0, "a", 1), 1, population=40)


def test_what_the_site_keeps_is_made_of_noised_gradients_alone(tmp_path: Path) -> None:
    """The head moves with the noise, too: what is kept shapes what leaves later."""
    answer(opener(tmp_path), sent())
    kept = SiteState(tmp_path / "state").before(2)
    first = Learner(load(WORDS))._first_head
    moved = [n for n, t in first.items() if not torch.equal(kept[n], t)]
    assert moved, "a head that stays at the site is trained there"
