import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fedbreath.datasets.sprsound import Config, SprSound
from fedbreath.errors import DataError
from fedbreath.recording import Event, Problem, Recording, Site
from tests.datasets.miniature import sprsound as miniature
from tests.datasets.miniature.sprsound import annotate

Write = Callable[[Path], Path]

TRAIN = "BioCAS2022/train2022_wav"
STEM = "4002_6.0_1_p3_21"
SUMMARY = "Patient Summary/SPRSound_patient_summary.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.write(tmp_path / "root")
    return tmp_path / "root"


def site(root: Path) -> Site:
    (only,) = SprSound(Config(root=str(root))).sites()
    return only


def named(root: Path) -> dict[str, Recording]:
    return {Path(r.id).stem: r for r in site(root).recordings}


def said(root: Path) -> set[tuple[str, str]]:
    """What is wrong, and of what kind."""
    return {(p.item, p.reason.split(":")[0]) for p in site(root).problems}


def test_reads_names_annotations_and_tables(root: Path) -> None:
    found = site(root)
    assert found.stratify == ("record",)
    assert found.keys == ("release",)
    assert found.has_subjects
    recordings = named(root)
    train = recordings["4001_0.5_0_p1_11"]
    assert train.id == f"{TRAIN}/4001_0.5_0_p1_11.wav"
    assert train.source == root / train.id
    assert train.labels == {
        "sex": "male",
        "age": "0.5",
        "chest_location": "p1",
        "split": "train",
        "release": "2022",
        "disease": "Pneumonia (severe)",
        "severity": "severe",
        "record": "CAS",
        "event:Wheeze": "2",
        "event:Normal": "1",
    }
    assert (train.modality, train.device) == ("lung", "Yunting model II")
    intra, inter = recordings["4001_1.5_0_p4_13"], recordings["4004_3.2_0_p1_41"]
    assert (intra.labels["split"], intra.labels["test_kind"]) == ("test", "intra")
    assert (inter.labels["split"], inter.labels["test_kind"]) == ("test", "inter")
    # One patient at two ages, in training and test, is one person.
    assert train.subject == intra.subject == "4001" != inter.subject


def test_every_year_has_its_own(root: Path) -> None:
    recordings = named(root)
    assert Counter(r.labels["release"] for r in recordings.values()) == {
        "2022": 6,
        "2023": 2,
        "2024": 1,
    }
    # Since 2024 a record has no label; nothing is made up from its events.
    late = recordings["4007_8.1_1_p5_71"].labels
    assert "record" not in late
    assert (late["event:Coarse Crackle"], late["chest_location"]) == ("1", "p5")
    # Two tables spell these groups otherwise.
    assert recordings["4005_4.3_1_p2_51"].labels["disease"] == "Control Group"
    assert recordings["4006_0.9_0_p3_61"].labels["disease"] == "Other respiratory diseases"


def test_severity_is_of_pneumonia_alone(root: Path) -> None:
    said = {r.labels.get("disease"): r.labels.get("severity") for r in site(root).recordings}
    assert said == {
        "Pneumonia (severe)": "severe",
        "Pneumonia (non-severe)": "non-severe",
        "Asthma": None,
        "Control Group": None,
        "Other respiratory diseases": None,
        "Bronchitis": None,
        None: None,
    }


def test_everything_that_is_wrong_is_said(root: Path) -> None:
    tables = [name.removesuffix("_patient_summary.csv") for name in miniature.SUMMARIES]
    assert tables == ["SPRSound", "Grand_Challenge'23", "Grand_Challenge'24"]
    first, second, third = miniature.SUMMARIES
    assert said(root) == {
        ("releases/BioCAS2023/test2023_json", "duplicate file"),
        ("releases/BioCAS2023/test2023_wav", "duplicate file"),
        (first, "no file"),
        (f"{first}: 4003", "label left out"),
        (f"{first}: 4004", "no row"),
        (second, "left out"),
        (third, "left out"),
        (f"{TRAIN}/4003_11.0_1_p1_32.wav", "no annotation"),
        ("BioCAS2022/train2022_json/4003_11.0_1_p2_33.json", "no file"),
        ("BioCAS2024/test2024_wav", "left out"),
    }


def test_sex_that_table_and_names_contradict_is_not_known(root: Path) -> None:
    labels = named(root)["4003_11.0_1_p4_31"].labels
    assert "sex" not in labels
    assert labels["disease"] == "Asthma"


def test_without_the_tables(root: Path) -> None:
    shutil.rmtree(root / "Patient Summary")
    found = site(root)
    assert len(found.recordings) == 9
    assert not {"disease", "severity"} & {name for r in found.recordings for name in r.labels}
    assert all(r.labels["sex"] in ("male", "female") for r in found.recordings)
    assert not any("summary" in p.item for p in found.problems)


def test_table_of_a_year_that_is_not_here(root: Path) -> None:
    shutil.rmtree(root / "BioCAS2024")
    assert not any("'24" in p.item for p in site(root).problems)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x00\xff\xfe\n"])
def test_table_that_is_none(root: Path, content: bytes) -> None:
    (root / SUMMARY).write_bytes(content)
    with pytest.raises(DataError, match=r"SPRSound_patient_summary\.csv"):
        site(root)


@pytest.mark.parametrize(
    ("row", "kind"),
    [("9,4002,Asthma,6,F", "duplicate rows"), ("9,4002,Asthma,6", "bad row")],
)
def test_bad_row_is_a_problem(root: Path, row: str, kind: str) -> None:
    with (root / SUMMARY).open("a") as file:
        file.write(f"{row}\n")
    assert any(p.reason.startswith(f"{kind}:") for p in site(root).problems)
    # Rows that contradict each other say nothing.
    assert ("disease" in named(root)[STEM].labels) == (kind == "bad row")


def test_same_recording_in_two_trees_is_read_once(root: Path) -> None:
    before = site(root).recordings
    shutil.copytree(root / "BioCAS2022", root / "releases/BioCAS2022")
    found = site(root)
    assert found.recordings == before
    reasons = {p.item: p.reason for p in found.problems}
    assert "duplicate file: 5 have" in reasons[f"releases/{TRAIN}"]
    assert len([reason for reason in reasons.values() if "duplicate" in reason]) == 7


def test_releases_alone_are_enough(root: Path) -> None:
    other = root.parent / "other"
    shutil.copytree(root / "BioCAS2022", other / "releases/BioCAS2022")
    for given in (other, other / "releases", other / "releases/BioCAS2022"):
        assert len(site(given).recordings) == 6
        assert {r.labels["release"] for r in site(given).recordings} == {"2022"}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train_{}", "test_{}"),
        ("Classification/train_classification_{}", "Classification/test_classification_{}/2022"),
    ],
)
def test_older_copies(root: Path, train: str, test: str) -> None:
    old = root.parent / "old"
    for kind in ("wav", "json"):
        shutil.copytree(root / f"BioCAS2022/train2022_{kind}", old / train.format(kind))
        shutil.copytree(root / f"BioCAS2022/test2022_{kind}", old / test.format(kind))
    assert len(site(old).recordings) == 6
    for stem, recording in named(old).items():
        new = dict(named(root)[stem].labels)
        for name in ("disease", "severity"):
            new.pop(name, None)
        assert {**recording.labels, "sex": ""} == {**new, "sex": ""}


def test_copy_for_the_detection_of_events_adds_only_what_is_new(root: Path) -> None:
    other = root.parent / "other"
    for kind in ("wav", "json"):
        folder = other / f"Classification/valid_classification_{kind}/2023"
        shutil.copytree(root / f"BioCAS2023/test2023_{kind}", folder)
        shutil.copytree(folder, other / f"Detection/valid_detection_{kind}")
        new = other / f"Detection/test2024_detection_{kind}"
        shutil.copytree(root / f"BioCAS2024/test2024_{kind}", new)
    splits = {stem: r.labels["split"] for stem, r in named(other).items()}
    assert splits == {
        "4005_4.3_1_p2_51": "validation",
        "4006_0.9_0_p3_61": "validation",
        "4007_8.1_1_p5_71": "test",
    }
    assert {r.labels["release"] for r in site(other).recordings} == {"2023", "2024"}


def test_parent_folder_with_other_data_sets(root: Path, write_audio: Write) -> None:
    data = root.parent / "data"
    shutil.copytree(root, data / "sprsound")
    write_audio(data / "other_wav/a.wav")
    inner = site(data / "sprsound")
    assert site(data) == inner
    assert inner.recordings[0].id.startswith("BioCAS2022/")


def test_suffix_in_capitals_and_hidden_files(root: Path, write_audio: Write) -> None:
    before = site(root)
    (root / f"{TRAIN}/{STEM}.wav").rename(root / f"{TRAIN}/{STEM}.WAV")
    write_audio(root / f"{TRAIN}/._{STEM}.wav")
    assert len(site(root).recordings) == len(before.recordings)
    assert site(root).problems == before.problems


@pytest.mark.parametrize(
    "stem",
    [
        "4_0.5_2_p1_11",
        "4_0.5_0_p9_11",
        "4_x_0_p1_11",
        "4_0.5_0_p1",
        "a_0.5_0_p1_11",
        "4_999_0_p1_1",
    ],
)
def test_name_that_says_nothing(root: Path, write_audio: Write, stem: str) -> None:
    write_audio(root / f"{TRAIN}/{stem}.wav")
    annotate(root / f"BioCAS2022/train2022_json/{stem}.json", "CAS", ())
    assert len(site(root).recordings) == 9
    assert (f"{TRAIN}/{stem}.wav", "unknown name") in said(root)


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
        b'{"record_annotation": "CAS", "event_annotation": [{"type": "a\\nb"}]}',
        b'{"record_annotation": "CAS", "event_annotation": [{"type": 3}]}',
    ],
)
def test_bad_annotation_costs_one_recording(root: Path, content: bytes) -> None:
    (root / f"BioCAS2022/train2022_json/{STEM}.json").write_bytes(content)
    assert len(site(root).recordings) == 8
    assert (f"{TRAIN}/{STEM}.wav", "bad annotation") in said(root)


def test_events_have_times_in_seconds(root: Path) -> None:
    found = named(root)["4001_0.5_0_p1_11"].events
    assert [(e.start, e.end, e.kind) for e in found] == [
        (0.0, 0.4, "Wheeze"), (0.5, 0.9, "Wheeze"), (1.0, 1.4, "Normal")
    ]  # fmt: skip
    assert named(root)["4001_1.5_0_p4_13"].events == (), "poor quality has no events"


@pytest.mark.parametrize(
    ("start", "end"),
    [(None, 400), ("x", "400"), ("400", "400"), ("500", "400"), ("-1", "400"), ("0", "inf"),
     ("nan", "400"), ([], 400)],
)  # fmt: skip
def test_an_event_without_a_time_is_counted_and_has_no_window(
    root: Path, start: object, end: object
) -> None:
    events = [
        {"start": start, "end": end, "type": "Wheeze"},
        {"start": 100, "end": "600", "type": "Wheeze "},
        {"type": "Wheeze"},
    ]
    content = {"record_annotation": "CAS", "event_annotation": events}
    (root / f"BioCAS2022/train2022_json/{STEM}.json").write_text(json.dumps(content))
    found = named(root)[STEM]
    assert found.events == (Event(0.1, 0.6, "Wheeze"),)
    assert found.labels["event:Wheeze"] == "3"
    assert (f"{TRAIN}/{STEM}.wav", "event left out") in said(root)


def test_byte_order_mark_and_the_key_of_the_description(root: Path) -> None:
    path = root / f"BioCAS2022/train2022_json/{STEM}.json"
    content = {"recording_annotation": "CAS", "event_annotation": []}
    path.write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    assert named(root)[STEM].labels["record"] == "CAS"


def test_recordings_of_nobody_are_counted(root: Path, write_audio: Write) -> None:
    write_audio(root / "BioCAS2024/test2024_wav/_1.0_0_p2_73.wav")
    reason = "left out: 2 recordings whose names hold no patient number"
    assert Problem("BioCAS2024/test2024_wav", reason) in site(root).problems
