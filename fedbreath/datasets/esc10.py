"""ESC-10: ten classes of environmental sounds, among them sneezes; all else is background.

Source: https://github.com/karoldvl/ESC-10. K. J. Piczak, "ESC: Dataset for Environmental
Sound Classification", ACM Multimedia, 2015. Licence: CC BY 3.0 for the set; each clip's
author and licence (CC0 or CC BY) are in its README.

Layout: ``<nnn> - <Class name>/<fold>-<Freesound clip id>-<take>.ogg``. Persons are not
known; takes of one Freesound clip are kept together.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from fedbreath.datasets.layout import files, identify, locate
from fedbreath.recording import Problem, Recording, Site

_CLASS = re.compile(r"\d{3} - ([A-Za-z][A-Za-z ]*)", re.ASCII)
_NAME = re.compile(r"([1-5])-(\d+)-[A-Z]", re.ASCII)


@dataclass(frozen=True)
class Config:
    """Where ESC-10 lies.

    Attributes:
        root: The folder with the ten classes' folders, or one that holds it as ``esc10/``.
    """

    root: str


class Esc10:
    """The data set as one site without persons."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def sites(self) -> list[Site]:
        """One site, ``esc10``.

        Raises:
            DataError: The folder is missing or has not the layout.
        """
        layout = "folders such as '001 - Dog bark' with *.ogg"
        root, audio = locate(self.config.root, "esc10", layout, _audio)
        recordings, problems = [], []
        for path in audio:
            item = identify(path, root)
            name = _NAME.fullmatch(path.stem)
            if name is None:
                reason = "unknown name: not <fold 1 to 5>-<Freesound clip id>-<take>.ogg"
                problems.append(Problem(item, reason))
            else:
                recordings.append(_recording(item, path, *name.groups()))
        return [Site("esc10", tuple(recordings), tuple(problems), stratify=("sound",))]


def _audio(root: Path) -> list[Path]:
    folders = sorted(folder for folder in root.iterdir() if _CLASS.fullmatch(folder.name))
    return [path for folder in folders for path in files(folder, ".ogg")]


def _recording(item: str, path: Path, fold: str, clip: str) -> Recording:
    sound = path.parent.name.partition(" - ")[2]
    return Recording(
        id=item,
        source=path,
        dataset="esc10",
        subject=None,
        modality="sneeze" if sound == "Person sneeze" else "background",
        labels={"sound": sound, "fold": fold},
        block=f"freesound-{clip}",
    )
