"""SPRSound: lung sounds of children, annotated by paediatricians.

Source: https://github.com/SJTU-YONGFU-RESEARCH-GRP/SPRSound. Q. Zhang et al., "SPRSound:
Open-Source SJTU Paediatric Respiratory Sound Database", IEEE Transactions on Biomedical
Circuits and Systems 16(5), 2022. Licence: the repository holds the text of the GNU GPL 3
and asks for the citation.

Layout: folders ``<set>_wav`` of recordings, each with a folder ``<set>_json`` of
annotations beside it: ``BioCAS2022/train2022_wav``, and so on to ``BioCAS2025``, each year
another test set. The repository holds the same tree once more under ``releases/``; what has
been read under one name is not read again. Older copies say ``train_wav``, or
``Classification/valid_classification_wav/2023``. In 2022 the annotations of test recordings
lie in subfolders for patients new to the test (inter) and known (intra). Since 2024 the
annotations hold events and no label of the record. An event has a type, and its start and
end in ms.

``Patient Summary/`` is optional: three tables of the patients, for 2022, 2023 and 2024, with
the disease, and of pneumonia whether it was severe. Each is read for the recordings of its
own year, since a child can come back with something else; without them the labels
``disease`` and ``severity`` are absent.

A file's name says who: ``<patient>_<age in years>_<0 male, 1 female>_<p1..p8>_<number>``.
Only the first field is the person: one patient occurs at several ages, and in training
and test alike, so the native folders are no split by patient. Some names of 2024 and 2025
begin with a blank patient: their persons could be anybody's, and they are left out.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedbreath.datasets import Provenance
from fedbreath.datasets.labels import Cell, known, sex, word, years
from fedbreath.datasets.layout import files, gather, identify, locate, read_csv, read_json, unique
from fedbreath.errors import DataError
from fedbreath.recording import Event, Problem, Recording, Site

PROVENANCE: Provenance = "real files"

RECORDS = ("Normal", "CAS", "DAS", "CAS & DAS", "Poor Quality")

#: The table of patients in ``Patient Summary/`` by the year of the release.
SUMMARIES = {
    "2022": "SPRSound_patient_summary.csv",
    "2023": "Grand_Challenge'23_patient_summary.csv",
    "2024": "Grand_Challenge'24_patient_summary.csv",
}

_NAME = re.compile(r"(\d*)_(\d+(?:\.\d+)?)_([01])_(p[1-8])_(\d+)", re.ASCII)
_SEX = {"0": "male", "1": "female"}
_SPLIT = {"train": "train", "valid": "validation", "test": "test"}
_SET = re.compile(rf"({'|'.join(_SPLIT)})\w*_wav", re.ASCII)
_YEAR = re.compile(r"20\d\d", re.ASCII)
_PNEUMONIA = re.compile(r"Pneumonia \((severe|non-severe)\)", re.ASCII)

#: The tables call two groups by two names.
_DISEASES = {
    "control group": "Control Group",
    "other respiratory": "Other respiratory diseases",
}

Labels = dict[str, str]


@dataclass(frozen=True)
class Config:
    """Where SPRSound lies.

    Attributes:
        root: The folder with ``BioCAS2022/``, or one that holds it as ``sprsound/``.
    """

    root: str


@dataclass(frozen=True)
class _Take:
    """What a recording's path says.

    Attributes:
        path: Of the recording.
        patient: Blank for the ones without.
        labels: Sex, age, chest location, split and release.
    """

    path: Path
    patient: str
    labels: Labels


class SprSound:
    """The data set as one site of patients."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def sites(self) -> list[Site]:
        """One site, ``sprsound``.

        Raises:
            DataError: The folder is missing or has not the layout, or a table of patients
                is unreadable as a whole.
        """
        layout = "BioCAS2022/train2022_wav/*.wav with train2022_json/*.json"
        root, audio = locate(self.config.root, "sprsound", layout, _audio)
        problems: list[Problem] = []
        annotations = _first(_below(root, "_json", ".json"), root, problems)
        takes = _takes(_first(audio, root, problems).values(), root, problems)
        patients = _patients(root, takes, problems)
        nobody: Counter[str] = Counter()
        recordings = []
        for take in takes:
            annotation = annotations.get(take.path.stem)
            item = identify(take.path, root)
            if not take.patient:
                nobody[identify(take.path.parent, root)] += 1
                continue
            try:
                recordings.append(_recording(item, take, annotation, patients, problems))
            except ValueError as error:
                problems.append(Problem(item, str(error)))
        problems += [
            Problem(folder, f"left out: {count} recordings whose names hold no patient number")
            for folder, count in sorted(nobody.items())
        ]
        names = {path.stem for path in audio}
        problems += [
            Problem(identify(path, root), "no file: there is no recording of this name")
            for stem, path in annotations.items()
            if stem not in names
        ]
        stratify, keys = ("record",), ("release",)
        return [gather("sprsound", recordings, problems, stratify=stratify, keys=keys)]


def _below(root: Path, ending: str, suffix: str) -> list[Path]:
    """The files in folders of recordings or annotations, at any depth that a release has."""
    depths = ("", "*/", "releases/*/")
    folders = {folder for depth in depths for folder in root.glob(f"{depth}*{ending}")}
    # A set, since the folders of test annotations lie in one that ends like them.
    return sorted({path for f in folders for path in files(f, suffix)}, key=Path.as_posix)


def _audio(root: Path) -> list[Path]:
    return _below(root, "_wav", ".wav")


def _first(paths: Iterable[Path], root: Path, problems: list[Problem]) -> dict[str, Path]:
    """The first file of each name; the others are counted by folder."""
    found: dict[str, Path] = {}
    copies: Counter[str] = Counter()
    for path in paths:
        if found.setdefault(path.stem, path) is not path:
            copies[identify(path.parent, root)] += 1
    for folder, count in sorted(copies.items()):
        reason = f"duplicate file: {count} have the names of files elsewhere, which are used"
        problems.append(Problem(folder, reason))
    return found


def _takes(paths: Iterable[Path], root: Path, problems: list[Problem]) -> list[_Take]:
    takes = []
    for path in paths:
        try:
            takes.append(_take(path, root))
        except ValueError as error:
            problems.append(Problem(identify(path, root), str(error)))
    return takes


def _take(path: Path, root: Path) -> _Take:
    name = _NAME.fullmatch(path.stem)
    if name is None:
        raise ValueError("unknown name: not <patient>_<age>_<0 or 1>_<p1..p8>_<number>.wav")
    patient, age, gender, location, _ = name.groups()
    try:
        labels = {"sex": _SEX[gender], "age": years(age), "chest_location": location}
    except ValueError as error:
        raise ValueError(f"unknown name: the age {error}") from None
    folders = path.relative_to(root).parts[-2::-1]
    sets = [found[1] for folder in folders if (found := _SET.fullmatch(folder.lower()))]
    labels |= {"split": _SPLIT[sets[0]]} if sets else {}
    # A folder without a year is the training set, or an older copy: both are of 2022.
    found_years = [found[0] for folder in folders if (found := _YEAR.search(folder))]
    return _Take(path, patient, labels | {"release": [*found_years, "2022"][0]})


def _patients(
    root: Path, takes: list[_Take], problems: list[Problem]
) -> dict[tuple[str, str], Labels]:
    """Labels by release and patient, from the tables that are there.

    A blank sex overrules that of the file names: the table contradicts them.
    """
    sexes: dict[tuple[str, str], set[str]] = {}
    for take in takes:
        if take.patient:
            key = (take.labels["release"], take.patient)
            sexes.setdefault(key, set()).add(take.labels["sex"])
    everybody = {patient for _, patient in sexes}
    patients = {}
    for release, name in SUMMARIES.items():
        here = {patient: said for (year, patient), said in sexes.items() if year == release}
        table = root / "Patient Summary" / name
        if not here or not table.exists():
            continue
        rows = _rows(table, problems)
        if absent := len(rows.keys() - everybody):
            problems.append(Problem(name, f"no file: {absent} patients have no recording here"))
        for patient, said in sorted(here.items()):
            labels = _patient(f"{name}: {patient}", rows.get(patient), said, problems)
            patients[release, patient] = labels
    return patients


def _rows(table: Path, problems: list[Problem]) -> dict[str, tuple[str, str]]:
    """Disease and sex by patient; the rows that name none are counted."""
    rows = read_csv(table, ("patient_num", "disease", "gender"), problems)
    named = [(row["patient_num"], row) for row in rows if row["patient_num"] not in ("", "-")]
    if nobody := len(rows) - len(named):
        problems.append(Problem(table.name, f"left out: {nobody} rows name no patient"))
    pairs = ((patient, (row["disease"], row["gender"])) for patient, row in named)
    return unique(table.name, pairs, problems)


def _patient(
    item: str, row: tuple[str, str] | None, said: set[str], problems: list[Problem]
) -> Labels:
    if row is None:
        problems.append(Problem(item, "no row: disease and severity left out"))
        return {}
    disease, gender = row
    cells: list[Cell] = [("disease", _disease, disease), ("sex", sex, gender)]
    labels = known(item, cells, problems)
    told = labels.pop("sex", "")
    if told and {told} != said:
        names = " and ".join(sorted(said))
        reason = f"label left out: sex, {names} in the file names and {told} in the table"
        problems.append(Problem(item, reason))
        labels["sex"] = ""
    if severity := _PNEUMONIA.fullmatch(labels.get("disease", "")):
        labels["severity"] = severity[1]
    return labels


def _disease(value: object) -> str:
    text = word(value)
    return "" if text == "-" else _DISEASES.get(text.lower(), text)


def _recording(
    item: str,
    take: _Take,
    annotation: Path | None,
    patients: dict[tuple[str, str], Labels],
    problems: list[Problem],
) -> Recording:
    if annotation is None:
        raise ValueError(f"no annotation: there is no {take.path.stem}.json")
    labels = take.labels | patients.get((take.labels["release"], take.patient), {})
    kind = annotation.parent.name.partition("_")[0]
    if kind in ("inter", "intra"):
        labels["test_kind"] = kind
    record, heard = _annotated(annotation)
    events = [event for event in map(_timed, heard) if event is not None]
    if missing := len(heard) - len(events):
        problems.append(Problem(item, f"event left out: {missing} without a start before its end"))
    counts = Counter(event["type"].strip() for event in heard)
    labels |= record | {f"event:{kind}": str(counts[kind]) for kind in sorted(counts)}
    return Recording(
        id=item,
        source=take.path,
        dataset="sprsound",
        subject=take.patient,
        modality="lung",
        labels={name: value for name, value in labels.items() if value},
        device="Yunting model II",
        events=tuple(events),
    )


def _annotated(path: Path) -> tuple[Labels, list[dict[str, Any]]]:
    """The record's label, where it has one, and the events that were heard."""
    try:
        content = read_json(path)
    except DataError as error:
        raise ValueError(f"bad annotation: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"bad annotation: {path.name} holds no object")
    labels = {}
    # The files say record_annotation, the description that comes with them the other.
    for key in ("recording_annotation", "record_annotation"):
        if key in content:
            labels["record"] = content[key]
    if "record" in labels and labels["record"] not in RECORDS:
        record = labels["record"]
        raise ValueError(f"bad annotation: {path.name} has the unknown record label {record!r:.60}")
    events = content.get("event_annotation")
    if not isinstance(events, list) or not all(_is_event(event) for event in events):
        raise ValueError(f"bad annotation: {path.name} has no list of events with a type")
    return labels, events


def _is_event(event: Any) -> bool:
    kind = event.get("type") if isinstance(event, dict) else None
    return isinstance(kind, str) and kind.isprintable() and kind.strip() != ""


def _timed(event: dict[str, Any]) -> Event | None:
    """An event whose times, in ms and mostly strings, make sense."""
    try:
        start, end = (float(event[key]) / 1000 for key in ("start", "end"))
    except (LookupError, TypeError, ValueError):
        return None
    inside = 0 <= start < end < float("inf")
    return Event(start, end, event["type"].strip()) if inside else None
