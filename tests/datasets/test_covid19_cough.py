import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedbreath.datasets.covid19_cough import Config, Covid19Cough
from fedbreath.errors import DataError
from fedbreath.recording import Site

Write = Callable[[Path], Path]

A = {"filename": "a.mp3", "covid19": True, "verified": True, "source": "call-center"}
B = {"filename": "b.mp3", "covid19": False, "asymptomatic": None, "source": "telegram"}


def metadata(root: Path, *rows: Any) -> None:
    (root / "metadata.json").write_text(json.dumps(rows))


@pytest.fixture
def root(tmp_path: Path, write_audio: Write) -> Path:
    for name in "ab":
        write_audio(tmp_path / f"raw/{name}.mp3")
    metadata(tmp_path, {**A, "comment": "кашель", "asymptomatic": False}, B)
    return tmp_path


def site(root: Path) -> Site:
    (only,) = Covid19Cough(Config(root=str(root))).sites()
    return only


def test_reads_the_list(root: Path) -> None:
    found = site(root)
    assert found.problems == ()
    assert found.stratify == ("source", "covid19")
    first, second = found.recordings
    assert first.id == "raw/a.mp3"
    assert first.labels == {
        "covid19": "positive",
        "source": "call-center",
        "verified": "yes",
        "asymptomatic": "no",
    }
    assert second.labels == {"covid19": "negative", "source": "telegram"}
    assert [r.device for r in found.recordings] == ["call-center", "telegram"]
    assert {(r.subject, r.block, r.modality) for r in found.recordings} == {(None, None, "cough")}
    assert not found.has_subjects


def test_parent_folder(root: Path) -> None:
    (root / "covid19_cough").mkdir()
    for name in ("raw", "metadata.json"):
        (root / name).rename(root / "covid19_cough" / name)
    assert site(root) == site(root / "covid19_cough")
    assert len(site(root).recordings) == 2


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"a.mp3": {}}', b"null", b"\xff\xfe[]"])
def test_metadata_missing_or_unreadable_as_a_whole(root: Path, content: bytes | None) -> None:
    path = root / "metadata.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=r"metadata\.json"):
        site(root)


@pytest.mark.parametrize(
    ("row", "left", "reason"),
    [
        ({**A, "filename": "c.mp3"}, 2, "no file:"),
        ({**A, "filename": "../raw/a.mp3"}, 2, "no file:"),
        ({**A, "filename": ""}, 2, "bad row:"),
        ({**A, "filename": None}, 2, "bad row:"),
        ({**A, "filename": ["a.mp3"]}, 2, "bad row:"),
        ({"covid19": True}, 2, "bad row:"),
        (["a.mp3", True], 2, "bad row:"),
        (None, 2, "bad row:"),
        (7, 2, "bad row:"),
        (A, 2, "duplicate rows: the same"),
        ({**A, "covid19": False}, 1, "duplicate rows: they contradict"),
    ],
)
def test_bad_row_is_a_problem(root: Path, row: Any, left: int, reason: str) -> None:
    metadata(root, A, B, row)
    found = site(root)
    assert len(found.recordings) == left
    assert found.problems[0].reason.startswith(reason)


def test_file_without_a_row(root: Path, write_audio: Write) -> None:
    write_audio(root / "raw/c.MP3")
    found = site(root)
    assert len(found.recordings) == 2
    assert [(p.item, p.reason.split(":")[0]) for p in found.problems] == [("raw/c.MP3", "no row")]


@pytest.mark.parametrize("value", ["perhaps", [True], {"a": 1}, 2])
def test_label_that_cannot_be_is_left_out(root: Path, value: Any) -> None:
    metadata(root, {**A, "covid19": value, "source": [value]}, B)
    found = site(root)
    assert found.recordings[0].labels == {"verified": "yes"}
    assert found.recordings[0].device is None
    assert [p.item for p in found.problems] == ["raw/a.mp3"] * 2
    assert all(p.reason.startswith("label left out:") for p in found.problems)


@pytest.mark.parametrize(
    ("value", "label"), [("true", "positive"), (0, "negative"), (1, "positive")]
)
def test_booleans_in_other_spellings(root: Path, value: Any, label: str) -> None:
    metadata(root, {**A, "covid19": value}, B)
    assert site(root).problems == ()
    assert site(root).recordings[0].labels["covid19"] == label


def test_null_is_not_known(root: Path) -> None:
    metadata(root, {"filename": "a.mp3", "covid19": None, "source": " "}, B)
    assert site(root).problems == ()
    assert site(root).recordings[0].labels == {}
