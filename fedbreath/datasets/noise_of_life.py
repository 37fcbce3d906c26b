"""noise-of-life: isolated coughs, breaths, sneezes and household noises.

Source: https://github.com/amsehili/noise-of-life, A. Sehili; no paper. Licence: CC0 1.0,
"apart from files from freesound.org that have a Creative Commons license different than
0", which are not named.

Layout: ``<Class>/<class>-<nnn>.wav`` (``BabyCry/babyCry-003.wav``). Persons are not known.
Neighbouring numbers of a class sound like the same take, above all in ``Breathing``: runs
of four are kept together.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fedbreath.datasets import Provenance
from fedbreath.datasets.layout import files, gather, identify, locate
from fedbreath.recording import Modality, Problem, Recording, Site

PROVENANCE: Provenance = "real files"

#: The respiratory classes, as labels and modalities; every other is background.
SOUNDS: dict[str, Modality] = {"Cough": "cough", "Breathing": "breath", "Sneeze": "sneeze"}

_NAME = re.compile(r"([A-Za-z]+)-(\d+)", re.ASCII)
_RUN = 4


@dataclass(frozen=True)
class Config:
    """Where noise-of-life lies.

    Attributes:
        root: The folder with the classes' folders, or one that holds it as
            ``noise_of_life/``.
    """

    persons: ClassVar[bool] = False
    root: str


class NoiseOfLife:
    """The data set as one site without persons."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def sites(self) -> list[Site]:
        """One site, ``noise_of_life``.

        Raises:
            DataError: The folder is missing or has not the layout.
        """
        layout = "folders such as Cough with cough-001.wav"
        root, audio = locate(self.config.root, "noise_of_life", layout, _audio)
        recordings, problems = [], []
        for path in audio:
            item = identify(path, root)
            number = _number(path)
            if number is None:
                problems.append(Problem(item, "unknown name: not <Class>/<same class>-<nnn>.wav"))
            else:
                recordings.append(_recording(item, path, number))
        return [gather("noise_of_life", recordings, problems, stratify=("sound",))]


def _audio(root: Path) -> list[Path]:
    """All WAV files, where at least one lies in a class's folder and is named after it."""
    classes = any(path.is_file() and _number(path) is not None for path in root.glob("*/*"))
    return files(root, ".wav") if classes else []


def _number(path: Path) -> int | None:
    """A file's number in its class; None for a name of another form or another class."""
    name = _NAME.fullmatch(path.stem)
    return int(name[2]) if name and name[1].lower() == path.parent.name.lower() else None


def _recording(item: str, path: Path, number: int) -> Recording:
    kind = path.parent.name
    first = (number - 1) // _RUN * _RUN + 1
    return Recording(
        id=item,
        source=path,
        dataset="noise_of_life",
        subject=None,
        modality=SOUNDS.get(kind, "background"),
        labels={"sound": SOUNDS.get(kind, "other"), "class": kind},
        block=f"{kind}/{first:03d}-{first + _RUN - 1:03d}",
    )
