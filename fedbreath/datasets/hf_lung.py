"""HF_Lung_V1 and its expansion: lung sounds of adults, breath by breath annotated.

Source: https://gitlab.com/techsupportHF/HF_Lung_V1 and
https://gitlab.com/techsupportHF/HF_Lung_V1_IP. F.-S. Hsu et al., "Benchmarking of eight
recurrent neural network variants for breath phase and adventitious sound detection on a
self-developed open-access lung sound database - HF_Lung_V1", PLoS ONE 16(7), 2021.
Licence: CC BY 4.0, the expansion CC BY-NC 4.0.

Layout: ``HF_Lung_V1-master/{train,test}/<name>.wav`` (15 s) with ``<name>_label.txt``
beside it, and ``HF_Lung_V1_IP-main/train`` likewise; one of the two will do. A line of
annotation is ``<what> <begin> <end>``, times as HH:MM:SS.mmm: I and E are breath phases, D
crackles, the rest (Wheeze, Rhonchi, Stridor) continuous sounds. They may overlap.

What is not annotated is not known to be normal: two thirds of the time have no annotation.
A count of 0, and ``none annotated``, say what was annotated and no more. 58 files of
annotation are empty; such a recording has no counts at all.

No person is published. A name tells the device and when a take began:
``steth_<yyyymmdd>_...`` or ``trunc_<yyyy-mm-dd>-...-<location>_<number>``, the latter cut
from longer takes. The official split parts dates, never a date's recordings; the date is
what stays together here, for both devices. Who was recorded on several days is not known.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar

from fedbreath.datasets import Provenance
from fedbreath.datasets.layout import files, gather, identify, locate, read_text
from fedbreath.errors import DataError
from fedbreath.recording import Problem, Recording, Site

PROVENANCE: Provenance = "published code"

SPLITS = ("train", "test")

#: Label names of the annotated events, and whether they are continuous or discontinuous
#: adventitious sounds.
EVENTS = {
    "I": ("inspirations", ""),
    "E": ("expirations", ""),
    "D": ("event:D", "DAS"),
    "Wheeze": ("event:Wheeze", "CAS"),
    "Rhonchi": ("event:Rhonchi", "CAS"),
    "Stridor": ("event:Stridor", "CAS"),
}

_STETHOSCOPE = re.compile(r"steth_(\d{8})_\d\d_\d\d_\d\d", re.ASCII)
_CUT = re.compile(r"trunc_(\d{4}-\d\d-\d\d)-\d\d-\d\d-\d\d-([A-Z][0-9a-z])_\d+", re.ASCII)
_EVENT = re.compile(r"(\S+)\s+(\d\d:\d\d:\d\d\.\d+)\s+(\d\d:\d\d:\d\d\.\d+)", re.ASCII)

Labels = dict[str, str]


@dataclass(frozen=True)
class Config:
    """Where HF_Lung lies.

    Attributes:
        root: The folder with ``HF_Lung_V1-master/`` or ``HF_Lung_V1_IP-main/`` or both, one
            of these, or a folder that holds it as ``hf_lung/``.
    """

    persons: ClassVar[bool] = False
    root: str


class HfLung:
    """The data set as one site that knows no persons."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def sites(self) -> list[Site]:
        """One site, ``hf_lung``.

        Raises:
            DataError: The folder is missing or has not the layout.
        """
        layout = "HF_Lung_V1-master/train/*.wav with *_label.txt, and test/"
        root, audio = locate(self.config.root, "hf_lung", layout, _audio)
        problems: list[Problem] = []
        recordings: dict[str, Recording] = {}
        annotations = {path for folder in _folders(root) for path in files(folder, "_label.txt")}
        for path in audio:
            item = identify(path, root)
            annotation = path.with_name(f"{path.stem}_label.txt")
            found = annotation in annotations
            annotations.discard(annotation)
            if twin := recordings.get(path.stem):
                problems.append(Problem(item, f"duplicate file: {twin.id} has the same name"))
                continue
            try:
                recordings[path.stem] = _recording(
                    item, path, annotation if found else None, problems
                )
            except ValueError as error:
                problems.append(Problem(item, str(error)))
        problems += [
            Problem(identify(path, root), "no file: there is no recording of this name")
            for path in sorted(annotations)
        ]
        return [
            gather(
                "hf_lung",
                recordings.values(),
                problems,
                stratify=("adventitious",),
                keys=("device", "record_date"),
            )
        ]


def _folders(root: Path) -> list[Path]:
    """The folders of the official split, of every release that is there."""
    releases = (f for f in sorted(root.iterdir()) if f.name.lower().startswith("hf_lung"))
    return [release / split for release in (root, *releases) for split in SPLITS]


def _audio(root: Path) -> list[Path]:
    return [path for folder in _folders(root) for path in files(folder, ".wav")]


def _recording(
    item: str, path: Path, annotation: Path | None, problems: list[Problem]
) -> Recording:
    device, day, place = _named(path.stem)
    split = next(part for part in Path(item).parts if part in SPLITS)
    labels = {"split": split, "record_date": day} | place
    try:
        labels |= _events(annotation)
    except ValueError as error:
        problems.append(Problem(item, f"{error}; what was heard is left out"))
    return Recording(
        id=item,
        source=path,
        dataset="hf_lung",
        subject=None,
        modality="lung",
        labels=labels,
        device=device,
        block=day,
    )


def _named(stem: str) -> tuple[str, str, Labels]:
    """What a name says: the device, the day, and where on the chest."""
    if name := _STETHOSCOPE.fullmatch(stem):
        return "Littmann 3200", _day(name[1]), {}
    if name := _CUT.fullmatch(stem):
        return "HF-Type-1", _day(name[1]), {"chest_location": name[2]}
    raise ValueError(
        "unknown name: not steth_<yyyymmdd>_<time>.wav or "
        "trunc_<yyyy-mm-dd>-<time>-<location>_<number>.wav"
    )


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"unknown name: {text} is no day") from None


def _events(path: Path | None) -> Labels:
    """How many events of each kind were annotated, and of which kind any was."""
    if path is None:
        raise ValueError("no annotation: there is no file <name>_label.txt beside it")
    try:
        lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    except DataError as error:
        raise ValueError(f"bad annotation: {error}") from None
    if not lines:
        raise ValueError(f"no annotation: {path.name} is empty")
    counts: Counter[str] = Counter()
    for line in lines:
        event = _EVENT.fullmatch(line)
        if event is None or event[1] not in EVENTS or event[2] >= event[3]:
            raise ValueError(f"bad annotation: {path.name} has an event that is none: {line!r:.60}")
        counts[event[1]] += 1
    heard = sorted({EVENTS[event][1] for event in counts} - {""})
    labels = {label: str(counts[event]) for event, (label, _) in EVENTS.items()}
    return labels | {"adventitious": " & ".join(heard) or "none annotated"}
