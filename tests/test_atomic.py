"""A file is the old one or the new one, whatever happens in between."""

import json
import os
from pathlib import Path

import pytest

from fedbreath import atomic


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "made" / "for it" / "a.json"
    atomic.write_json(path, {"name": "Ärztin", "n": [1, 2.5, None]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Ärztin", "n": [1, 2.5, None]}
    assert path.read_bytes().endswith(b"}\n")
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_in_the_middle_leaves_the_old_file_and_no_other(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flushed, fsync = tmp_path / "a.txt", [], os.fsync

    def note(descriptor: int) -> None:
        flushed.append((os.fstat(descriptor).st_size, path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    atomic.write_text(path, "new")
    assert flushed == [(3, False)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
def test_what_json_cannot_say_leaves_the_old_file(value: object, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic.write_json(path, 1)
    with pytest.raises((ValueError, TypeError)):
        atomic.write_json(path, value)
    assert path.read_text() == "1\n"
