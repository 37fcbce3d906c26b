from collections.abc import Callable
from pathlib import Path

import pytest

from fedbreath.datasets.esc10 import Config, Esc10
from fedbreath.recording import Site

Write = Callable[[Path], Path]


@pytest.fixture
def root(tmp_path: Path, write_audio: Write) -> Path:
    for name in (
        "001 - Dog bark/1-32318-A",
        "001 - Dog bark/1-32318-B",
        "006 - Person sneeze/5-7-A",
    ):
        write_audio(tmp_path / "esc10" / f"{name}.ogg")
    (tmp_path / "esc10/README.md").write_text("# ESC-10")
    return tmp_path / "esc10"


def site(root: Path) -> Site:
    (only,) = Esc10(Config(root=str(root))).sites()
    return only


def test_reads_folders_and_names(root: Path) -> None:
    found = site(root)
    assert found.problems == ()
    assert found.stratify == ("sound",)
    first, second, sneeze = found.recordings
    assert first.id == "001 - Dog bark/1-32318-A.ogg"
    assert first.labels == {"sound": "Dog bark", "fold": "1"}
    assert (first.modality, first.subject) == ("background", None)
    assert first.group == second.group == "freesound-32318"
    assert sneeze.labels == {"sound": "Person sneeze", "fold": "5"}
    assert sneeze.modality == "sneeze"
    assert site(root.parent) == found


@pytest.mark.parametrize(
    "name", ["001 - Dog bark/0-32318-A", "001 - Dog bark/1-x-A", "001 - Dog bark/in/1-2-A", "1-2-A"]
)
def test_name_that_says_nothing(root: Path, write_audio: Write, name: str) -> None:
    write_audio(root / f"{name}.ogg")
    found = site(root)
    assert len(found.recordings) == 3
    assert [p.item for p in found.problems] == [f"{name}.ogg"]
    assert found.problems[0].reason.startswith("unknown name:")


def test_suffix_in_capitals(root: Path) -> None:
    sneeze = root / "006 - Person sneeze/5-7-A.ogg"
    sneeze.rename(sneeze.with_suffix(".OGG"))
    assert len(site(root).recordings) == 3
