from collections.abc import Callable
from pathlib import Path

import pytest

from fedbreath.datasets.noise_of_life import Config, NoiseOfLife
from fedbreath.recording import Site

Write = Callable[[Path], Path]

NAMES = ("Cough/cough-019", "Cough/cough-020", "Cough/cough-029", "Breathing/breathing-001")


@pytest.fixture
def root(tmp_path: Path, write_audio: Write) -> Path:
    for name in (*NAMES, "Sneeze/sneeze-100", "BabyCry/babyCry-003"):
        write_audio(tmp_path / "noise_of_life" / f"{name}.wav")
    return tmp_path / "noise_of_life"


def site(root: Path) -> Site:
    (only,) = NoiseOfLife(Config(root=str(root))).sites()
    return only


def test_reads_folders_and_names(root: Path) -> None:
    found = site(root)
    assert found.problems == ()
    assert found.stratify == ("sound",)
    said = {r.id: (r.modality, r.labels["sound"], r.labels["class"]) for r in found.recordings}
    assert said == {
        "BabyCry/babyCry-003.wav": ("background", "other", "BabyCry"),
        "Breathing/breathing-001.wav": ("breath", "breath", "Breathing"),
        "Cough/cough-019.wav": ("cough", "cough", "Cough"),
        "Cough/cough-020.wav": ("cough", "cough", "Cough"),
        "Cough/cough-029.wav": ("cough", "cough", "Cough"),
        "Sneeze/sneeze-100.wav": ("sneeze", "sneeze", "Sneeze"),
    }
    assert list(said) == sorted(said)
    assert all(r.subject is None and r.device is None for r in found.recordings)
    assert site(root.parent) == found


def test_neighbouring_numbers_stay_together(root: Path) -> None:
    blocks = [r.block for r in site(root).recordings]
    assert blocks == [
        "BabyCry/001-004",
        "Breathing/001-004",
        "Cough/017-020",
        "Cough/017-020",
        "Cough/029-032",
        "Sneeze/097-100",
    ]


@pytest.mark.parametrize(
    "name", ["Cough/cough", "Cough/sneeze-001", "Cough/cough-1a", "Other/thing-001", "cough-001"]
)
def test_name_that_says_nothing(root: Path, write_audio: Write, name: str) -> None:
    write_audio(root / f"{name}.wav")
    found = site(root)
    assert len(found.recordings) == 6
    assert [p.item for p in found.problems] == [f"{name}.wav"]
    assert found.problems[0].reason.startswith("unknown name:")
