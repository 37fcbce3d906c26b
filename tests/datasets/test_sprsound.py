import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fedbreath.datasets.sprsound import Config, SprSound
from fedbreath.recording import Site

Write = Callable[[Path], Path]

TRAIN, INTER, INTRA = "4_0.5_0_p1_11", "5_12.0_1_p3_12", "4_1.5_0_p4_13"
EVENTS = [{"start": "12", "end": 40, "type": t} for t in ("Wheeze", "Wheeze", "Normal")]


def annotate(path: Path, record: object = "CAS", events: object = EVENTS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"record_annotation": record, "event_annotation": events}
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def root(tmp_path: Path, write_audio: Write) -> Path:
    tree = tmp_path / "BioCAS2022"
    write_audio(tree / f"train2022_wav/{TRAIN}.wav")
    annotate(tree / f"train2022_json/{TRAIN}.json")
    for stem, part in ((INTER, "inter"), (INTRA, "intra")):
        write_audio(tree / f"test2022_wav/{stem}.wav")
        annotate(tree / f"test2022_json/{part}_test_json/{stem}.json", "Poor Quality", [])
    return tmp_path


def site(root: Path) -> Site:
    (only,) = SprSound(Config(root=str(root))).sites()
    return only


def reasons(site: Site) -> dict[str, str]:
    return {Path(p.item).name: p.reason for p in site.problems}


def test_reads_names_and_annotations(root: Path) -> None:
    found = site(root)
    assert found.problems == ()
    assert found.stratify == ("record",)
    intra, inter, train = found.recordings
    assert train.id == f"BioCAS2022/train2022_wav/{TRAIN}.wav"
    assert train.source == root / train.id
    assert train.labels == {
        "sex": "male",
        "age": "0.5",
        "chest_location": "p1",
        "record": "CAS",
        "event:Wheeze": "2",
        "event:Normal": "1",
    }
    assert (train.modality, train.device) == ("lung", "Yunting model II")
    assert inter.labels["sex"] == "female"
    # One patient at two ages, in training and test, is one person.
    assert train.subject == intra.subject == "4" != inter.subject


def test_old_copies_and_releases_have_other_folder_names(root: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    for part in ("train", "test"):
        for kind in ("wav", "json"):
            shutil.copytree(root / f"BioCAS2022/{part}2022_{kind}", old / f"{part}_{kind}")
    new = tmp_path / "new" / "releases"
    shutil.copytree(root / "BioCAS2022", new / "BioCAS2022")
    for copy in (old, new.parent, new / "BioCAS2022"):
        assert len(site(copy).recordings) == 3
        assert site(copy).problems == ()


def test_parent_folder_with_other_data_sets(root: Path, tmp_path: Path, write_audio: Write) -> None:
    shutil.copytree(root / "BioCAS2022", tmp_path / "data/sprsound/BioCAS2022")
    write_audio(tmp_path / "data/other_wav/a.wav")
    found = site(tmp_path / "data")
    assert found.problems == ()
    assert found.recordings[0].id.startswith("BioCAS2022/")


def test_suffix_in_capitals_and_hidden_files(root: Path, write_audio: Write) -> None:
    folder = root / "BioCAS2022/train2022_wav"
    (folder / f"{TRAIN}.wav").rename(folder / f"{TRAIN}.WAV")
    write_audio(folder / f"._{TRAIN}.wav")
    assert len(site(root).recordings) == 3
    assert site(root).problems == ()


def test_a_second_copy_is_not_counted_twice(root: Path) -> None:
    shutil.copytree(root / "BioCAS2022", root / "releases/BioCAS2022")
    found = site(root)
    assert len(found.recordings) == 3
    assert len(found.problems) == 6
    assert all(p.reason.startswith("duplicate file:") for p in found.problems)
    assert all(p.item.startswith("releases/") for p in found.problems)


def test_recording_without_annotation_and_the_reverse(root: Path) -> None:
    (root / f"BioCAS2022/train2022_json/{TRAIN}.json").unlink()
    (root / f"BioCAS2022/test2022_wav/{INTRA}.wav").unlink()
    found = site(root)
    assert [r.labels["chest_location"] for r in found.recordings] == ["p3"]
    said = reasons(found)
    assert said.keys() == {f"{TRAIN}.wav", f"{INTRA}.json"}
    assert said[f"{TRAIN}.wav"].startswith("no annotation:")
    assert said[f"{INTRA}.json"].startswith("no file:")


@pytest.mark.parametrize(
    "stem",
    [
        "4_0.5_2_p1_11",
        "4_0.5_0_p5_11",
        "4_x_0_p1_11",
        "4_0.5_0_p1",
        "a_0.5_0_p1_11",
        "4_999_0_p1_1",
    ],
)
def test_name_that_says_nothing(root: Path, write_audio: Write, stem: str) -> None:
    write_audio(root / f"BioCAS2022/train2022_wav/{stem}.wav")
    annotate(root / f"BioCAS2022/train2022_json/{stem}.json")
    found = site(root)
    assert len(found.recordings) == 3
    assert [Path(p.item).name for p in found.problems] == [f"{stem}.wav"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"record_annotation": "CAS"}',
        b'{"record_annotation": null, "event_annotation": []}',
        b'{"record_annotation": ["CAS"], "event_annotation": []}',
        b'{"record_annotation": "cas?", "event_annotation": []}',
        b'{"record_annotation": "CAS", "event_annotation": {}}',
        b'{"record_annotation": "CAS", "event_annotation": [1]}',
        b'{"record_annotation": "CAS", "event_annotation": [{"type": ""}]}',
        b'{"record_annotation": "CAS", "event_annotation": [{"type": 3}]}',
    ],
)
def test_bad_annotation_costs_one_recording(root: Path, content: bytes) -> None:
    (root / f"BioCAS2022/train2022_json/{TRAIN}.json").write_bytes(content)
    found = site(root)
    assert len(found.recordings) == 2
    assert list(reasons(found)) == [f"{TRAIN}.wav"]
    assert reasons(found)[f"{TRAIN}.wav"].startswith("bad annotation:")


def test_byte_order_mark_and_the_key_of_the_description(root: Path) -> None:
    path = root / f"BioCAS2022/train2022_json/{TRAIN}.json"
    path.write_text('\ufeff{"recording_annotation": "DAS", "event_annotation": []}')
    assert site(root).problems == ()
    assert site(root).recordings[2].labels["record"] == "DAS"
