"""What holds of every data set, shown on its miniature: no data set can be without one."""

import dataclasses
import functools
import importlib
import importlib.util
import pickle
import re
import shutil
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fedbreath.composition import choices
from fedbreath.config import Component, component
from fedbreath.datasets import Provenance, collection, simulated
from fedbreath.errors import DataError
from fedbreath.recording import Modality, Recording, Site

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-sets.md"

#: How a problem's reason begins.
KINDS = {
    "bad annotation",
    "bad row",
    "duplicate file",
    "duplicate folder",
    "duplicate rows",
    "label left out",
    "left out",
    "no annotation",
    "no file",
    "no row",
    "unknown name",
}

AUDIO = (".wav", ".flac", ".ogg", ".mp3", ".webm", ".m4a", ".opus")

#: Metadata that a broken disk, a wrong click or a stranger could leave behind.
GARBAGE = (b"", b"\x00\xff\xfe\x80\n" * 9, b"[" * 100_000, b'{"a": [1, null]}', b",;\t|\n\r\n")


@functools.cache
def chosen(name: str) -> Component:
    roots = [] if target(name) is simulated else ["root=nowhere"]
    return component("data", name, roots)


@functools.cache
def target(name: str) -> ModuleType:
    """The module of a YAML's component."""
    text = (Path(__file__).parents[2] / f"configs/data/{name}.yaml").read_text(encoding="utf-8")
    found = re.search(r"^_target_: (\S+)\.\w+$", text, re.MULTILINE)
    assert found, f"{name}.yaml names no component"
    return importlib.import_module(found[1])


NAMES = [name for name in choices("data") if target(name) not in (collection, simulated)]


def miniature(name: str) -> ModuleType:
    module = f"tests.datasets.miniature.{name}"
    assert importlib.util.find_spec(module), f"{module} is missing: a data set needs a miniature"
    return importlib.import_module(module)


def site(name: str, root: Path) -> Site:
    config = dataclasses.replace(chosen(name).config, root=str(root))
    (only,) = Component(chosen(name).target, config).build().sites()
    assert isinstance(only, Site)
    return only


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def root(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature; no test may change it."""
    folder = tmp_path_factory.mktemp(name)
    miniature(name).write(folder)
    return folder


@pytest.fixture(scope="module")
def found(name: str, root: Path) -> Site:
    return site(name, root)


def facts(found: Site, root: Path) -> list[tuple[object, ...]]:
    """Everything that is known of the recordings but for where the folder lies."""
    return [
        (dataclasses.replace(r, source=Path()), Path(str(r.source)).relative_to(root))
        for r in found.recordings
    ]


# -- the set of data sets -------------------------------------------------------------------


def test_there_are_no_miniatures_of_nothing() -> None:
    package = Path(__file__).parent / "miniature"
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert modules <= set(NAMES)


@pytest.mark.parametrize("name", [n for n in choices("data") if target(n) is collection])
def test_collection_holds_the_sites_of_its_members(name: str, tmp_path: Path) -> None:
    members = {*chosen(name).config.sites, *chosen(name).config.evaluation}
    for member in members:
        miniature(member).write(tmp_path / member)
    sites = component("data", name, [f"root={tmp_path}"]).build().sites()
    for found in sites:
        alone = site(found.name, tmp_path / found.name)
        assert found == dataclasses.replace(alone, pretrain=found.pretrain)
    assert {found.name for found in sites} == members


@pytest.mark.parametrize("name", [n for n in choices("data") if target(n) is simulated])
def test_simulated_cohorts_keep_the_contract_too(name: str) -> None:
    config = dataclasses.replace(chosen(name).config, cohorts=2, persons=3)
    sites = Component(chosen(name).target, config).build().sites()
    assert sites == Component(chosen(name).target, config).build().sites()
    for found in sites:
        check_recordings(found)
        assert found.has_subjects
        assert pickle.loads(pickle.dumps(found)) == found


# -- each of them ----------------------------------------------------------------------------


def check_recordings(found: Site) -> None:
    """What holds of any site's recordings, wherever their sound comes from."""
    ids = [recording.id for recording in found.recordings]
    assert ids
    assert ids == sorted(set(ids))
    for recording in found.recordings:
        assert printable(recording.id)
        assert recording.modality in typing.get_args(Modality)
        assert recording.subject is None or printable(recording.subject)
        assert recording.device is None or printable(recording.device)
        assert not (recording.subject and recording.block)
        for label, value in recording.labels.items():
            assert printable(label), recording.id
            assert printable(value), (recording.id, label)
            assert value.lower() not in ("nan", "none", "null", "na"), (recording.id, label)
    labels = {label for recording in found.recordings for label in recording.labels}
    if any(recording.device for recording in found.recordings):
        labels.add("device")
    assert set(found.stratify) <= labels - {"device"}
    assert set(found.keys) <= labels


def printable(text: object) -> bool:
    return isinstance(text, str) and text.strip() != "" and text.isprintable()


def test_recordings(name: str, found: Site, root: Path) -> None:
    check_recordings(found)
    assert found.name == name
    assert found.pretrain
    for recording in found.recordings:
        assert recording.dataset == name
        assert isinstance(recording.source, Path)
        assert recording.source.is_file()
        assert recording.source == root / recording.id


def test_miniature_is_enough_for_a_split(found: Site) -> None:
    values = {recording.labels.get(found.stratify[0]) for recording in found.recordings} - {None}
    assert len(values) >= 2
    assert len({recording.group for recording in found.recordings}) >= 4


def test_problems_say_what_they_are(found: Site) -> None:
    for problem in found.problems:
        kind, _, detail = problem.reason.partition(": ")
        assert kind in KINDS, problem
        assert printable(detail), problem
        assert printable(problem.item), problem


def test_module_says_what_it_was_proved_on_and_whether_persons_are_known(
    name: str, found: Site
) -> None:
    module = target(name)
    assert module.PROVENANCE in typing.get_args(Provenance)
    subjects = [recording.subject for recording in found.recordings]
    assert found.has_subjects == (None not in subjects)
    if not found.has_subjects:
        assert "person" in (module.__doc__ or "").lower()
        assert set(subjects) == {None}, "some persons known and others not"


def test_read_twice_is_the_same(name: str, found: Site, root: Path) -> None:
    assert site(name, root) == found


def test_everything_can_be_sent_to_another_process(found: Site) -> None:
    assert pickle.loads(pickle.dumps(found)) == found


def test_wherever_the_folder_lies(name: str, found: Site, root: Path, tmp_path: Path) -> None:
    inner = tmp_path / "elsewhere" / name
    shutil.copytree(root, inner)
    moved = site(name, inner)
    assert facts(moved, inner) == facts(found, root)
    assert moved.problems == found.problems
    (inner.parent / "other").mkdir()
    assert site(name, inner.parent) == moved


def test_sound_is_never_opened(name: str, found: Site, root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    sounds = {copy / recording.id for recording in found.recordings}
    sounds |= {path for path in copy.rglob("*") if path.suffix.lower() in AUDIO}
    for path in sounds:
        path.write_bytes(b"")
    silent = site(name, copy)
    assert facts(silent, copy) == facts(found, root)
    assert silent.problems == found.problems


def test_nothing_is_written(name: str, found: Site, root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    everything = sorted([copy, *copy.rglob("*")])
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = [(path, path.stat().st_mtime_ns) for path in everything]
    try:
        assert facts(site(name, copy), copy) == facts(found, root)
        assert sorted([copy, *copy.rglob("*")]) == everything
        assert [(path, path.stat().st_mtime_ns) for path in everything] == before
    finally:
        for path in everything:
            path.chmod(0o755)


def metadata(root: Path, recordings: tuple[Recording, ...]) -> Iterator[Path]:
    """Files that are no recording; one for each folder and suffix, since they are alike."""
    sounds = {recording.source for recording in recordings}
    others = [p for p in sorted(root.rglob("*")) if p.is_file() and p not in sounds]
    kinds = {(path.parent, path.suffix): path for path in others if path.suffix not in AUDIO}
    yield from (path for path in others if path.suffix in (".csv", ".tsv", ".txt", ".yaml"))
    yield from (path for path in kinds.values() if path.suffix not in (".csv", ".tsv", ".txt"))


def test_metadata_that_is_garbage_is_a_sentence(
    name: str, found: Site, root: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for original in dict.fromkeys(metadata(root, found.recordings)):
        path = copy / original.relative_to(root)
        for content in GARBAGE:
            path.write_bytes(content)
            try:
                check_garbage(site(name, copy), found)
            except DataError as error:
                said = str(error)
            else:
                continue
            assert printable(said), (path.name, content[:9])
        shutil.copy2(original, path)


def check_garbage(broken: Site, found: Site) -> None:
    """Nothing is made up of garbage: what is still there is said to be no more than before."""
    assert {r.id for r in broken.recordings} <= {r.id for r in found.recordings}
    for problem in broken.problems:
        assert printable(problem.item), problem
        assert printable(problem.reason), problem


# -- the page ---------------------------------------------------------------------------------


def rows() -> dict[str, list[str]]:
    """The cells of the page's table by the data set's name."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    return {row[0].strip("`"): row for row in cells if row[0].startswith("`")}


def test_the_page_lists_every_data_set_and_what_it_was_proved_on() -> None:
    said = {name: row[-1] for name, row in rows().items()}
    assert said == {name: target(name).PROVENANCE for name in NAMES}


def test_the_page_says_of_which_data_sets_persons_are_known(name: str, found: Site) -> None:
    persons = rows()[name][2]
    assert found.has_subjects == (not persons.startswith("no"))


def test_the_page_says_natural_keys(name: str, found: Site) -> None:
    said = [key for key in rows()[name][5].replace("`", "").split(", ") if key != "none"]
    assert said == list(found.keys)


def test_the_page_says_every_modality(name: str, found: Site) -> None:
    assert {r.modality for r in found.recordings} <= {*rows()[name][3].split(", ")}
