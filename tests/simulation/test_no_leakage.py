"""No person and no identical audio stands on both sides of a split: every data set, every task.

Over every data set in miniature with a copy planted under another name; over every task on
what it is about; over every arm of a run; and by the score's own words where no person is
known.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from client.local import as_trained_on, held_out
from fedbreath import split
from fedbreath.audio import FrontEnd
from fedbreath.building import prepare as build
from fedbreath.composition import choices
from fedbreath.config import Config, load
from fedbreath.downstream import benchmark, embedding
from fedbreath.features import Entry, Store
from fedbreath.recording import Recording, Site
from fedbreath.report import score_records, scoring
from simulation import PACKAGES, arms, planning
from simulation.data import Prepared, prepare, without_heard, without_leaks
from simulation.describe import trained_on
from tests.datasets.test_contract import NAMES, miniature, site
from tests.simulation.tiny import SMALL, Tiny

FRONT_END = FrontEnd(mels=8)

TASKS = [name for name in choices("tasks") if name != "all"]


def apart(one: Iterable[Entry], other: Iterable[Entry]) -> None:
    """No person, block or sound of one side is on the other."""
    first, second = list(one), list(other)
    for kind in ("recording.subject", "recording.block", "group", "digest"):
        sides = []
        for entries in (first, second):
            values = set()
            for entry in entries:
                value = entry
                for part in kind.split("."):
                    value = getattr(value, part)
                values.add(value)
            sides.append(values - {None})
        assert not sides[0] & sides[1], kind


def with_a_copy(found: Site) -> Site:
    """The site with its last group's sound laid under its first group's file."""
    files = [one for one in found.recordings if isinstance(one.source, Path)]
    first = files[0]
    last = next(one for one in reversed(files) if one.group != first.group)
    assert isinstance(first.source, Path)
    assert isinstance(last.source, Path)
    shutil.copyfile(last.source, first.source)
    return found


@pytest.fixture(scope="module", params=NAMES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A miniature data set, opened, with identical audio in two of its groups."""
    root = tmp_path_factory.mktemp(request.param)
    miniature(request.param).write(root)
    cache = tmp_path_factory.mktemp("cache")
    return build(with_a_copy(site(request.param, root)), FRONT_END, cache)


@pytest.mark.parametrize("seed", range(5))
def test_under_privacy_what_is_heard_on_both_sides_is_not_scored(store: Store, seed: int) -> None:
    """Each person's side is its own, so that a copy may lie on both: the score gives way."""
    config = load("privacy=recording privacy.population=1000")
    known = as_trained_on(store, config)
    groups = {entry.group for entry in known.entries}
    assert groups == {entry.recording.group for entry in store.entries}
    chosen = split.parts_alone(groups, 0.4, 0, seed).scored
    (cleaned,) = without_heard((known,), {known.site.name: chosen})
    trained = [entry for entry in cleaned.entries if entry.group not in chosen]
    assert trained == [entry for entry in known.entries if entry.group not in chosen]
    apart(trained, (entry for entry in cleaned.entries if entry.group in chosen))
    gone = len(known.entries) - len(cleaned.entries)
    assert len(cleaned.site.problems) == len(known.site.problems) + gone


@pytest.mark.parametrize("seed", range(5))
def test_no_split_of_a_data_set_parts_a_person_or_a_sound(store: Store, seed: int) -> None:
    assert len({entry.digest for entry in store.entries}) < len(store.entries), "no copy planted"
    members = [(entry.group, entry.recording.labels) for entry in store.entries]
    chosen = split.test_groups(members, store.site.stratify, 0.4, seed)
    assert 0 < len(chosen) < len({group for group, _ in members})
    apart(
        (entry for entry in store.entries if entry.group in chosen),
        (entry for entry in store.entries if entry.group not in chosen),
    )


def dataset_of(task: str) -> str:
    return str(load((f"tasks=[{task}]",), PACKAGES).tasks[task].config.dataset)


# -- every task, every arm -----------------------------------------------------------------


def sides(prepared: Prepared) -> None:
    """Nobody who is tested trains an arm, and no probe meets a sound twice."""
    trained = [entry for chosen in prepared.clients.values() for entry in chosen.entries]
    entries = prepared.pool.selection.entries
    tested = [e for e, test in zip(entries, prepared.pool.test, strict=True) if test]
    apart(trained, tested)
    for data in prepared.pool.tasks:
        rows = [entries[i] for i in data.rows]
        learnt = [e for e, test in zip(rows, data.test, strict=True) if not test]
        held = [e for e, test in zip(rows, data.test, strict=True) if test]
        assert learnt
        assert held
        apart(learnt, held)
        assert trained_on(prepared).isdisjoint(data.groups_of(data.test))


def every_arm(config: Config, words: Iterable[str], prepared: Prepared) -> None:
    tested = {
        entry.digest
        for entry, test in zip(prepared.pool.selection.entries, prepared.pool.test, strict=True)
        if test
    }
    planned = planning.plan(config, tuple(words), prepared.clients)
    kinds = {arm.kind for arm in planned}
    assert {"federated", "centralised", "local"} <= kinds
    for arm in planned:
        if arm.trained:
            for chosen in arms.clients_of(arm, prepared).values():
                assert len(chosen)
                assert tested.isdisjoint(entry.digest for entry in chosen.entries), arm.name


def test_simulated_phones(tiny: Tiny) -> None:
    names = [name for name in TASKS if name.startswith("simulated_")]
    words = tiny.words("data.persons=24", f"tasks=[{','.join(names)}]")
    config = load(words, PACKAGES)
    prepared = prepare(config)
    assert [data.name for data in prepared.pool.tasks] == names
    sides(prepared)
    every_arm(config, words, prepared)


def test_validation_stands_in_for_test(tiny: Tiny) -> None:
    """The same promises of the validation persons; the test persons are nowhere."""
    words = tiny.words("data.persons=24", "split.validation=0.5")
    config = load(words, PACKAGES)
    prepared = prepare(config)
    assert prepared.pool.persons == "validation"
    sides(prepared)
    every_arm(config, words, prepared)
    hidden = [
        entry
        for store in prepared.stores
        for entry in store.entries
        if entry.group in prepared.hidden[store.site.name]
    ]
    assert hidden
    apart(hidden, prepared.pool.selection.entries)
    for chosen in prepared.clients.values():
        apart(hidden, chosen.entries)


@pytest.mark.real
def test_real_recordings(real_data: Path, tmp_path: Path) -> None:
    """All tasks but the simulated ones, on the four sites and the two for evaluation."""
    names = [name for name in TASKS if not name.startswith("simulated_")]
    words = [*SMALL, "data=real", f"data.root='{real_data}'", f"tasks=[{','.join(names)}]"]
    words += [f"cache='{tmp_path}'", "front_end.mels=8", "evaluation.min_subjects=2"]
    config = load(words, PACKAGES)
    prepared = prepare(config)
    assert [data.name for data in prepared.pool.tasks] == names
    sides(prepared)
    every_arm(config, words, prepared)
    persons = {data.name: data.by_subject for data in prepared.pool.tasks}
    named = {s.site.name: s.site.has_subjects for s in prepared.stores}
    assert persons == {name: named[dataset_of(name)] for name in names}
    assert len(set(persons.values())) == 2


def test_every_task_was_looked_at() -> None:
    """The two tests above take all tasks there are: a new one cannot escape."""
    datasets = {dataset_of(name) for name in TASKS}
    inside_real = {"sprsound", "icbhi2017", "coswara", "covid19_cough", "noise_of_life", "esc10"}
    assert datasets <= inside_real | {"simulated"}


# -- over sites ------------------------------------------------------------------------------


def test_a_sound_that_another_site_tests_on_trains_nobody(tmp_path: Path) -> None:
    """Site b holds every file of site a under other names: what a tests on, b must not train."""
    found = []
    for name in ("a", "b"):
        root = tmp_path / name
        miniature("coswara").write(root)
        inner = site("coswara", root)
        recordings = tuple(
            Recording(x.id, x.source, "coswara", f"{name}-{x.subject}", x.modality, x.labels)
            for x in inner.recordings
        )
        found.append(build(Site(name, recordings, stratify=inner.stratify), FRONT_END, tmp_path))
    lost = 0
    for seed in range(6):
        words = (*SMALL, "tasks=[coswara_cough_vs_breath]", f"split.seed={seed}")
        kept_out = {s.site.name: held_out(s, load(words, PACKAGES)) for s in found}
        cleaned = without_leaks(tuple(found), kept_out)
        entries = [(e, e.group in kept_out[s.site.name]) for s in cleaned for e in s.entries]
        tested = {entry.digest for entry, test in entries if test}
        assert tested
        assert tested.isdisjoint(entry.digest for entry, test in entries if not test)
        for store, before in zip(cleaned, found, strict=True):
            said = [p for p in store.site.problems if p.reason.startswith("identical audio: ")]
            assert len(said) == len(before.entries) - len(store.entries)
            lost += len(said)
    assert lost > 0, "the two sites never chose different persons"


# -- by recording ------------------------------------------------------------------------------


@pytest.mark.real
def test_where_no_person_is_known_the_score_says_by_recording(
    real_data: Path, tmp_path: Path
) -> None:
    words = [*SMALL, "data=covid19_cough", f"data.root='{real_data}'", f"cache='{tmp_path}'"]
    config = load([*words, "tasks=[covid19_cough_status]", "front_end.mels=8"], PACKAGES)
    prepared = prepare(config)
    (data,) = prepared.pool.tasks
    assert not data.by_subject
    vectors = embedding.log_mel_statistics(prepared.pool.selection)
    scores = scoring.summarise(
        prepared.pool,
        [score_records.Arm("log_mel", "Log-mel", "features", 0, "")],
        {"log_mel": [benchmark.score(prepared.pool, vectors)]},
        trained_on(prepared),
        config.evaluation.bootstrap,
    )
    assert [task.unit for task in scores.tasks] == ["recording"]
    assert not scores.tasks[0].in_mean
