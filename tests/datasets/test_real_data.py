"""The six adapters on the real recordings, against the manifest that comes with them."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedbreath.config import component
from fedbreath.recording import Recording, Site

pytestmark = pytest.mark.real

NAMES = ("sprsound", "icbhi2017", "coswara", "covid19_cough", "esc10", "noise_of_life")

#: Where the label of the manifest's column of that name is found.
LABEL = {
    "sprsound": "record",
    "icbhi2017": "diagnosis",
    "coswara": "covid_status",
    "covid19_cough": "covid19",
    "esc10": "sound",
    "noise_of_life": "class",
}

Row = dict[str, str]


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def site(name: str, real_data: Path) -> Site:
    (site,) = component("data", name, [f"root={real_data}"]).build().sites()
    assert isinstance(site, Site)
    return site


@pytest.fixture(scope="module")
def manifest(name: str, real_data: Path) -> dict[str, Row]:
    """The manifest's rows by recording id."""
    with (real_data / "MANIFEST.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == name]
    return {row["path"].removeprefix(f"{name}/"): row for row in rows}


def test_finds_every_recording_and_no_problem(
    site: Site, name: str, manifest: dict[str, Row]
) -> None:
    ids = [recording.id for recording in site.recordings]
    assert site.problems == ()
    assert ids == sorted(manifest)
    assert site.name == name
    assert site.pretrain
    assert {recording.dataset for recording in site.recordings} == {name}


def test_source_is_the_file(site: Site, name: str, real_data: Path) -> None:
    for recording in site.recordings:
        assert recording.source == real_data / name / recording.id


def test_own_folder_and_parent_folder_are_the_same(site: Site, name: str, real_data: Path) -> None:
    own = component("data", name, [f"root={real_data / name}"]).build().sites()
    assert own == [site]


def pairs(site: Site, manifest: dict[str, Row]) -> Iterator[tuple[Recording, Row]]:
    return ((recording, manifest[recording.id]) for recording in site.recordings)


def test_subject_is_the_person_and_only_the_person(site: Site, manifest: dict[str, Row]) -> None:
    for recording, row in pairs(site, manifest):
        known = row["patient_kind"] == "person"
        assert recording.subject == (row["patient"] if known else None)
        assert (recording.block is None) or not known
    assert site.has_subjects == all(r["patient_kind"] == "person" for r in manifest.values())


def test_modality(site: Site, manifest: dict[str, Row]) -> None:
    for recording, row in pairs(site, manifest):
        assert recording.modality == row["sound"]


def test_labels_agree(site: Site, name: str, manifest: dict[str, Row]) -> None:
    for recording, row in pairs(site, manifest):
        labels = recording.labels
        assert row["label"].removeprefix("covid_") == labels[LABEL[name]]
        assert labels.get("sex", "") == row["sex"]
        assert ("age" in labels) == bool(row["age"])
        assert not row["age"] or float(labels["age"]) == float(row["age"])
        # The manifest takes "not ticked" for "no"; the data set's own legend does not.
        assert (labels.get("smoker") == "yes") == (row["smoker"] == "yes")


def test_no_label_is_blank_and_strata_are_known(site: Site) -> None:
    for recording in site.recordings:
        assert all(isinstance(v, str) and v.strip() for v in recording.labels.values())
        assert set(site.stratify) <= set(recording.labels)


def test_device_and_chest_location(site: Site, name: str, manifest: dict[str, Row]) -> None:
    for recording, row in pairs(site, manifest):
        device, _, location = row["device"].partition("; ")
        assert (recording.device or "") == device.removesuffix(" stethoscope")
        assert recording.labels.get("chest_location", "") == location


def test_events_and_annotations(site: Site, name: str, manifest: dict[str, Row]) -> None:
    for recording, row in pairs(site, manifest):
        labels, events = recording.labels, row["events"]
        counts = dict(part.split(":") for part in events.split(";") if ":" in part)
        if name == "sprsound":
            found = {k.removeprefix("event:"): v for k, v in labels.items() if "event:" in k}
            assert found == counts
        elif name == "icbhi2017":
            assert labels["cycles"] == counts["cycles"]
            assert labels["crackle_cycles"] == counts["crackle"]
            assert labels["wheeze_cycles"] == counts["wheeze"]
            assert labels["split"] == row["native_split"]
        elif name == "coswara":
            assert labels["quality"] == counts["quality"]
        elif name == "covid19_cough":
            assert (labels.get("verified") == "yes") == (events == "verified")
        elif name == "esc10":
            assert f"fold{labels['fold']}" == row["native_split"]


def test_clips_of_one_source_stay_together(name: str, site: Site, manifest: dict[str, Row]) -> None:
    if name == "esc10":
        assert all(r.block == row["patient"] for r, row in pairs(site, manifest))
    if name == "noise_of_life":
        takes = {r.block: r.id for r in site.recordings if r.modality == "cough"}
        assert set(takes) <= {f"Cough/{n:03d}-{n + 3:03d}" for n in range(1, 400, 4)}
        assert takes["Cough/001-004"] == "Cough/cough-004.wav"


def test_collection_keeps_evaluation_out_of_pretraining(real_data: Path) -> None:
    sites = component("data", "real", [f"root={real_data}"]).build().sites()
    assert {site.name: site.pretrain for site in sites} == {
        "sprsound": True,
        "icbhi2017": True,
        "coswara": True,
        "covid19_cough": True,
        "noise_of_life": False,
        "esc10": False,
    }
