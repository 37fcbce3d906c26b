from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client.local import held_out, parts
from fedbreath.config import Config, load
from fedbreath.errors import DataError, SiteError
from fedbreath.features import Store
from fedbreath.recording import Site
from simulation import PACKAGES
from simulation.data import Prepared, prepare
from simulation.describe import describe, trained_on
from tests import coswara_folder
from tests.simulation.tiny import SMALL, Tiny


@pytest.fixture(scope="module")
def phones(tiny: Tiny) -> Prepared:
    return prepare(tiny.config())


def persons(prepared: Prepared, client: str) -> set[str | None]:
    return set(prepared.clients[client].subjects)


def test_a_client_for_each_site(phones: Prepared) -> None:
    assert (
        list(phones.clients) == [s.site.name for s in phones.stores] == ["cohort-00", "cohort-01"]
    )
    assert phones.left_out == {}


def test_test_persons_train_nobody(phones: Prepared) -> None:
    for store in phones.stores:
        name = store.site.name
        tested = phones.held_out[name]
        assert len(tested) == round(0.4 * 8)
        assert persons(phones, name).isdisjoint(tested)
        assert persons(phones, name) | tested == {r.subject for r in store.site.recordings}


def test_the_pool_tests_only_on_who_was_kept_out(phones: Prepared) -> None:
    trained = trained_on(phones)
    assert phones.pool.tasks
    for data in phones.pool.tasks:
        assert trained.isdisjoint(data.groups_of(data.test))
        assert set(data.groups_of(~data.test)) <= trained


def test_a_node_keeps_out_the_persons_that_a_simulation_does(phones: Prepared, tiny: Tiny) -> None:
    for store in phones.stores:
        assert held_out(store, tiny.config()) == phones.held_out[store.site.name]


def test_seeds_meet_the_same_test_persons(phones: Prepared, tiny: Tiny) -> None:
    assert prepare(tiny.config("seed=7")).held_out == phones.held_out
    assert prepare(tiny.config("split.seed=7")).held_out != phones.held_out


def test_with_validation_nobody_meets_a_test_person(phones: Prepared, tiny: Tiny) -> None:
    config = tiny.config("split.validation=0.5")
    found = prepare(config)
    assert found.pool.persons == "validation"
    assert phones.pool.persons == "test"
    for store in found.stores:
        name = store.site.name
        drawn = parts(store, config)
        assert drawn.hidden == found.hidden[name] == phones.held_out[name]
        assert found.held_out[name] == drawn.kept_out
        assert persons(found, name).isdisjoint(drawn.kept_out)
    entries = found.pool.selection.entries
    pooled = {entry.group for entry in entries}
    scored = {e.group for e, test in zip(entries, found.pool.test, strict=True) if test}
    drawn_all = [parts(store, config) for store in found.stores]
    hidden = {group for drawn in drawn_all for group in drawn.hidden}
    assert pooled.isdisjoint(hidden)
    assert scored == {group for drawn in drawn_all for group in drawn.scored}
    assert trained_on(found).isdisjoint(f"{s.site.name}/{g}" for s in found.stores for g in hidden)


def test_a_sound_that_a_hidden_person_made_is_not_scored_on(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sites hold the same files under other persons: each site hides its own."""
    root = coswara_folder.write(tmp_path / "coswara", persons=12)
    words = ("tasks=[coswara_cough_vs_breath]", "split.validation=0.5")
    config = load([*SMALL, "data=coswara", f"data.root='{root}'", f"cache='{tiny.cache}'", *words],
                  PACKAGES)  # fmt: skip
    (site,) = config.data.build().sites()
    twin = tuple(replace(r, subject=f"twin of {r.subject}") for r in site.recordings)
    both: Any = [site, replace(site, name="twin", recordings=twin)]
    monkeypatch.setattr(config.data.target, "sites", lambda _: both)
    found = prepare(config)
    hidden = {
        entry.digest
        for store in found.stores
        for entry in store.entries
        if entry.group in found.hidden[store.site.name]
    }
    assert hidden
    assert hidden.isdisjoint(entry.digest for entry in found.pool.selection.entries)
    for chosen in found.clients.values():
        assert hidden.isdisjoint(entry.digest for entry in chosen.entries)


def test_progress_ends_at_the_total(tiny: Tiny) -> None:
    told: list[tuple[int, int]] = []
    prepare(tiny.config(), progress=lambda done, total: told.append((done, total)))
    assert sum(done for done, _ in told) == 32
    assert {total for _, total in told} == {32}


def coswara(tiny: Tiny, root: Path, *words: str) -> Config:
    more = ("data=coswara", f"data.root='{root}'", f"cache='{tiny.cache}'")
    return load([*SMALL, *more, *words], PACKAGES)


def test_a_site_with_too_little_is_left_out_and_said_so(tiny: Tiny, tmp_path: Path) -> None:
    coswara_folder.write(tmp_path / "coswara", persons=4)
    for path in sorted((tmp_path / "coswara").rglob("*.wav"))[1:]:
        path.unlink()
    with pytest.raises(SiteError, match=r"no client can take part \(coswara: 1 recording\(s\)"):
        prepare(coswara(tiny, tmp_path))


def test_no_recording_at_all_names_a_reason(tiny: Tiny, tmp_path: Path) -> None:
    coswara_folder.write(tmp_path / "coswara", persons=2)
    for path in (tmp_path / "coswara").rglob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no recording can be used \(the first reason of 8: "):
        prepare(coswara(tiny, tmp_path))


def test_two_sites_of_one_name_are_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny.config()
    same: Any = [Site("clinic", ()), Site("clinic", ())]
    monkeypatch.setattr(config.data.target, "sites", lambda _: same)
    with pytest.raises(DataError, match="two sites are called clinic"):
        prepare(config)


def test_description_counts_what_is_there(phones: Prepared, tiny: Tiny) -> None:
    record = describe(tiny.config(), phones)
    assert record.partition == "by_dataset"
    assert record.problems == ()
    for site, client, store in zip(record.sites, record.clients, phones.stores, strict=True):
        recordings = store.site.recordings
        persons = {one.subject for one in recordings}
        tested = phones.held_out[site.name]
        assert (site.recordings, site.subjects) == (len(recordings), len(persons))
        assert (site.groups, site.test_groups) == (len(persons), len(tested))
        assert site.test_recordings == sum(one.subject in tested for one in recordings) > 0
        assert site.hidden_recordings == 0
        assert client.recordings == site.recordings - site.test_recordings
        assert client.subjects == len(persons - tested)
        assert sum(client.modalities.values()) == client.recordings
        assert 0 < client.seconds < site.seconds


def test_description_counts_hidden_persons_apart(tiny: Tiny) -> None:
    config = tiny.config("split.validation=0.5")
    found = prepare(config)
    for site, store in zip(describe(config, found).sites, found.stores, strict=True):
        groups = [entry.group for entry in store.entries]
        drawn = parts(store, config)
        assert site.hidden_recordings == sum(group in drawn.hidden for group in groups) > 0
        assert site.test_recordings == sum(group in drawn.kept_out for group in groups)


def test_the_digest_of_a_site_is_of_labels_persons_and_sound(phones: Prepared, tiny: Tiny) -> None:
    store, other = phones.stores

    def of(changed: Store) -> str:
        stores = (changed, other)
        return describe(tiny.config(), replace(phones, stores=stores)).sites[0].digest

    entry = store.entries[3]
    person = replace(entry.recording, subject="somebody else")
    label = replace(entry.recording, labels={**entry.recording.labels, "smoker": "maybe"})
    changes = [
        replace(entry, recording=person),
        replace(entry, recording=label),
        replace(entry, digest="other samples"),
    ]
    found = {
        of(replace(store, entries=(*store.entries[:3], changed, *store.entries[4:])))
        for changed in changes
    }
    assert len({of(store), *found}) == 4
    assert of(store) == of(store)
