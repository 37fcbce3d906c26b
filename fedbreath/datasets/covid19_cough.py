"""covid19-cough: induced coughs with COVID-19 status, by telephone and messenger, 2020.

Source: https://github.com/covid19-cough/dataset; no paper. Licence: CC0 1.0.

Layout: ``raw/<uuid>.mp3``, and ``metadata.json``: a list of ``{filename, covid19, verified?,
asymptomatic?, comment, source, kind?}`` with booleans or null.

No person id is published: no split by person and no guarantee for persons can be had; one
file is taken as one submission. The call centre's files have two channels, the two sides
of the call. How a cough was collected goes along with the status (``source``), and 111
groups of identical files carry contradicting labels in the full release: no evidence
about COVID-19 can come from here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from fedbreath.datasets import Provenance
from fedbreath.datasets.labels import Cell, known, word, yes_no
from fedbreath.datasets.layout import files, gather, identify, locate, read_json, unique
from fedbreath.errors import DataError
from fedbreath.recording import Problem, Recording, Site

PROVENANCE: Provenance = "real files"

Row = dict[str, Any]

_STATUS = {"yes": "positive", "no": "negative", "": ""}


@dataclass(frozen=True)
class Config:
    """Where covid19-cough lies.

    Attributes:
        root: The folder with ``raw/`` and ``metadata.json``, or one that holds it as
            ``covid19_cough/``.
    """

    persons: ClassVar[bool] = False
    root: str


class Covid19Cough:
    """The data set as one site without persons."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def sites(self) -> list[Site]:
        """One site, ``covid19_cough``.

        Raises:
            DataError: The folder is missing or has not the layout, or ``metadata.json`` is
                no list.
        """
        layout = "raw/*.mp3 with metadata.json"
        root, audio = locate(self.config.root, "covid19_cough", layout, _audio)
        problems: list[Problem] = []
        rows = _rows(root / "metadata.json", problems)
        recordings = []
        for path in audio:
            item = identify(path, root)
            row = rows.pop(path.name, None)
            if row is None:
                problems.append(Problem(item, "no row: metadata.json has no usable row for it"))
            else:
                recordings.append(_recording(item, path, row, problems))
        problems += [
            Problem(f"metadata.json: {name}", "no file: there is no recording of this name in raw/")
            for name in rows
        ]
        return [
            gather(
                "covid19_cough",
                recordings,
                problems,
                stratify=("source", "covid19"),
                keys=("source",),
            )
        ]


def _audio(root: Path) -> list[Path]:
    return files(root / "raw", ".mp3")


def _rows(path: Path, problems: list[Problem]) -> dict[str, Row]:
    content = read_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path} holds no list of recordings")
    rows = []
    for number, row in enumerate(content, start=1):
        if isinstance(row, dict) and isinstance(row.get("filename"), str):
            rows.append((row["filename"], row))
        else:
            problems.append(Problem(f"{path.name} row {number}", "bad row: names no file"))
    return unique(path.name, rows, problems)


def _recording(item: str, path: Path, row: Row, problems: list[Problem]) -> Recording:
    cells: list[Cell] = [
        ("covid19", _status, row.get("covid19")),
        ("source", word, row.get("source")),
        ("verified", yes_no, row.get("verified")),
        ("asymptomatic", yes_no, row.get("asymptomatic")),
    ]
    labels = known(item, cells, problems)
    return Recording(
        id=item,
        source=path,
        dataset="covid19_cough",
        subject=None,
        modality="cough",
        labels=labels,
        device=labels.get("source"),
    )


def _status(value: object) -> str:
    return _STATUS[yes_no(value)]
