"""What holds of every partition, over random sites."""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbreath.errors import ConfigError
from fedbreath.features import Selection, Store
from simulation.partitions import (
    Partition,
    by_dataset,
    by_key,
    cohorts,
    dirichlet,
    per_subject,
    quantity_skew,
    units,
    value_of,
)
from tests.simulation.partitions.sites import (
    SITES,
    Take,
    dealt,
    groups,
    ids,
    persons,
    site,
    training,
)

SEEDS = st.integers(0, 3)


def stores(found: list[list[Take]]) -> list[Store]:
    return [site(f"site-{n}", takes) for n, takes in enumerate(found)]


def build(data: st.DataObject, count: int) -> Partition:
    """Any partition that keeps everything and everybody whole, of `count` groups."""
    clients, seed = data.draw(st.integers(1, count)), data.draw(SEEDS)
    key = data.draw(st.sampled_from(["device", "modality", "site", "ill"]))
    alpha = data.draw(st.sampled_from([1e-6, 0.1, 1.0, 1e6]))
    sigma = data.draw(st.sampled_from([0.0, 1.0, 10.0]))
    least = data.draw(st.integers(1, 4))
    made: dict[str, Partition] = {
        "by_key": by_key.ByKey(by_key.Config(key, least=least)),
        "cohorts": cohorts.Cohorts(cohorts.Config(clients, seed)),
        "dirichlet": dirichlet.Dirichlet(dirichlet.Config(clients, key, alpha, seed)),
        "per_subject": per_subject.PerSubject(per_subject.Config()),
        "skew": quantity_skew.QuantitySkew(quantity_skew.Config(clients, sigma, seed)),
    }
    return made[data.draw(st.sampled_from(sorted(made)))]


def clients_of(
    partition: Partition, given_: dict[str, Selection]
) -> Mapping[str, Selection] | None:
    """None where the key was drawn that no recording of these sites has."""
    config = getattr(partition, "config", None)
    key = getattr(config, "key", getattr(config, "label", "site"))
    rows = [row for unit in units(given_.values()) for row in unit.rows]
    if all(value_of(row, key) is None for row in rows):
        with pytest.raises(ConfigError, match="no training recording has it"):
            partition.clients(given_)
        return None
    return partition.clients(given_)


@settings(max_examples=300, deadline=None)
@given(found=SITES, data=st.data())
def test_nothing_is_lost_or_doubled_and_no_group_is_split(
    found: list[list[Take]], data: st.DataObject
) -> None:
    given_ = training(*stores(found))
    partition = build(data, len(units(given_.values())))
    made = clients_of(partition, given_)
    if made is None:
        return
    counted = Counter(i for selection in made.values() for i in ids(selection))
    assert counted == Counter(i for selection in given_.values() for i in ids(selection))
    owned = Counter(g for selection in made.values() for g in groups(selection))
    assert set(owned.values()) == {1}
    for name, selection in made.items():
        assert len(selection) > 0
        assert re.fullmatch(r"\w[\w.-]*", name)
    assert len({name.casefold() for name in made}) == len(made)
    wanted = getattr(partition, "config", None)
    assert len(made) == getattr(wanted, "clients", len(made))


@settings(max_examples=200, deadline=None)
@given(found=SITES, data=st.data(), order=st.randoms(use_true_random=False))
def test_the_order_of_recordings_and_sites_does_not_matter(
    found: list[list[Take]], data: st.DataObject, order: Any
) -> None:
    made = stores(found)
    partition = build(data, len(units(training(*made).values())))
    if clients_of(partition, training(*made)) is None:
        return
    mixed = []
    for store in made:
        rows = list(range(len(store.entries)))
        order.shuffle(rows)
        mixed.append(dataclasses.replace(store, entries=tuple(store.entries[i] for i in rows)))
    order.shuffle(mixed)
    first, again = dealt(partition, training(*made)), dealt(partition, training(*mixed))
    assert first == again
    assert list(first) == list(again)


@settings(max_examples=200, deadline=None)
@given(
    found=SITES,
    key=st.sampled_from(["device", "modality", "ill"]),
    missing=st.sampled_from(["unknown", "left_out"]),
    least=st.integers(1, 3),
)
def test_split_subjects_lose_nothing_either(
    found: list[list[Take]], key: str, missing: Any, least: int
) -> None:
    given_ = training(*stores(found))
    own = by_key.Config(key, split_subjects=True, missing=missing, least=least)
    made = clients_of(by_key.ByKey(own), given_)
    if made is None:
        return
    counted = Counter(i for selection in made.values() for i in ids(selection))
    kept = Counter(
        (name, entry.recording.id)
        for name, selection in given_.items()
        for entry in selection.entries
        if missing == "unknown"
        or key == "modality"
        or (entry.recording.device if key == "device" else entry.recording.labels.get(key))
    )
    assert counted == kept


def test_identical_audio_keeps_two_persons_together() -> None:
    store = persons("a", 12)
    joined = [
        dataclasses.replace(e, group="p0000") if e.recording.subject == "p0005" else e
        for e in store.entries
    ]
    store = dataclasses.replace(store, entries=tuple(joined))
    for seed in range(20):
        made = cohorts.Cohorts(cohorts.Config(6, seed)).clients(training(store))
        homes = [n for n, c in made.items() if {"p0000", "p0005"} & {str(s) for s in c.subjects}]
        assert len(homes) == 1


def test_by_dataset_leaves_everything_as_it_is() -> None:
    given_ = training(persons("b", 3), persons("a", 2))
    partition = by_dataset.ByDataset(by_dataset.Config())
    assert dealt(partition, given_) == {name: ids(chosen) for name, chosen in given_.items()}
    assert list(partition.clients(given_)) == ["b", "a"]


@pytest.mark.parametrize("name", ["cohorts", "dirichlet", "quantity_skew"])
def test_more_clients_than_persons_are_refused(name: str) -> None:
    given_ = training(persons("a", 3), persons("b", 2))
    made: dict[str, Partition] = {
        "cohorts": cohorts.Cohorts(cohorts.Config(6)),
        "dirichlet": dirichlet.Dirichlet(dirichlet.Config(6, "ill")),
        "quantity_skew": quantity_skew.QuantitySkew(quantity_skew.Config(6)),
    }
    with pytest.raises(ConfigError, match=r"partition\.clients=6: there are only 5 subjects"):
        made[name].clients(given_)


@pytest.mark.parametrize(
    ("schema", "values", "said"),
    [
        (cohorts.Config, {"clients": 0}, "clients must be >= 1, got 0"),
        (quantity_skew.Config, {"clients": 0}, "clients must be >= 1, got 0"),
        (quantity_skew.Config, {"sigma": -0.1}, "sigma must lie in 0 to 10, got -0.1"),
        (dirichlet.Config, {"clients": 0}, "clients must be >= 1, got 0"),
        (dirichlet.Config, {"alpha": 0.0}, "alpha must be > 0, got 0"),
        (by_key.Config, {"least": 0}, "least must be >= 1, got 0"),
        (by_key.Config, {"key": ""}, "key must name"),
    ],
)
def test_settings_out_of_range(schema: Any, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        schema(**values)


def test_the_seed_changes_who_goes_where() -> None:
    given_ = training(persons("a", 40))
    for make in (
        lambda seed: cohorts.Cohorts(cohorts.Config(4, seed)),
        lambda seed: dirichlet.Dirichlet(dirichlet.Config(4, "ill", 0.5, seed)),
        lambda seed: quantity_skew.QuantitySkew(quantity_skew.Config(4, 1.0, seed)),
    ):
        assert dealt(make(0), given_) == dealt(make(0), given_)
        assert dealt(make(0), given_) != dealt(make(1), given_)


def test_a_client_over_several_sites_can_be_trained_on() -> None:
    """Its recordings are found where they are: crops come from the right store."""
    one, two = persons("a", 4), persons("b", 4)
    filled = []
    for number, store in enumerate((one, two)):
        entries = tuple(
            dataclasses.replace(e, offset=5 * i, frames=5) for i, e in enumerate(store.entries)
        )
        features = np.full((5 * len(entries), 8), number, np.float16)
        filled.append(dataclasses.replace(store, entries=entries, features=features))
    (client,) = cohorts.Cohorts(cohorts.Config(1)).clients(training(*filled)).values()
    crops = client.crops(np.arange(len(client)), 5, np.random.default_rng(0))
    assert [int(c[0, 0]) for c in crops] == [0 if s == "a" else 1 for s, _ in ids(client)]
