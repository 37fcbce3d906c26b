"""A task: which recordings are in, and in which class."""

from dataclasses import replace

import pytest

from fedbreath.config import load
from fedbreath.downstream.classification import Classification, Config, Items
from tests.stores import person

CONFIG = Config("Ill", "disease", "demo", "ill", {"well": ("no", "never"), "ill": ("yes",)})


@pytest.mark.parametrize(
    ("label", "expected"), [("no", 0), ("never", 0), ("yes", 1), ("maybe", None), ("well", None)]
)
def test_a_value_is_of_the_class_that_lists_it(label: str, expected: int | None) -> None:
    assert Classification(CONFIG).label_of(person(0, label=label)) == expected


def test_another_data_set_modality_or_no_label_is_not_of_the_task() -> None:
    recording = person(0, label="yes")
    task = Classification(replace(CONFIG, modalities=("breath",)))
    assert task.label_of(recording) is None
    assert task.label_of(replace(recording, modality="breath")) == 1
    assert Classification(CONFIG).label_of(replace(recording, dataset="another")) is None
    assert Classification(CONFIG).label_of(replace(recording, labels={})) is None


def test_what_was_recorded_can_be_the_label() -> None:
    classes = {"breath": ("breath",), "cough": ("cough",)}
    task = Classification(replace(CONFIG, label="modality", classes=classes))
    assert task.label_of(person(0)) == 1
    assert task.label_of(replace(person(0), modality="lung")) is None


def test_windows_and_whole_recordings_are_of_different_tasks() -> None:
    whole, part = person(0, label="yes"), replace(person(0, label="yes"), span=(0.0, 1.0))
    expectations: list[tuple[Items, list[int | None]]] = [
        ("recordings", [1, None]),
        ("events", [None, 1]),
    ]
    for items, expected in expectations:
        task = Classification(replace(CONFIG, items=items))
        assert [task.label_of(one) for one in (whole, part)] == expected


def test_classes_must_be_two_and_apart() -> None:
    with pytest.raises(ValueError, match="at least two"):
        replace(CONFIG, classes={"ill": ("yes",)})
    with pytest.raises(ValueError, match="must not share a value"):
        replace(CONFIG, classes={"well": ("no", "yes"), "ill": ("yes",)})


def test_no_two_tasks_of_a_run_are_the_same_question() -> None:
    tasks = [c.config for c in load().tasks.values()]
    asked = {(t.dataset, t.label, str(t.classes), t.modalities) for t in tasks}
    assert len(asked) == len(tasks) == len({t.title for t in tasks})
