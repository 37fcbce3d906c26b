"""The page: complete, offline, safe against names, and whole whatever the run left."""

import dataclasses
import html as entities
import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from fedbreath.errors import UserError
from fedbreath.report import figures, page
from fedbreath.report.participation import participation
from fedbreath.report.records import Failure, Participant, Records, SkippedItem
from fedbreath.report.score_records import Arm, ScoresRecord
from fedbreath.report.tables import COLUMNS, blocks
from fedbreath.report.terminal import summary
from fedbreath.report.wording import decimal, interval

from . import sample

HOSTILE = "<script>alert(1)</script>\"'&--> $a$ [b]"


class Visited(HTMLParser):
    """All elements and attributes of a page, and its text outside style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._raw = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._raw = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        self.words += "" if self._raw else f" {data}"


def scores_of(records: Records) -> ScoresRecord:
    assert records.scores is not None
    return records.scores


def renamed(records: Records, new: str) -> Records:
    """Everything that a data set, hospital or task could have named."""
    data, scores = records.data, scores_of(records)
    sites = tuple(dataclasses.replace(s, name=new) for s in data.sites[:1])
    held = tuple(
        dataclasses.replace(c, name=new, modalities={new: 9}, mixture={new: c.groups or 0})
        for c in data.clients[:1]
    )
    data = dataclasses.replace(
        data,
        sites=sites,
        clients=held,
        problems=(SkippedItem(new, new, new),),
        partition=new,
        mixture_of=new,
    )
    one = records.rounds[0]
    who = dataclasses.replace(one.participants[0], name=new)
    one = dataclasses.replace(one, participants=(who,), failures=(Failure(new, new),))
    probes = tuple(dataclasses.replace(p, task=new) for p in records.probes[:2])
    scores = dataclasses.replace(
        scores,
        tasks=tuple(
            dataclasses.replace(t, title=new, family=new, note=new, classes=(new,))
            for t in scores.tasks
        ),
        arms=tuple(dataclasses.replace(a, title=new, note=new) for a in scores.arms),
    )
    config = {"partition": {new: new}}
    run = sample.run_record(overrides=(new,), config=config, config_yaml=new, versions={new: new})
    return Records(run, data, (one,), probes, scores)


@pytest.fixture(scope="module")
def text() -> str:
    return page.html(sample.records())


def test_write_reads_the_folder_and_leaves_one_page(tmp_path: Path) -> None:
    out = sample.write(tmp_path / "out", sample.records())
    path = page.write(out)
    assert path == out / "report.html"
    assert path.read_text(encoding="utf-8") == page.html(sample.records())
    assert not list(out.glob(".*")), "a temporary file was left"


def test_write_keeps_the_old_page_when_a_record_is_broken(tmp_path: Path) -> None:
    out = sample.write(tmp_path / "out", sample.records())
    before = page.write(out).read_bytes()
    (out / "scores.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"scores\.json"):
        page.write(out)
    assert (out / "report.html").read_bytes() == before


def test_the_page_is_the_same_every_time(text: str) -> None:
    assert page.html(sample.records()) == text


@pytest.mark.parametrize("clients", [None, 1, 60])
def test_every_score_is_on_the_page(clients: int | None) -> None:
    records = sample.records(clients)
    scores = scores_of(records)
    cells = [
        (row.title, column.name, cell.text, cell.bounds)
        for block in blocks(scores)
        for row in (*block.rows, *block.details)
        for column, cell in zip(block.columns, row.cells, strict=True)
    ]
    titles = {arm.name: arm.title for arm in scores.arms}
    for s in scores.scores:
        assert (titles[s.arm], s.task, decimal(s.value), interval(s)) in cells
    for m in scores.means:
        assert (titles[m.arm], "mean", decimal(m.value), interval(m)) in cells
    words = Visited(page.html(records)).words
    for title, _, value, bounds in cells:
        assert title in words
        assert value in words
        assert bounds in words


def test_the_controls_stand_beside_each_score(text: str) -> None:
    score = scores_of(sample.records()).scores[0]
    assert score.device is not None
    assert score.site is not None
    assert f"device {decimal(score.device)} · site {decimal(score.site)}" in text
    assert text.count("label from device") > len(sample.TASKS)
    assert "by recording, outside the mean" in text


def test_nothing_is_fetched(text: str) -> None:
    visited = Visited(text)
    assert not {"link", "iframe", "object", "embed", "img", "base"} & {t for t, _ in visited.tags}
    for tag, attributes in visited.tags:
        assert not {"src", "srcset", "action", "data", "formaction"} & attributes.keys(), tag
        for key in ("href", "xlink:href"):
            assert (attributes.get(key) or "#").startswith("#")
    assert not re.search(r"https?://|@import|url\((?!#)", text)


def test_only_our_script_may_run(text: str) -> None:
    visited = Visited(text)
    assert [t for t, _ in visited.tags].count("script") == 1
    assert not [k for _, a in visited.tags for k in a if k.startswith("on")]
    assert re.search(r"default-src 'none'; .*script-src 'sha256-[\w+/]{43}='", text)


def test_the_page_is_small(text: str) -> None:
    assert len(text.encode()) < 1_000_000
    assert len(page.html(sample.records(60)).encode()) < 2_000_000


def test_hostile_names_stay_text() -> None:
    text = page.html(renamed(sample.records(), HOSTILE))
    assert "<script>alert" not in text
    assert text.count("<script") == 1
    assert HOSTILE in Visited(text).words
    assert entities.escape("<script>") in text


def test_a_name_is_no_formula() -> None:
    name = r"$\frac$ a_b"
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", page.html(renamed(sample.records(), name)))
    assert name in drawn


def test_long_and_foreign_names_fit() -> None:
    text = page.html(renamed(sample.records(), "第一人民医院" * 30))
    for number in re.findall(r"<text[^>]*>([^<]*)</text>", text):
        assert len(number) <= 60


def test_figures_are_described_and_share_no_identifier(text: str) -> None:
    figures = re.findall(r"<svg[^>]*role=\"img\".*?</svg>", text, re.DOTALL)
    assert len(figures) == 12
    seen: set[str] = set()
    for figure in figures:
        root = ET.fromstring(figure)
        assert len(root.get("aria-label", "")) > 20
        own = {e.get("id", "") for e in root.iter()} - {""}
        assert not own & seen
        seen |= own
        used = set(re.findall(r"(?:href=\"|url\()#([\w-]+)", figure))
        assert used <= own
        assert "#fb00" not in figure, "a sentinel colour was not replaced"
        assert "#000000" not in figure, "a colour does not follow light and dark"


def test_every_colour_of_a_figure_is_defined_for_light_and_dark(text: str) -> None:
    style = text.partition("</style>")[0]
    light, _, dark = style.partition("prefers-color-scheme: dark")
    for role in set(re.findall(r"var\(--([a-z]+)\)", text)) - {"tone"}:
        assert f"--{role}:" in light
        assert f"--{role}:" in dark


def test_no_rounds_yet() -> None:
    run = sample.run_record(finished=None, seconds=None)
    records = dataclasses.replace(sample.records(), run=run, rounds=(), probes=(), scores=None)
    words = Visited(page.html(records)).words
    assert words.count("No round has finished yet") == 3
    assert "The run has not been scored yet" in words
    assert "not finished" in words


def test_evaluation_was_impossible() -> None:
    records = sample.records()
    scores = scores_of(records)
    empty = ScoresRecord((), scores.skipped, (), (), (), (), scores.ratio)
    words = Visited(page.html(dataclasses.replace(records, scores=empty))).words
    assert "No task could be evaluated" in words
    assert "class severe has 7 test subjects, fewer than 10" in words
    assert "All scores" not in words


def test_many_local_arms_become_one_row_with_details() -> None:
    block = blocks(scores_of(sample.records(60)))[0]
    local = [row for row in block.rows if row.kind == "local"]
    assert [row.title for row in local] == ["Local only (60 clients)"]
    assert len(block.details) == 60
    values = [float(row.cells[0].text) for row in block.details]
    low, middle, high = (float(v) for v in local[0].cells[0].text.split(" – "))
    assert (low, high) == (min(values), max(values))
    assert low < middle < high


def test_a_block_is_never_too_wide_and_the_mean_comes_first() -> None:
    dealt = blocks(scores_of(sample.records()))
    names = [column.name for block in dealt for column in block.columns]
    assert all(len(block.columns) <= COLUMNS for block in dealt)
    assert names[0] == "mean"
    assert set(names) == {"mean", *(task[0] for task in sample.TASKS)}


def test_a_row_that_was_not_run_stands_in_the_first_block() -> None:
    scores = scores_of(sample.records())
    note = "not run: pip install 'fedbreath[baselines]'"
    absent = Arm("opensmile_compare", "openSMILE ComParE_2016", "features", 0, note)
    scores = dataclasses.replace(scores, arms=(*scores.arms, absent))
    first, *others = blocks(scores)
    assert [row.note for row in first.rows][-1] == note
    assert {cell.text for cell in first.rows[-1].cells} == {"–"}
    assert all(row.title != absent.title for block in others for row in block.rows)
    text = page.html(dataclasses.replace(sample.records(), scores=scores))
    assert "not run: pip install" in text
    drawn = figures.forest(scores)
    assert drawn is not None
    assert absent.title not in [key.text for key in drawn.keys]


def test_a_mark_needs_a_paired_interval_that_leaves_out_zero() -> None:
    marks = {
        sure: blocks(sample.scores_record(["a"], bounds))[0].rows[0].cells[0].mark
        for sure, bounds in {
            "gain": (0.03, 0.01, 0.05),
            "": (0.03, -0.01, 0.07),
            "loss": (-0.03, -0.05, -0.01),
        }.items()
    }
    assert marks == {"gain": "gain", "": "", "loss": "loss"}


def test_missing_intervals_are_said_to_be_missing() -> None:
    records = sample.records()
    scores = scores_of(records)
    bare = tuple(dataclasses.replace(s, low=None, high=None) for s in scores.scores)
    pairs = tuple(dataclasses.replace(d, low=None, high=None) for d in scores.differences)
    scores = dataclasses.replace(scores, scores=bare, differences=pairs)
    words = Visited(page.html(dataclasses.replace(records, scores=scores))).words
    assert words.count("no interval") >= len(bare)
    assert "without an interval this shows nothing" in words


def test_validation_persons_are_called_so() -> None:
    records = sample.records()
    assert "validation persons" not in Visited(page.html(records)).words
    scores = dataclasses.replace(scores_of(records), persons="validation")
    sites = tuple(dataclasses.replace(site, hidden_recordings=3) for site in records.data.sites)
    data = dataclasses.replace(records.data, sites=sites)
    words = Visited(page.html(dataclasses.replace(records, scores=scores, data=data))).words
    assert "Scores are of validation persons, to choose by" in words
    assert "AUROC on the validation persons" in words
    assert "51 validation persons" in words
    assert "recordings of test and validation persons, which no pretraining sees" in words
    assert "on the test persons" not in words


def test_losses_that_are_not_told() -> None:
    records = sample.records()
    quiet = tuple(
        dataclasses.replace(
            r,
            participants=tuple(
                Participant(p.name, None, None, None, None, None) for p in r.participants
            ),
        )
        for r in records.rounds
    )
    assert "No client tells its loss" in page.html(dataclasses.replace(records, rounds=quiet))


def test_problems_are_grouped_and_counted(text: str) -> None:
    skips = page.skips(sample.data_record().problems)
    assert [(s.reason, s.count) for s in skips] == [("silent", 31), ("too short", 4)]
    assert "0030/cough-heavy.wav" in text


def test_zero_problems_are_said_to_be_zero() -> None:
    records = sample.records()
    data = dataclasses.replace(records.data, problems=())
    assert "every file that was found could be used" in page.html(
        dataclasses.replace(records, data=data)
    )


def test_a_long_list_of_problems_is_cut_and_says_so() -> None:
    records = sample.records()
    many = tuple(SkippedItem("a", f"{n}.wav", "silent: quiet") for n in range(page.LISTED + 7))
    text = page.html(
        dataclasses.replace(records, data=dataclasses.replace(records.data, problems=many))
    )
    assert "and 7 more, all listed in data.json" in text


def test_failures_are_listed_by_code_client_and_round() -> None:
    records = sample.records()
    one = dataclasses.replace(records.rounds[0], failures=(Failure("kauh", "timeout"),))
    again = dataclasses.replace(one, number=2)
    found = page.failures(dataclasses.replace(records, rounds=(one, again)))
    assert found == {"timeout": {"kauh": [1, 2]}}


def test_the_command_can_be_pasted_into_a_shell() -> None:
    assert page.command(["data=real", "a=[1, 2]"]) == "python -m simulation data=real 'a=[1, 2]'"


def test_hostile_clients_are_named_at_the_top_and_in_the_terminal(tmp_path: Path) -> None:
    records = sample.records()
    assert "Hostile clients" not in page.html(records)
    adversary = {"share": 0.2, "attack": "random", "factor": 2.0}
    attacked = dataclasses.replace(
        records,
        data=dataclasses.replace(records.data, hostile=("kauh",)),
        run=dataclasses.replace(records.run, config={"adversary": adversary}),
    )
    said = (
        "1 of 5 clients of this simulation were made hostile and sent noise 2 times as long as "
        "their updates in every round that called them: kauh."
    )
    text = page.html(attacked)
    assert said in text
    assert text.index(said) < text.index("Who took part")
    console = Console(width=400, record=True, file=io.StringIO())
    console.print(summary(sample.write(tmp_path, attacked)))
    assert said in console.export_text()


def test_who_was_asked_again_took_part_and_the_round_is_named() -> None:
    records = sample.records()
    took = records.rounds[0].participants[0].name
    one = dataclasses.replace(
        records.rounds[0], failures=(Failure(took, "repeated reply"),), repeats=1
    )
    drawn = participation((one,), [took])
    assert drawn is not None
    assert "0 failed" in drawn.caption
    text = page.html(dataclasses.replace(records, rounds=(one, *records.rounds[1:])))
    assert "could be used in round 1 at first, and clients were asked again" in text
    assert "repeated reply" in text
    assert "asked again" not in page.html(records)
