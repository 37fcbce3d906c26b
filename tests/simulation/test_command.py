"""The command line: what is wrong is one sentence and exit code 2, never a traceback.

Most commands run in this process, where a traceback is a failed test; a few run as a
person runs them.
"""

import json
import re
from pathlib import Path

import pytest
import yaml

from fedbreath.composition import choices, config_dir
from fedbreath.lock import locked
from fedbreath.report import folder as records
from simulation.command import main
from tests.simulation.tiny import Tiny, finished

#: What is typed, and what the sentence must say.
WRONG = [
    (["encoder.widht=3"], "unknown key encoder.widht; did you mean encoder.widths?"),
    (["rouns=3"], "unknown key rouns; did you mean rounds?"),
    (["+encoder.more=3"], "unknown key encoder.more"),
    (["+extra=3"], "unknown key extra"),
    (["resume=''"], "resume= names no folder"),
    (["out=''"], "out= names no folder"),
    (["rounds=many"], "rounds must be a whole number, got 'many'"),
    (["rounds=2.5"], "rounds must be a whole number, got 2.5"),
    (["rounds=null"], "rounds must be a whole number"),
    (["encoder.widths=8"], "encoder.widths must be a list, got 8"),
    (["evaluation.baselines=maybe"], "evaluation.baselines must be true or false"),
    (["training.head=mine"], "training.head must be one of local, averaged"),
    (["rounds=0"], "rounds must be >= 1, got 0"),
    (["training.batch_size=1"], "batch_size must be >= 2, got 1"),
    (["engine.workers=0"], "workers must be >= 1, got 0"),
    (["strategy.fraction=2"], "fraction must lie in (0, 1], got 2"),
    (["patience.reply=0"], "reply must be > 0"),
    (["encoder=resnet"], "encoder=resnet: no such choice"),
    (["data=coswera"], "did you mean coswara?"),
    (["tasks=[simulated_disase]"], "did you mean simulated_disease?"),
    (["experiment=smok"], "did you mean smoke?"),
    (["strategy=null"], "a run needs one of"),
    (["encoder._target_=os.system"], "no component of ours"),
    (["encoder._target_=fedbreath.objectives.cola.Cola"], "no component of ours"),
    (["strategy._target_=strategies.fedavg.Config"], "no component of ours"),
    (["engine._target_=subprocess.Popen"], "no component of ours"),
    (["data=coswara"], "data.root has no value: say data.root=PATH"),
    (["data=real"], "data.root has no value"),
    (["rounds"], "cannot read the override 'rounds'"),
    (["seed=-1"], "seed"),
    (["seed=[1,"], "cannot read the override"),
    (["resume=/nowhere/at/all"], "resume=/nowhere/at/all: no run lies there"),
]  # fmt: skip


def wrong(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence of a command that cannot be."""
    capsys.readouterr()
    code = main(words)
    said = capsys.readouterr()
    assert code == 2, said.err
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.mark.parametrize(("words", "sentence"), WRONG, ids=[" ".join(w) for w, _ in WRONG])
def test_is_one_sentence(
    words: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in wrong(words, capsys)
    assert list(tmp_path.iterdir()) == [], "a refused command leaves nothing behind"


@pytest.mark.parametrize("name", ["coswara", "sprsound", "icbhi2017", "covid19_cough", "esc10",
                                  "noise_of_life"])  # fmt: skip
def test_missing_and_empty_folders(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = f"out='{tmp_path / 'run'}'"
    data = tmp_path / "data"
    said = wrong([f"data={name}", f"data.root='{data}'", out, "engine.workers=1"], capsys)
    assert f"data.root={data} does not exist" in said
    data.mkdir()
    said = wrong([f"data={name}", f"data.root='{data}'", out, "engine.workers=1"], capsys)
    assert "is empty" in said
    (data / "notes.txt").write_text("nothing here")
    said = wrong([f"data={name}", f"data.root='{data}'", out, "engine.workers=1"], capsys)
    assert "does not hold the data set" in said


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, in a folder whose name is hard to quote."""
    out = tmp_path_factory.mktemp("a run's [folder]") / "größe=1, {x}"
    quoted = str(out).replace("'", r"\'")
    assert main(tiny.words(f"out='{quoted}'", "rounds=1", "evaluation.baselines=false")) == 0
    return out


def resume(run: Path) -> str:
    quoted = str(run).replace("'", r"\'")
    return f"resume='{quoted}'"


def test_any_folder_will_do(run: Path) -> None:
    assert records.read(run).run.finished
    assert (run / "report.html").exists()


def test_a_folder_that_holds_a_run(
    run: Path, tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    said = wrong(tiny.words(resume(run).replace("resume=", "out=")), capsys)
    assert "holds a run: resume=" in said
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_resuming_with_other_settings(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = wrong([resume(run), "rounds=9"], capsys)
    assert "the run was made by configuration" in said
    assert "leave them out, or start a new run" in said


def test_resuming_with_the_same_settings_or_faster_ones(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([resume(run), "rounds=1"]) == 0
    assert main([resume(run), "engine.threads=2"]) == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"overrides": 3, "digest": "x"}', "{}"])
def test_resuming_a_broken_run(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(text)
    assert "run.json cannot be read" in wrong([f"resume='{tmp_path}'"], capsys)


def test_a_broken_checkpoint(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert tiny.run(out, "rounds=1", "evaluation.baselines=false") == 0
    (out / "checkpoint.safetensors").write_bytes(b"broken")
    (out / "arms/federated.json").unlink()
    said = wrong([f"resume='{out}'"], capsys)
    assert "checkpoint.safetensors cannot be read" in said


def test_a_file_where_a_folder_should_be(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_text("")
    assert f"out={path}" in wrong(tiny.words(f"out='{path}'"), capsys)
    assert f"resume={path}" in wrong(tiny.words(f"resume='{path}'"), capsys)
    said = wrong(tiny.words(f"cache='{path}'", f"out='{tmp_path / 'run'}'"), capsys)
    assert str(path) in said


def test_another_process_is_at_work(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(tmp_path / ".lock"):
        assert "another process is at work" in wrong(tiny.words(f"out='{tmp_path}'"), capsys)


def test_more_clients_wanted_than_there_are(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All clients of a simulation are there from the start: nothing is waited for."""
    said = wrong(tiny.words(f"out='{tmp_path}'", "strategy.minimum=3"), capsys)
    assert "2 client(s) connected" in said


def test_help_lists_every_choice(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for folder in config_dir().iterdir():
        if folder.is_dir():
            line = re.search(rf"^ +{folder.name}= +(.+)$", said, re.MULTILINE)
            assert line, folder.name
            assert line.group(1) == ", ".join(choices(folder.name))
    assert "resume=" in said
    assert "out=DIR" in said


def test_cfg_shows_what_would_be_run(
    tiny: Tiny, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--cfg", *tiny.words("rounds=7", f"out='{tmp_path / 'no'}'")]) == 0
    tree = yaml.safe_load(capsys.readouterr().out)
    assert tree["rounds"] == 7
    assert tree["encoder"]["widths"] == [8]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [(["encoder.widht=3"], 2), (["resume=/nowhere"], 2), (["--cfg", "rounds=7"], 0)],
)
def test_as_a_person_runs_it(words: list[str], code: int) -> None:
    said = finished(words)
    assert said.returncode == code
    assert "Traceback" not in said.stderr
    assert said.stderr.count("\n") == (1 if code else 0)
    assert (said.stdout == "") == bool(code)


@pytest.mark.slow
@pytest.mark.parametrize(("words", "sentence"), WRONG, ids=[" ".join(w) for w, _ in WRONG])
def test_every_error_as_a_person_meets_it(words: list[str], sentence: str) -> None:
    said = finished(words)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.count("\n") == 1
    assert said.stderr.startswith("error: ")


def test_run_json_says_what_was_typed(run: Path) -> None:
    stored = json.loads((run / "run.json").read_text())
    assert not [w for w in stored["overrides"] if w.startswith(("out=", "resume="))]
    assert "rounds=1" in stored["overrides"]
