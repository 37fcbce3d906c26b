"""``fedbreath data`` as a person at a terminal meets it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fedbreath.cli import main
from fedbreath.composition import choices


def run(*words: str, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"XDG_CACHE_HOME": str(cache)} if cache else {})
    command = [sys.executable, "-m", "fedbreath.cli", "data", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Coughs in the layout of covid19-cough: twelve that are fit and three that are not."""
    root = tmp_path / "some folder's data"
    (root / "raw").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for n in range(15):
        samples = rng.normal(0, 0.1, 8000)
        if n == 12:
            samples *= 0
        path = root / "raw" / f"{n:02d}.mp3"
        soundfile.write(path, samples, 8000)
        if n == 13:
            path.write_bytes(b"")
        if n == 14:
            path.write_bytes(b"<html>not found</html>")
        source = ["telegram", "call-center"][n // 2 % 2]
        rows.append({"filename": path.name, "covid19": n % 2 == 0, "source": source})
    (root / "metadata.json").write_text(json.dumps(rows))
    return root


def test_check_says_what_is_there(folder: Path, tmp_path: Path) -> None:
    before = sorted(path.as_posix() for path in tmp_path.rglob("*"))
    done = run("check", "covid19_cough", "--root", str(folder), "--json", "--workers", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["recordings"], found["refused"], found["subjects"]) == (12, 3, None)
    assert (found["silent"], found["safe"]) == (1, True)
    assert found["hours"] == pytest.approx(12 / 3600, rel=0.1)
    assert {p["reason"].split(":")[0] for p in found["problems"]} == {
        "silent",
        "empty",
        "not audio",
    }
    assert sorted(path.as_posix() for path in tmp_path.rglob("*")) == before, "it only reads"


def test_check_on_a_screen_and_as_a_page(folder: Path, tmp_path: Path) -> None:
    html = tmp_path / "out" / "check.html"
    done = run("check", "covid19_cough", "--root", str(folder), "--html", str(html))
    assert done.returncode == 0
    assert "covid19_cough: fit for training" in done.stdout
    assert "does not name its persons" in " ".join(done.stdout.split())
    assert "Data check of covid19_cough" in html.read_text()


def test_contradicting_duplicates_are_exit_code_1(folder: Path) -> None:
    shutil.copy(folder / "raw/00.mp3", folder / "raw/01.mp3")
    done = run("check", "covid19_cough", "--root", str(folder))
    assert done.returncode == 1
    assert "not safe to train on" in done.stdout
    assert "contradicting duplicates" in done.stdout
    assert "Traceback" not in done.stderr


def test_strict_is_exit_code_1_for_warnings(folder: Path) -> None:
    assert run("check", "covid19_cough", "--root", str(folder), "--strict").returncode == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "coswra", "--root", "x"), "did you mean coswara"),
        (("check", "coswara"), "root has no value"),
        (("check", "coswara", "--root", "/no/such/folder"), "does not exist"),
        (("check", "coswara", "--root", "."), "does not hold the data set"),
        (("check", "coughvid", "least_cuogh=1", "--root", "x"), "least_cough"),
        (("check", "simulated", "cohorts"), "cannot read the override"),
        (("prepare", "simulated", "persons=0"), "persons must be >= 1"),
        (("prepare", "simulated", "front_end.melz=3"), "front_end.melz"),
        (("prepare", "simulated", "front_end.mels=0"), "mels must be > 0"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert typed(monkeypatch, *words) == 2
    out, error = capsys.readouterr()
    assert said in error
    assert "Traceback" not in error
    assert out == ""


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """The exit code of the command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["fedbreath", "data", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


def test_a_page_that_cannot_be_written_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    html = folder / "metadata.json" / "check.html"
    words = ("check", "covid19_cough", "--root", str(folder), "--html", str(html))
    assert typed(monkeypatch, *words, "--workers", "1") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_list_names_every_data_set() -> None:
    said = run("list").stdout
    for name in choices("data"):
        assert re.search(rf"^{name} ", said, re.MULTILINE), name


def test_prepare_is_found_by_a_second_call(tmp_path: Path) -> None:
    words = ("prepare", "simulated", "cohorts=1", "persons=3", "front_end.mels=16")
    first = run(*words, cache=tmp_path)
    assert first.returncode == 0, first.stderr
    store = re.search(r"store: (.+)", first.stdout)
    assert store
    index = Path(store[1]) / "index.json"
    made = index.stat().st_mtime_ns
    second = run(*words, cache=tmp_path)
    assert index.stat().st_mtime_ns == made
    assert "x real time" in second.stderr


def test_prepare_goes_on_after_kill_9(tmp_path: Path) -> None:
    words = ["prepare", "simulated", "cohorts=1", "persons=150", "--workers", "1"]
    command = [sys.executable, "-m", "fedbreath.cli", "data", *words, "--cache", str(tmp_path)]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (journals := [p for p in tmp_path.glob("*/journal.jsonl") if p.stat().st_size]):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    kept = len(journals[0].read_bytes().splitlines())
    assert kept > 0
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (store,) = tmp_path.glob("cohort-00-*")
    entries = json.loads((store / "index.json").read_text())["entries"]
    assert len(entries) > kept
    assert sorted(p.name for p in store.iterdir()) == ["features.f16", "index.json"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "recordings", "subjects", "hours"),
    [("icbhi2017", 13, 5, 0.07), ("noise_of_life", 167, None, 0.13)],
)
def test_check_of_real_recordings(
    name: str, recordings: int, subjects: int | None, hours: float, real_data: Path
) -> None:
    done = run("check", name, "--root", str(real_data), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["recordings"], found["subjects"]) == (recordings, subjects)
    assert found["hours"] == pytest.approx(hours, abs=0.005)
    assert found["refused"] == found["duplicates"] == 0
