"""``fedbreath audit``: what it prints, and its exit codes."""

import json

import pytest
from typer.testing import CliRunner

from fedbreath import audit_command
from fedbreath.audit.sensitivity import PROVES, Effort
from fedbreath.audit.site import Setting
from fedbreath.cli import app
from fedbreath.errors import ConfigError, PrivacyError, UserError

SOUND = ("objective=masked", "privacy=patient", "privacy.population=250", "privacy.sigma=4.0")
REFUSED = ("objective=cola", "privacy=recording", "privacy.population=250", "privacy.sigma=4.0")


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    effort = Effort((Setting(0.01, 0.1, still=True),), (8, 128), keys=1, ascent=10)
    for name in ("NORMAL", "SOME"):
        monkeypatch.setattr(audit_command, name, effort)


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", *words], env={"COLUMNS": "120"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_help_shows_a_command_a_line() -> None:
    _, text = call("sensitivity", "--help")
    assert "\\b" not in text
    assert "\n  fedbreath audit sensitivity objective=cola privacy=recording" in text


def test_a_claim_that_holds() -> None:
    code, text = call("sensitivity", *SOUND)
    assert code == 0
    assert "objective=masked privacy=patient, grad=ghost; a CNN" in text
    assert "one patient more or less moves the sum by at most D_add = C = 1" in text
    for family in ("identical", "antipodal", "silence", "norms x 400", "left behind"):
        assert family in text
    assert "the claim HOLDS in all cases tried" in text
    assert "BROKEN" not in text
    assert PROVES in text


def test_a_refused_pair_says_why() -> None:
    with pytest.raises(ConfigError, match="objective=cola cannot go with privacy=recording"):
        call("sensitivity", *REFUSED)


def test_a_refused_pair_is_audited_nevertheless() -> None:
    code, text = call("sensitivity", *REFUSED, "--anyway")
    assert code == 1
    assert "the claim is BROKEN" in text
    code, text = call("empirical", *REFUSED, "--anyway")
    assert code == 1
    assert "claim:    epsilon 0.926" in text
    assert "measured: epsilon >= 4.19" in text
    assert "200 of 200 guesses right" in text
    assert "the claim is FALSE" in text


def test_a_sum_that_nothing_moves_is_no_success() -> None:
    # Each alone: a contrast has nothing to be told from.
    code, text = call("sensitivity", *REFUSED, "privacy.grad=vmap", "--anyway")
    assert code == 0
    assert "no case moved the sum at all" in text
    assert "HOLDS" not in text


def test_an_attack_on_a_claim_that_holds() -> None:
    code, text = call("empirical", *SOUND, "--trials", "50")
    assert code == 0
    assert "per patient of 250, add/remove adjacency, local trust model, by PLD" in text
    assert "of one step in which the unit is drawn for certain (q = 1)" in text
    assert "of 50 guesses right" in text
    assert "the claim is not contradicted" in text


def test_export() -> None:
    code, text = call("sensitivity", *SOUND, "--json")
    found = json.loads(text)
    assert code == 0
    assert found["holds"]
    assert (found["rule"], found["d_add"], found["unit"]) == ("C", 1.0, "patient")
    assert found["ratio"] == pytest.approx(1)
    assert found["families"]["identical"]["tolerance"] == 1e-6
    code, text = call("empirical", *SOUND, "--json")
    found = json.loads(text)
    assert found["claim"]["epsilon"] == pytest.approx(0.926, abs=0.01)
    assert found["rate"] == 1
    assert found["steps"] == 1
    assert found["trials"] == 200


@pytest.mark.parametrize("which", ["sensitivity", "empirical"])
def test_where_nothing_is_claimed(which: str) -> None:
    with pytest.raises(PrivacyError, match="makes no claim"):
        call(which)
    with pytest.raises(UserError, match="population"):
        call(which, "privacy=patient")
    with pytest.raises(ConfigError, match="no such choice"):
        call(which, "privacy=patients", "--anyway")
