"""Data as they are in the wild: everything bad is skipped, counted, listed and shown."""

import html
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fedbreath.report import folder as records
from simulation.command import main
from tests import coswara_folder
from tests.coswara_folder import DAY, RATE, sound
from tests.simulation.tiny import SMALL, Tiny

PERSON = f"{DAY}/nasty"

#: Item in coswara to a word of its reason.
BAD = {
    f"{PERSON}/breathing-deep.wav": "empty",
    f"{PERSON}/breathing-shallow.wav": "not audio",
    f"{PERSON}/cough-heavy.wav": "silent",
    f"{PERSON}/cough-shallow.wav": "too short",
    f"{PERSON}/vowel-a.wav": "NaN or infinite",
    f"{PERSON}/vowel-e.wav": "not audio",
    f"{DAY}/rowless/cough-heavy.wav": "no row",
    f"{PERSON}/laughing.wav": "unknown name",
    "combined_data.csv: ghost": "no file",
}


def write_bad(root: Path) -> None:
    """Everything that is named in BAD, into a folder of good recordings."""
    folder = root / PERSON
    folder.mkdir(parents=True)
    (folder / "breathing-deep.wav").write_bytes(b"")
    soundfile.write(folder / "breathing-shallow.wav", sound(1), RATE)
    whole = (folder / "breathing-shallow.wav").read_bytes()
    (folder / "breathing-shallow.wav").write_bytes(whole[:30])
    soundfile.write(folder / "cough-heavy.wav", np.zeros(RATE, np.float32), RATE)
    soundfile.write(folder / "cough-shallow.wav", sound(2, seconds=0.05), RATE)
    broken = sound(3)
    broken[100:200] = np.nan
    soundfile.write(folder / "vowel-a.wav", broken, RATE, subtype="FLOAT")
    (folder / "vowel-e.wav").write_text("this is no sound\n" * 50)
    (root / DAY / "rowless").mkdir()
    for name in ("rowless/cough-heavy", "nasty/laughing"):
        soundfile.write(root / DAY / f"{name}.wav", sound(4), RATE)
    with (root / "combined_data.csv").open("a") as table:
        table.write("nasty,40,healthy,male\nghost,41,healthy,female\n")


def write_one(root: Path) -> None:
    """A second site, SPRSound, of one recording."""
    for kind in ("wav", "json"):
        (root / f"BioCAS2022/train2022_{kind}").mkdir(parents=True)
    name = "41092423_8.0_0_p2_36"
    wav = root / f"BioCAS2022/train2022_wav/{name}.wav"
    soundfile.write(wav, sound(5), RATE)
    annotation = {"record_annotation": "Normal", "event_annotation": []}
    (root / f"BioCAS2022/train2022_json/{name}.json").write_text(json.dumps(annotation))


def words(tiny: Tiny, root: Path, out: Path, *more: str) -> list[str]:
    absent = ("icbhi2017", "covid19_cough")
    return [
        *SMALL, "data=real", f"data.root='{root}'", *(f"~data.sites.{name}" for name in absent),
        "~data.evaluation.noise_of_life", "~data.evaluation.esc10", f"cache='{tiny.cache}'",
        f"out='{out}'", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on a site with everything bad in it and a site with too little."""
    root = tmp_path_factory.mktemp("wild")
    coswara_folder.write(root / "coswara")
    write_bad(root / "coswara")
    write_one(root / "sprsound")
    out = root / "run"
    assert main(words(tiny, root, out, "rounds=2")) == 0
    return out


def test_the_run_goes_through(run: Path) -> None:
    found = records.read(run)
    assert found.run.finished
    assert [[p.name for p in line.participants] for line in found.rounds] == [["coswara"]] * 2
    assert all(not line.failures for line in found.rounds)
    assert found.scores is not None
    assert {task.name for task in found.scores.tasks} == {
        "coswara_cough_vs_breath",
        "coswara_cough_depth",
        "coswara_breathing_depth",
    }


def test_everything_bad_is_listed_with_its_reason(run: Path) -> None:
    problems = records.read(run).data.problems
    coswara = {p.item: p.reason for p in problems if p.site == "coswara"}
    assert coswara.keys() == BAD.keys()
    for item, word in BAD.items():
        assert word in coswara[item], item
    (other,) = (p for p in problems if p.site == "sprsound")
    assert other.item == "the whole site"
    assert "1 recording(s) to train on" in other.reason
    assert len(problems) == len(BAD) + 1


def test_only_the_good_is_counted(run: Path) -> None:
    data = records.read(run).data
    sites = {site.name: site for site in data.sites}
    assert (sites["coswara"].recordings, sites["coswara"].subjects) == (24, 6)
    assert (sites["sprsound"].recordings, sites["sprsound"].subjects) == (1, 1)
    (client,) = data.clients
    assert client.name == "coswara"
    assert client.recordings == 24 - sites["coswara"].test_recordings


def test_the_report_shows_it(run: Path) -> None:
    page = html.unescape((run / "report.html").read_text(encoding="utf-8"))
    for problem in records.read(run).data.problems:
        assert problem.item in page
        assert problem.reason in page


@pytest.mark.parametrize("kind", ["empty", "text", "silent", "truncated", "short", "nan"])
def test_all_bad_is_a_sentence(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    root = tmp_path / "data"
    coswara_folder.write(root, persons=2)
    for path in root.rglob("*.wav"):
        if kind == "empty":
            path.write_bytes(b"")
        elif kind == "text":
            path.write_text("no sound at all")
        elif kind == "silent":
            soundfile.write(path, np.zeros(RATE, np.int16), RATE)
        elif kind == "truncated":
            path.write_bytes(path.read_bytes()[:40])
        elif kind == "short":
            soundfile.write(path, sound(1, 0.05), RATE)
        else:
            soundfile.write(path, np.full(RATE, np.nan), RATE, subtype="FLOAT")
    given = [*SMALL, "data=coswara", f"data.root='{root}'", f"cache='{tmp_path}'"]
    assert main([*given, f"out='{tmp_path / 'run'}'"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: no recording can be used (the first reason of 8: ")
    assert said.count("\n") == 1


def test_a_folder_that_is_missing_or_empty(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(tiny, tmp_path / "none", tmp_path / "run")) == 2
    assert "does not exist" in capsys.readouterr().err
    (tmp_path / "data/sprsound").mkdir(parents=True)
    assert main(words(tiny, tmp_path / "data", tmp_path / "run")) == 2
    assert "is empty" in capsys.readouterr().err
    write_one(tmp_path / "data/sprsound")
    assert main(words(tiny, tmp_path / "data", tmp_path / "run", "~data.sites.coswara")) == 2
    said = capsys.readouterr().err
    assert "error: no client can take part (sprsound: 1 recording(s)" in said
    assert said.count("\n") == 1


def test_one_person_alone_can_train_and_is_not_tested(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coswara_folder.write(tmp_path / "data", persons=1)
    given = [*SMALL, "data=coswara", f"data.root='{tmp_path / 'data'}'", f"cache='{tiny.cache}'"]
    assert main([*given, f"out='{tmp_path / 'run'}'", "rounds=1"]) == 0
    found = records.read(tmp_path / "run")
    assert found.scores is not None
    assert found.scores.tasks == ()
    assert found.data.clients[0].recordings == 4
    assert (tmp_path / "run/report.html").exists()
