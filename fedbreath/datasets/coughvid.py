"""COUGHVID: coughs that visitors of a web page recorded, some judged by physicians.

Source: https://zenodo.org/records/4048312 (and its later versions). L. Orlandic et al.,
"The COUGHVID crowdsourcing dataset, a corpus for the study of large-scale cough analysis
algorithms", Scientific Data 8, 156, 2021. Licence: CC BY 4.0.

Layout: ``<uuid>.webm`` or ``.ogg`` with ``metadata_compiled.csv`` in one folder
(``public_dataset/``, later ``coughvid_20211012/``). WAV copies that a user made, there or in
a folder below, count where there is no original. The JSON file of each recording says what
the table says.

No person id is published: no split by person and no guarantee for persons can be had. What
was sent on one day from one place (0.1 degrees) by one age and gender is kept together, as
it may be one visitor trying again.

``cough_detected`` is what the authors' detector thinks of the recording; below 0.8, the
authors' own threshold, it is left out. Up to four physicians judged some recordings:
``severity_1`` is what the first of them said, ``severity`` what all said who judged it, and
absent where they disagree. ``covid19`` and ``status`` are what the visitor said; the
table's ``status_SSL`` is a model's guess and is not read.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fedbreath.datasets import Provenance
from fedbreath.datasets.labels import (
    Cell,
    Reader,
    coded,
    known,
    number,
    sex,
    withheld,
    word,
    years,
    yes_no,
)
from fedbreath.datasets.layout import (
    files,
    find_table,
    gather,
    identify,
    locate,
    read_csv,
    unique,
)
from fedbreath.recording import Problem, Recording, Site

PROVENANCE: Provenance = "published code"

TABLE = "metadata_compiled.csv"
EXPERTS = ("1", "2", "3", "4")

#: What each physician was asked; the columns' names end in the physician's number.
JUDGED: dict[str, Reader] = {
    "quality": word,
    "cough_type": withheld(word, "unknown"),
    "dyspnea": yes_no,
    "wheezing": yes_no,
    "stridor": yes_no,
    "choking": yes_no,
    "congestion": yes_no,
    "nothing": yes_no,
    "diagnosis": word,
    "severity": withheld(word, "unknown"),
}

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_COVID = coded({"COVID-19": "positive", "healthy": "negative", "symptomatic": ""})
_VISIT = ("record_date", "latitude", "longitude", "age")

Labels = dict[str, str]
Row = dict[str, str]


@dataclass(frozen=True)
class Config:
    """Where COUGHVID lies, and what counts as a cough.

    Attributes:
        root: The folder with ``metadata_compiled.csv`` and the recordings or a folder of
            them, or one that holds it as ``coughvid/``.
        least_cough: Recordings whose ``cough_detected`` is less are left out; 0 to 1.
    """

    persons: ClassVar[bool] = False
    root: str
    least_cough: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.least_cough <= 1:
            raise ValueError(f"least_cough must be from 0 to 1, got {self.least_cough}")


class Coughvid:
    """The data set as one site without persons."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def sites(self) -> list[Site]:
        """One site, ``coughvid``.

        Raises:
            DataError: The folder is missing or has not the layout, or
                ``metadata_compiled.csv`` is unreadable as a whole.
        """
        layout = f"<uuid>.webm and <uuid>.ogg with {TABLE}"
        root, audio = locate(self.config.root, "coughvid", layout, _audio)
        problems: list[Problem] = []
        takes = _takes(audio, root, problems)
        table = find_table(root, TABLE) or root / TABLE
        rows = read_csv(table, ("uuid", "cough_detected"), problems)
        recordings = []
        faint = 0
        for uuid, row in unique(table.name, ((row["uuid"], row) for row in rows), problems).items():
            item = f"{table.name}: {uuid}"
            path = takes.pop(uuid, None)
            if path is None:
                problems.append(Problem(item, "no file: there is no recording of this name"))
                continue
            try:
                score = float(number(row["cough_detected"]) or "nan")
            except ValueError as error:
                problems.append(Problem(item, f"bad row: cough_detected {error}"))
                continue
            if score >= self.config.least_cough:
                recordings.append(_recording(identify(path, root), path, item, row, problems))
            else:
                faint += 1
        problems += [
            Problem(identify(path, root), f"no row: {table.name} has no usable row for it")
            for path in takes.values()
        ]
        if faint:
            reason = f"{faint} recordings with less than {self.config.least_cough:g}, or unknown"
            problems.append(Problem("cough_detected", f"left out: {reason}"))
        return [
            gather(
                "coughvid",
                recordings,
                problems,
                stratify=("status",),
                keys=("format", "record_date"),
            )
        ]


def _audio(root: Path) -> list[Path]:
    """The recordings in the table's folder and below, originals first."""
    table = find_table(root, TABLE)
    found = files(table.parent if table else root, ".webm", ".ogg", ".wav")
    if not any(_UUID.fullmatch(path.stem) for path in found):
        return []
    return sorted(found, key=lambda path: (path.suffix.lower() == ".wav", path.as_posix()))


def _takes(audio: list[Path], root: Path, problems: list[Problem]) -> dict[str, Path]:
    """The recordings by their name; where one lies there twice, the first."""
    takes: dict[str, Path] = {}
    for path in audio:
        twin = takes.setdefault(path.stem, path)
        if twin is not path:
            reason = f"duplicate file: {identify(twin, root)} has the same name and is used"
            problems.append(Problem(identify(path, root), reason))
    return takes


def _recording(item: str, path: Path, where: str, row: Row, problems: list[Problem]) -> Recording:
    cells: list[Cell] = [
        ("status", word, row.get("status")),
        ("covid19", _COVID, row.get("status")),
        ("sex", withheld(sex, "other"), row.get("gender")),
        ("age", years, row.get("age")),
        ("respiratory_condition", yes_no, row.get("respiratory_condition")),
        ("fever_muscle_pain", yes_no, row.get("fever_muscle_pain")),
        ("cough_detected", number, row.get("cough_detected")),
        ("snr", number, row.get("SNR")),
        ("record_date", word, row.get("datetime", "")[:10]),
        ("latitude", number, row.get("latitude")),
        ("longitude", number, row.get("longitude")),
    ]
    labels = known(where, cells, problems)
    visitor = [*(labels.get(name, "") for name in _VISIT), row.get("gender", "")]
    return Recording(
        id=item,
        source=path,
        dataset="coughvid",
        subject=None,
        modality="cough",
        labels={"format": path.suffix[1:].lower()} | labels | _judged(where, row, problems),
        block=" ".join(visitor) if all(visitor) else None,
    )


def _judged(item: str, row: Row, problems: list[Problem]) -> Labels:
    """What each physician heard, and what all agree on who judged the recording."""
    labels: Labels = {}
    for name, read in JUDGED.items():
        cells = [(f"{name}_{n}", read, row.get(f"{name}_{n}")) for n in EXPERTS]
        said = known(item, cells, problems)
        labels |= said
        if len(set(said.values())) == 1:
            labels[name] = next(iter(said.values()))
    return labels
