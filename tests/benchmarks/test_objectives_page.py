"""Rows, intervals, finalists, words and the page, of a study that was never run."""

import csv
import io
import zlib
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import objectives_page as page
from benchmarks.objectives_figure import gains
from benchmarks.objectives_grid import Run
from benchmarks.objectives_records import Dealt, Result
from benchmarks.objectives_table import Sheet, as_csv, finalists, sheet
from benchmarks.objectives_terminal import summary, terminal
from benchmarks.objectives_worth import sentences, worth
from fedbreath.report.decoding import dumps, loads
from fedbreath.report.score_records import SkippedTask
from tests.report import sample

SCORES = sample.records().scores
assert SCORES is not None
GROUPS = ("lung", "lung", "cough", "kind")
TASKS = tuple(
    replace(task, group=group) for task, group in zip(SCORES.tasks[:4], GROUPS, strict=True)
)
DEALT = Dealt("d", "validation", {"north": 40, "south": 30}, TASKS, (SkippedTask("x", "too few"),))
SHARED = np.random.default_rng(0).normal(0, 0.02, 201)
SHARED[0] = 0.0


def result(run: Run, value: float, own: float = 0.002, failed: str = "") -> Result:
    """A run whose AUROC is `value` on every task; most of its noise is everybody's."""
    if failed:
        return Result(run, (), failed=failed)
    rng = np.random.default_rng(zlib.crc32(run.title.encode()))
    noise = rng.normal(0, own, 201)
    noise[0] = 0.0
    draws = tuple((value + SHARED + noise).tolist())
    return Result(
        run, (), "", 245_104, 384, ("north",), 50.0, 3.0, (), {t.name: draws for t in TASKS}
    )


def run(objective: str, scheme: str, encoder: str = "cnn", seed: int = 0) -> Run:
    return Run("screening", "trained", "real", objective, encoder, scheme, seed, 5, 6, 4)


def results() -> dict[Run, Result]:
    found = {}
    for encoder in ("cnn", "vit"):
        for seed, value in enumerate((0.59, 0.60, 0.61)):
            one = Run("screening", "untrained", "real", "", encoder, "", seed)
            found[one] = result(one, value)
        for objective, central, federated in (
            ("descriptors", 0.70, 0.68), ("cola", 0.605, 0.6052), ("byol", 0.5, 0.5)
        ):  # fmt: skip
            for scheme, value in (("centralised", central), ("federated", federated)):
                one = run(objective, scheme, encoder)
                found[one] = result(one, value - 0.01 * (encoder == "vit"))
    one = Run("screening", "features", "real", "log_mel")
    found[one] = result(one, 0.62)
    lost = run("vicreg", "federated")
    found[lost] = result(lost, 0.0, failed="ValueError: <loss> is not finite")
    return found


@pytest.fixture
def found() -> Sheet:
    return sheet(results(), DEALT, "screening", "real")


def test_a_row_is_compared_with_the_untrained_network_of_its_encoder(found: Sheet) -> None:
    rows = {row.key: row for row in found.rows}
    row = rows["trained", "descriptors", "vit", "federated"]
    assert row.means["mean"].value == pytest.approx(0.67)
    assert row.gains["mean"].value == pytest.approx(0.07)
    assert row.gaps["mean"].value == pytest.approx(-0.02)
    # The noise that all runs share is not in a paired difference.
    assert row.gains["mean"].high - row.gains["mean"].low < 0.02
    assert row.means["mean"].high - row.means["mean"].low > 0.05
    assert rows["untrained", "", "cnn", ""].range == pytest.approx((0.59, 0.61))
    assert not rows["features", "log_mel", "", ""].gains
    assert row.steps == 120


def test_seeds_are_a_mean_inside_every_resample() -> None:
    all_seeds = [v for r, v in results().items() if r.kind == "untrained" and r.encoder == "cnn"]
    expected = np.mean([v.draws[TASKS[0].name] for v in all_seeds], axis=0)
    made = sheet(results(), DEALT, "screening", "real").draws["untrained", "", "cnn", ""]
    np.testing.assert_allclose(made["mean"], expected)


def test_the_best_go_on_and_some_always(found: Sheet) -> None:
    assert finalists(found, 1) == [("descriptors", "cnn"), ("cola", "cnn")]
    assert finalists(found, 3) == [("descriptors", "cnn"), ("descriptors", "vit"), ("cola", "cnn")]
    assert finalists(found, 0) == []


def test_finalists_stand_beside_the_rows_that_were_made_once() -> None:
    more = results()
    for seed in range(3):
        one = replace(run("cola", "federated", seed=seed), stage="finalists")
        more[one] = result(one, 0.6 + 0.01 * seed)
    (row,) = [r for r in sheet(more, DEALT, "finalists", "real").rows if r.key[0] == "trained"]
    assert row.seeds == 3
    assert row.range == pytest.approx((0.60, 0.62))
    assert row.gains["mean"].value == pytest.approx(0.01)
    assert not sheet(more, DEALT, "test", "real").rows


def test_words_say_what_is_noise(found: Sheet) -> None:
    told = " ".join(sentences(found))
    assert "Centralised, descriptors gained over the untrained network." in told
    assert "byol lost against" in told
    assert "cola cannot be told from the untrained network (the interval includes 0)" in told
    assert "Federated against centralised, 6 pairs: " in told
    assert worth(found)[0].encoders == ("cnn", "vit")


def test_the_page_shows_everything_and_asks_for_nothing(found: Sheet) -> None:
    html = page.html([found], "Every run takes the same time, 50 s.")
    assert html.startswith("<!doctype html>")
    assert "http" not in html.replace("http-equiv", "")
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html
    assert html.count('<tr class="trained">') == 13
    assert "ValueError: &lt;loss&gt; is not finite" in html
    assert "vicreg, cnn, federated" in html
    assert "too few" in html
    assert "120 steps" in html
    assert html == page.html([found], "Every run takes the same time, 50 s.")
    drawn = gains(found)
    assert drawn is not None
    assert "var(--blue)" in drawn.wide
    assert "descriptors federated +0.0" in drawn.wide


def test_a_page_of_test_persons_says_so(found: Sheet) -> None:
    tested = replace(found, stage="test", dealt=replace(DEALT, persons="test"))
    html = page.html([found, tested], "x")
    assert "scored on these once" in html
    assert html.index("Test persons: real") < html.index("Screening: real")


def test_a_page_of_nothing() -> None:
    empty = sheet({}, replace(DEALT, tasks=()), "screening", "real")
    assert "Nothing has been trained" in page.html([empty], "x")
    assert gains(empty) is None
    list(terminal([empty]))


def test_the_table_holds_every_row(found: Sheet) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv([found]))))
    assert sum(r["failed"] != "" for r in rows) == 1
    mine = [r for r in rows if r["objective"] == "cola" and r["encoder"] == "vit"]
    assert {r["average"] for r in mine} == {a.name for a in found.averages}
    assert summary([found])[0]["failed"] == {
        "vicreg cnn federated": "ValueError: <loss> is not finite"
    }
    assert summary([found])[0]["rows"]["cola cnn federated"]["mean"] == 0.6052


def test_a_result_is_read_as_it_was_written() -> None:
    one = result(run("cola", "federated"), 0.6)
    assert loads(Result, dumps(one)) == one
