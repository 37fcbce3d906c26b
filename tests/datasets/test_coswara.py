import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fedbreath.datasets.coswara import Config, Coswara
from fedbreath.errors import DataError
from fedbreath.recording import Site

Write = Callable[[Path], Path]

DAY = "Extracted_data/20200413"
HEADER = "id,a,covid_status,record_date,g,l_c,smoker,asthma,cld"
ANN = "ann,29,healthy,2020-04-13,female,India,True,,n"
BOB = "bob,41.0,positive_mild,2020-04-14,MALE,,,y,"


def table(root: Path, *rows: str) -> None:
    (root / "combined_data.csv").write_text("\n".join((HEADER, *rows)) + "\n")


@pytest.fixture
def root(tmp_path: Path, write_audio: Write) -> Path:
    for name in ("ann/cough-heavy", "ann/breathing-deep", "bob/vowel-a"):
        write_audio(tmp_path / DAY / f"{name}.wav")
    (tmp_path / DAY / "ann/metadata.json").write_text(json.dumps({"id": "ann", "dT": "web"}))
    table(tmp_path, ANN, BOB)
    folder = tmp_path / "annotations"
    folder.mkdir()
    (folder / "cough-heavy_labels.csv").write_text("FILENAME, QUALITY\nann_cough-heavy, 2\n")
    return tmp_path


def site(root: Path) -> Site:
    (only,) = Coswara(Config(root=str(root))).sites()
    return only


def kinds(site: Site) -> list[str]:
    return [p.reason.split(":")[0] for p in site.problems]


def test_reads_participants(root: Path) -> None:
    found = site(root)
    assert found.problems == ()
    assert found.stratify == ("covid_status",)
    breath, cough, vowel = found.recordings
    assert cough.id == f"{DAY}/ann/cough-heavy.wav"
    assert cough.labels == {
        "kind": "cough-heavy",
        "covid_status": "healthy",
        "sex": "female",
        "age": "29",
        "country": "India",
        "record_date": "2020-04-13",
        "smoker": "yes",
        "chronic_lung_disease": "no",
        "quality": "2",
    }
    assert (cough.subject, cough.device, cough.modality) == ("ann", "web", "cough")
    assert "quality" not in breath.labels
    assert (breath.subject, breath.modality) == ("ann", "breath")
    # A blank is not known: neither "no" nor "".
    assert {"smoker", "country"}.isdisjoint(vowel.labels)
    assert (vowel.labels["asthma"], vowel.labels["age"]) == ("yes", "41")
    assert (vowel.labels["sex"], vowel.modality, vowel.device) == ("male", "vowel", None)


def test_parent_folder(root: Path) -> None:
    inner = root / "coswara"
    inner.mkdir()
    for name in ("Extracted_data", "annotations", "combined_data.csv"):
        (root / name).rename(inner / name)
    assert site(root) == site(inner)
    assert len(site(root).recordings) == 3


def test_speech_is_left_out_and_said_so(root: Path, write_audio: Write) -> None:
    for person in ("ann", "bob"):
        write_audio(root / DAY / person / "counting-fast.wav")
    found = site(root)
    assert len(found.recordings) == 3
    assert [p.item for p in found.problems] == ["counting-fast.wav"]
    assert "2 recordings of speech" in found.problems[0].reason


def test_empty_recording_is_for_the_reader(root: Path) -> None:
    (root / DAY / "ann/cough-shallow.wav").write_bytes(b"")
    assert len(site(root).recordings) == 4


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n", b"\x00\xff\xfe\n", b"id,a,g\n"])
def test_table_missing_or_unreadable_as_a_whole(root: Path, content: bytes | None) -> None:
    path = root / "combined_data.csv"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=r"combined_data\.csv"):
        site(root)


@pytest.mark.parametrize(
    ("row", "left", "kind"),
    [
        ("eve,29,healthy,2020-04-13,female,India,,,", 3, "no file"),
        (ANN, 3, "duplicate rows"),
        (ANN.replace("29", "30"), 1, "duplicate rows"),
        (f"{ANN},more", 3, "bad row"),
        ("ann,29", 3, "bad row"),
        (",29,healthy,,,,,,", 3, "bad row"),
    ],
)
def test_bad_row_is_a_problem(root: Path, row: str, left: int, kind: str) -> None:
    table(root, ANN, BOB, row)
    found = site(root)
    assert len(found.recordings) == left
    assert kind in kinds(found)


def test_blank_rows_and_byte_order_mark_are_nothing(root: Path) -> None:
    (root / "combined_data.csv").write_text(f"\ufeff{HEADER}\r\n{ANN}\r\n,,,,,,,,\r\n\r\n{BOB}\r\n")
    assert site(root).problems == ()
    assert len(site(root).recordings) == 3


def test_participant_without_a_row(root: Path) -> None:
    table(root, BOB)
    found = site(root)
    assert [r.subject for r in found.recordings] == ["bob"]
    assert kinds(found) == ["no row", "no row"]


def test_label_that_cannot_be_is_left_out(root: Path) -> None:
    row = b"ann,young,healthy,2020-04-13,?,Per\xfa,maybe,,"
    (root / "combined_data.csv").write_bytes(b"\n".join((HEADER.encode(), row, BOB.encode())))
    found = site(root)
    assert len(found.recordings) == 3
    assert kinds(found) == ["label left out"] * 4
    for label in ("age", "sex", "country", "smoker"):
        assert any(label in p.reason for p in found.problems)
        assert label not in found.recordings[0].labels
    assert found.recordings[0].labels["covid_status"] == "healthy"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"dT": ["web"]}'])
def test_unreadable_metadata_costs_the_device(root: Path, content: bytes) -> None:
    (root / DAY / "ann/metadata.json").write_bytes(content)
    found = site(root)
    assert len(found.recordings) == 3
    assert [p.item for p in found.problems] == [f"{DAY}/ann/metadata.json"]
    assert all(r.device is None for r in found.recordings)


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ("ann_cough-heavy, 7", "label left out"),
        ("eve_cough-heavy, 2", "no file"),
        ("ann_cough-heavy, 2\nann_cough-heavy, 2", "duplicate rows"),
        ("ann_cough-heavy, 2\nann_cough-heavy, 1", "duplicate rows"),
        ("ann_cough-heavy", "bad row"),
    ],
)
def test_bad_quality_is_a_problem(root: Path, rows: str, kind: str) -> None:
    path = root / "annotations/cough-heavy_labels.csv"
    path.write_text(f"FILENAME, QUALITY\n{rows}\n")
    found = site(root)
    assert len(found.recordings) == 3
    assert kinds(found) == [kind]
    same_twice = rows.endswith("2") and "\n" in rows
    assert ("quality" in found.recordings[1].labels) == same_twice


@pytest.mark.parametrize(
    "name",
    ["20200413/ann/laugh", "april/ann/cough-heavy", "ann/cough-heavy", "x/20200413/ann/vowel-a"],
)
def test_name_that_says_nothing(root: Path, write_audio: Write, name: str) -> None:
    write_audio(root / "Extracted_data" / f"{name}.wav")
    found = site(root)
    assert len(found.recordings) == 3
    assert [(p.item, p.reason.split(":")[0]) for p in found.problems] == [
        (f"Extracted_data/{name}.wav", "unknown name")
    ]
