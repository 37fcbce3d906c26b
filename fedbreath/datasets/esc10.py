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
from typing import ClassVar

from fedbreath.datasets import Provenance
from fedbreath.datasets.layout import files, gather, identify, locate
from fedbreath.recording import Problem, Recording, Site

PROVENANCE: Provenance = "real files"

_CLASS = re.compile(r"\d{3} - (.*\S)", re.ASCII)
_NAME = re.compile(r"([1-5])-(\d+)-[A-Z]", re.ASCII)


@dataclass(frozen=True)
class Config:
    """Where ESC-10 lies.

    Attributes:
        root: The folder with the ten classes' folders, or one that holds it as ``esc10/``.
    """

    persons: ClassVar[bool] = False
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
            folder, name = _CLASS.fullmatch(path.parent.name), _NAME.fullmatch(path.stem)
            if folder and name:
                recordings.append(_recording(item, path, folder[1], *name.groups()))
            else:
                reason = "unknown name: not <nnn> - <Class>/<fold>-<Freesound clip id>-<take>.ogg"
                problems.append(Problem(item, reason))
        return [gather("esc10", recordings, problems, stratify=("sound",))]


def _audio(root: Path) -> list[Path]:
    classes = any(_CLASS.fullmatch(folder.name) for folder in root.iterdir())
    return files(root, ".ogg") if classes else []


def _recording(item: str, path: Path, sound: str, fold: str, clip: str) -> Recording:
    return Recording(
        id=item,
        source=path,
        dataset="esc10",
        subject=None,
        modality="sneeze" if sound == "Person sneeze" else "background",
        labels={"sound": sound, "fold": fold},
        block=f"freesound-{clip}",
    )
