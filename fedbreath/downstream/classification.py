"""A classification task: which recordings or events, which label, which values make a class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fedbreath.recording import Recording

Family = Literal["symptom", "disease", "severity", "smoker", "sex", "sound"]

#: What scores are averaged by, in a table's order.
Group = Literal["lung", "cough", "kind", "person"]
Items = Literal["recordings", "events"]


@dataclass(frozen=True)
class Config:
    """What a task asks.

    Attributes:
        title: For a reader.
        family: Group of tasks.
        dataset: The data set whose recordings it uses.
        label: Label to predict; ``modality`` means what was recorded.
        classes: Class name to the label values that belong to it, negative class first;
            recordings with other values are left out.
        modalities: Modalities to use; empty means all.
        headline: Whether this is the task a study looks at first.
        group: With which tasks its score is averaged: lung sounds, coughs, kinds of sound,
            or what a person is or has.
        items: What has a class: whole recordings, or windows of fixed length around
            annotated events, whose kind is the label ``event``.
    """

    title: str
    family: Family
    dataset: str
    label: str
    classes: Mapping[str, tuple[str, ...]]
    modalities: tuple[str, ...] = ()
    headline: bool = False
    group: Group = "person"
    items: Items = "recordings"

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ValueError(f"classes must be at least two, got {list(self.classes)}")
        values = [v for group in self.classes.values() for v in group]
        if len(values) != len(set(values)):
            raise ValueError("classes must not share a value")


class Classification:
    """The task as a rule on recordings."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._class_of = {
            value: i for i, group in enumerate(config.classes.values()) for value in group
        }

    def label_of(self, recording: Recording) -> int | None:
        """The index of an item's class; None when the recording, or window, is not of this task."""
        config = self.config
        if (recording.span is not None) != (config.items == "events"):
            return None
        if recording.dataset != config.dataset:
            return None
        if config.modalities and recording.modality not in config.modalities:
            return None
        if config.label == "modality":
            return self._class_of.get(recording.modality)
        return self._class_of.get(recording.labels.get(config.label, ""))
