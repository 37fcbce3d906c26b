"""Rows, verdicts, words and the page, of a study that was never run."""

import csv
import io
import zlib
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import federation_page as page
from benchmarks.federation_figure import gaps
from benchmarks.federation_grid import Run
from benchmarks.federation_records import Result
from benchmarks.federation_table import LOCAL, Key, Row, Sheet, as_csv, paired, sheet
from benchmarks.federation_terminal import summary, terminal
from benchmarks.federation_verdict import (
    default,
    leads,
    non_inferiority,
    ranked,
    sentences,
    verdicts,
    winner,
)
from benchmarks.objectives_records import Dealt
from benchmarks.objectives_table import Estimate
from fedbreath.report.decoding import dumps, loads
from fedbreath.report.score_records import SkippedTask
from tests.report import sample

SCORES = sample.records().scores
assert SCORES is not None
TASKS = tuple(replace(task, group="person", in_mean=True) for task in SCORES.tasks[:2])
DEALT = Dealt("d", "validation", {"north": 40, "south": 30}, TASKS, (SkippedTask("x", "too few"),))
SHARED = np.random.default_rng(0).normal(0, 0.02, 201)

#: AUROC of each row in a setting in which something is learnt.
VALUES: dict[Key, float] = {
    ("untrained", ""): 0.60,
    ("centralised", ""): 0.70,
    ("federated", "fedavg"): 0.68,
    ("federated", "fedadam"): 0.70,
    ("federated", "ldawa"): 0.55,
    LOCAL: 0.64,
}


def result(run: Run, value: float, own: float = 0.002, failed: str = "") -> Result:
    """A run whose AUROC is `value` on every task; most of its noise is everybody's."""
    if failed:
        return Result(run, (), failed=failed)
    rng = np.random.default_rng(zlib.crc32(run.title.encode()))
    noise = SHARED + rng.normal(0, own, 201)
    noise[0] = 0.0
    draws = tuple((value + noise).tolist())
    return Result(run, (), "", 50.0, 3.0, 0.004, (), {t.name: draws for t in TASKS})


def results(setting: str = "real", values: dict[Key, float] = VALUES) -> dict[Run, Result]:
    found = {}
    for (arm, strategy), value in values.items():
        for seed in range(2):
            for site in ("north", "south") if arm == "local" else ("",):
                run = Run("validation", setting, arm, strategy, None, site, seed, 5, 6, 2, 2)  # type: ignore[arg-type]
                shift = {"north": 0.02, "south": -0.02}.get(site, 0.0)
                found[run] = result(run, value + shift + 0.01 * seed)
    return found


def made(setting: str = "real", values: dict[Key, float] = VALUES) -> Sheet:
    return sheet(results(setting, values), DEALT, "validation", setting)


def rows(one: Sheet) -> dict[Key, Row]:
    return {row.key: row for row in one.rows}


def test_a_row_is_paired_with_its_seeds() -> None:
    row = rows(made())["federated", "fedavg"]
    assert row.means["mean"].value == pytest.approx(0.685)
    assert row.gains["mean"].value == pytest.approx(0.08)
    assert row.gaps["mean"].value == pytest.approx(-0.02)
    assert row.over_local["mean"].value == pytest.approx(0.04)
    assert not row.over_fedavg
    # The noise that all runs share is not in a paired difference.
    assert row.gaps["mean"].high - row.gaps["mean"].low < 0.02
    assert row.means["mean"].high - row.means["mean"].low > 0.05
    assert row.range == pytest.approx((0.68, 0.69))
    assert (row.seeds, row.encoders, row.steps) == (2, 2, 60)


def test_sites_alone_are_a_mean_over_sites() -> None:
    row = rows(made())[LOCAL]
    assert row.means["mean"].value == pytest.approx(0.645)
    assert (row.seeds, row.encoders) == (2, 4)
    assert row.gaps["mean"].value == pytest.approx(-0.06)
    assert not row.ratios


def test_the_share_of_the_gain() -> None:
    found = rows(made())
    assert found["federated", "fedavg"].ratios["mean"].value == pytest.approx(0.8)
    assert found["federated", "fedadam"].ratios["mean"].value == pytest.approx(1.0)
    assert found["federated", "ldawa"].ratios["mean"].value < 0
    assert not found["centralised", ""].ratios


def test_no_share_of_a_gain_that_is_noise() -> None:
    one = made(values={**VALUES, ("centralised", ""): 0.60})
    assert not any(row.ratios for row in one.rows)
    assert "no share of it is stated" in " ".join(sentences(one))
    assert "no share of it is stated" not in " ".join(sentences(made()))


def test_seeds_that_both_have_are_compared() -> None:
    found = results()
    lost = next(r for r in found if r.strategy == "fedavg" and r.seed == 1)
    found[lost] = result(lost, 0.0, failed="ValueError: <loss>")
    one = sheet(found, DEALT, "validation", "real")
    row = rows(one)["federated", "fedavg"]
    assert row.gaps["mean"].value == pytest.approx(-0.02)
    assert (row.seeds, row.failed) == (1, "ValueError: <loss>")
    assert paired(one.draws, ("federated", "fedema"), LOCAL, "mean") is None


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ((-0.0099, 0.02), "non-inferior"),
        ((0.01, 0.02), "non-inferior"),
        ((-0.01, 0.02), "open"),
        ((-0.03, -0.01), "open"),
        ((-0.03, -0.0101), "inferior"),
    ],
)
def test_the_margin(bounds: tuple[float, float], says: str) -> None:
    assert non_inferiority(Estimate(sum(bounds) / 2, *bounds)) == says
    assert non_inferiority(None) == "open"


def test_verdicts_of_every_row() -> None:
    found = verdicts([made()])
    assert found["validation", "real", ("federated", "fedadam")] == "non-inferior"
    assert found["validation", "real", ("federated", "fedavg")] == "inferior"
    assert ("validation", "real", ("centralised", "")) not in found


def test_words_say_who_wins_and_what_is_noise() -> None:
    told = " ".join(sentences(made()))
    assert "fedadam has the greatest mean, +0.020 (" in told
    assert "within noise" not in told
    assert "fedadam: loses less than the margin" in told
    assert "fedavg and ldawa: loses more than the margin" in told
    assert "Ahead of sites alone: fedadam and fedavg." in told
    assert "Behind sites alone: ldawa." in told
    close = made(values={**VALUES, ("federated", "fedadam"): 0.6802})
    assert "to fedavg, within noise" in " ".join(sentences(close))


def test_the_default_follows_who_is_ahead_and_never_behind() -> None:
    ahead, behind = made(), made("iid5", {**VALUES, ("federated", "fedadam"): 0.67})
    assert default([ahead])[0] == winner([ahead]) == "fedadam"
    name, why = default([ahead, behind])
    assert (name, winner([ahead, behind])) == ("fedavg", "fedadam")
    assert "behind in iid5" in why
    assert [lead.strategy for lead in leads([ahead, behind])] == ["fedadam", "ldawa"]
    close = made(values={**VALUES, ("federated", "fedadam"): 0.6802})
    assert default([close])[0] == "fedavg"
    assert "within noise" in default([close])[1]
    assert default([])[0] == winner([]) == "fedavg"


def test_test_persons_choose_nothing() -> None:
    tested = replace(made(), stage="test")
    assert winner([tested]) == default([tested])[0] == "fedavg"


def test_the_page_shows_everything_and_asks_for_nothing() -> None:
    found = results()
    lost = Run("validation", "real", "federated", "fedema")
    found[lost] = result(lost, 0.0, failed="ValueError: <loss> is not finite")
    one = sheet(found, DEALT, "validation", "real")
    html = page.html([one], 960)
    assert html.startswith("<!doctype html>")
    assert "http" not in html.replace("http-equiv", "")
    assert "ValueError: &lt;loss&gt; is not finite" in html
    assert html.count('<tr class="federated">') == 4
    assert "python -m benchmarks.federation" in html
    assert "non-inferior" in html
    assert html == page.html([one], 960)
    drawn = gaps(one)
    assert drawn is not None
    assert "var(--blue)" in drawn.wide
    list(terminal([one]))


def test_a_page_of_nothing() -> None:
    empty = sheet({}, replace(DEALT, tasks=()), "validation", "real")
    assert "nothing was compared" in page.html([empty], 960)
    assert gaps(empty) is None
    assert not ranked(empty)
    assert not sentences(empty)
    list(terminal([empty]))


def test_the_table_holds_every_row() -> None:
    one = made()
    found = list(csv.DictReader(io.StringIO(as_csv([one], verdicts([one])))))
    assert {row["strategy"] for row in found} == {"", "fedavg", "fedadam", "ldawa"}
    (mine,) = [r for r in found if r["strategy"] == "fedadam" and r["average"] == "mean"]
    assert mine["verdict"] == "non-inferior"
    assert float(mine["over_fedavg"]) == pytest.approx(0.02)
    facts = summary([one])["settings"][0]["rows"]["fedavg"]
    assert facts["gap"][0] == pytest.approx(-0.02)
    assert summary([one])["default"] == "fedadam"


def test_a_result_is_read_as_it_was_written() -> None:
    one = next(iter(results().values()))
    assert loads(Result, dumps(one)) == one
