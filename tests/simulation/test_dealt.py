"""Partitions in a run: who trains, what the folder says of it, and that it runs."""

import json
from pathlib import Path

import pytest

from fedbreath.composition import choices
from fedbreath.config import load
from fedbreath.report import folder as records
from simulation import PACKAGES
from simulation.data import Prepared, prepare
from simulation.describe import describe
from simulation.partitions import units
from simulation.planning import MOST_LOCAL
from tests import coswara_folder
from tests.simulation.tiny import SMALL, Tiny

#: What makes a partition fit the tiny data.
WORDS = {
    "by_key": ("partition.key=smoker",),
    "cohorts": ("partition.clients=3",),
    "dirichlet": ("partition.clients=3",),
    "quantity_skew": ("partition.clients=3",),
}

#: A declared population deals nobody whom the data list (`tests.simulation.partitions`).
DEALING = [name for name in choices("partition") if name != "population"]


def prepared(tiny: Tiny, name: str, *more: str) -> Prepared:
    return prepare(tiny.config(f"partition={name}", *WORDS.get(name, ()), *more))


@pytest.mark.parametrize("name", DEALING)
def test_every_training_person_is_whole_at_one_client(tiny: Tiny, name: str) -> None:
    found = prepared(tiny, name)
    assert found.left_out == {}
    expected = {
        (store.site.name, e.group): sum(o.group == e.group for o in store.entries)
        for store in found.stores
        for e in store.entries
        if e.group not in found.held_out[store.site.name]
    }
    whole = [unit for chosen in found.clients.values() for unit in units([chosen])]
    assert {(u.site, u.group): len(u.rows) for u in whole} == expected
    assert len(whole) == len(expected)


@pytest.mark.parametrize("name", DEALING)
def test_the_record_counts_what_was_dealt(tiny: Tiny, name: str) -> None:
    words = (f"partition={name}", *WORDS.get(name, ()))
    found = prepared(tiny, name)
    record = describe(tiny.config(*words), found)
    assert record.partition == name
    assert record.mixture_of == "disease"
    for client in record.clients:
        chosen = found.clients[client.name]
        assert client.recordings == len(chosen)
        assert client.groups == client.subjects == len(set(chosen.subjects))
        assert client.mixture is not None
        assert sum(client.mixture.values()) == client.groups
        ill = {
            e.recording.subject for e in chosen.entries if e.recording.labels["disease"] == "yes"
        }
        assert client.mixture.get("yes", 0) == len(ill)


def test_the_mixture_is_of_the_partitions_own_label(tiny: Tiny) -> None:
    words = ("partition=dirichlet", "partition.label=sex")
    record = describe(tiny.config(*words), prepare(tiny.config(*words)))
    assert record.mixture_of == "sex"
    assert {v for c in record.clients for v in c.mixture or {}} == {"female", "male"}


def test_what_a_partition_leaves_out_is_said(tiny: Tiny) -> None:
    words = ("partition=by_key", "partition.key=severity", "partition.missing=left_out")
    found = prepare(tiny.config(*words))
    problems = describe(tiny.config(*words), found).problems
    kept = sum(len(chosen) for chosen in found.clients.values())
    trained = sum(
        e.group not in found.held_out[store.site.name]
        for store in found.stores
        for e in store.entries
    )
    told = [int(p.item.partition(" ")[0]) for p in problems]
    assert sum(told) == trained - kept > 0
    assert {p.reason.partition(":")[0] for p in problems} == {"at no client"}


def test_subjects_are_split_when_asked(tiny: Tiny) -> None:
    words = ("partition=by_key", "partition.key=modality", "partition.split_subjects=true")
    found = prepare(tiny.config(*words))
    assert set(found.clients) == {"breath", "cough"}
    assert set(found.clients["breath"].subjects) == set(found.clients["cough"].subjects)


def test_a_phone_with_too_little_is_left_out_and_named(tiny: Tiny, tmp_path: Path) -> None:
    coswara_folder.write(tmp_path / "coswara", persons=6)
    config = load(
        [*SMALL, "data=coswara", f"data.root='{tmp_path}'", f"cache='{tiny.cache}'",
         "partition=per_subject"], PACKAGES)  # fmt: skip
    phone, *others = sorted(prepare(config).clients)
    person = phone.removeprefix("coswara-")
    for path in sorted((tmp_path / "coswara").rglob(f"{person}/*.wav"))[1:]:
        path.unlink()
    found = prepare(config)
    assert sorted(found.clients) == others
    assert list(found.left_out) == [phone]
    whole, counted = [p for p in describe(config, found).problems if "recording" in p.reason
                      or "training" in p.item]  # fmt: skip
    assert (whole.site, whole.item) == (phone, "the whole client")
    assert (counted.site, counted.item) == ("coswara", "1 training recording(s)")


@pytest.mark.parametrize("name", ["per_subject", "dirichlet"])
def test_a_run(tiny: Tiny, tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    expected = list(prepared(tiny, name).clients)
    assert 1 < len(expected) <= MOST_LOCAL
    words = (f"partition={name}", *WORDS.get(name, ()), "rounds=1")
    assert tiny.run(out, *words, "evaluation.baselines=true") == 0
    found = records.read(out)
    names = [c.name for c in found.data.clients]
    assert names == expected
    assert [p.name for p in found.rounds[0].participants] == names
    assert {path.name for path in (out / "sites").iterdir()} == set(names)
    assert found.scores is not None
    arms = [arm.name for arm in found.scores.arms]
    assert "centralised" in arms
    assert [a for a in arms if a.startswith("local:")] == [f"local:{n}" for n in names]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'aria-label="How the data were dealt, by disease.' in page
    assert json.loads((out / "data.json").read_text())["partition"] == name


def test_more_clients_than_persons_is_one_sentence(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tiny.run(tmp_path / "run", "partition=cohorts", "partition.clients=99") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: partition.clients=99: there are only ")
    assert said.count("\n") == 1
