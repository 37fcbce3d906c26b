"""What a data set yields: recordings of persons, gathered in sites.

A `Recording` is a pointer to sound with what is known about it; no audio is read
here. A `Site` is what one data holder has: a public corpus, a hospital, a simulated
phone cohort. What could not be used stands beside it as a `Problem`: nothing is
dropped in silence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Modality = Literal["cough", "breath", "lung", "vowel", "snore", "sneeze", "background"]

#: A waveform source: returns samples of shape (channels, samples) or (samples,), float32 in
#: [-1, 1], and the sample rate in Hz. Must be picklable, and the same at every call.
WaveformSource = Callable[[], tuple[NDArray[np.float32], int]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was heard within a recording, as its data set annotates it.

    Attributes:
        start: From the recording's start, s.
        end: From the recording's start, s.
        kind: The data set's own word.
    """

    start: float
    end: float
    kind: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording and what is known about it.

    Attributes:
        id: Unique and stable within its data set: the path below the data set's root
            with forward slashes, or a synthetic name.
        source: A file, or a waveform source for simulated sound.
        dataset: The data set's name, as its YAML is called.
        subject: The person. Splits and privacy units hang on it. None where the data
            set publishes no person ids.
        modality: What was recorded.
        labels: The data set's own labels as strings (numbers too); a label that is
            not known is absent, never an empty string.
        device: What recorded it, where known.
        block: Where no person is known: what a split must keep together (the take a
            clip was cut from, a run of neighbouring files). None means the recording
            stands alone.
        events: What was heard when, where the data set says.
        span: The part that is meant, from and to in s; None is the whole, which is all that
            data sets yield.

    >>> Recording("a.wav", Path("a.wav"), "demo", None, "cough", {}).group
    'a.wav'
    """

    id: str
    source: Path | WaveformSource
    dataset: str
    subject: str | None
    modality: Modality
    labels: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None
    block: str | None = None
    events: tuple[Event, ...] = ()
    span: tuple[float, float] | None = None

    @property
    def group(self) -> str:
        """What a split never cuts: the subject, else the block, else the recording."""
        return self.subject or self.block or self.id


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was skipped or refused, and why.

    Attributes:
        item: The file or metadata row, as a person would look for it.
        reason: One sentence.
    """

    item: str
    reason: str


@dataclass(frozen=True, slots=True)
class Site:
    """What one data holder has.

    Attributes:
        name: Unique within a run; also the client's name.
        recordings: In a stable order (sorted by id).
        problems: What could not be used, and why.
        stratify: Label names over which a split by group is balanced.
        keys: What says where or how a recording was made: ``device``, or names of labels
            (country, platform). Natural clients, and what a label can be confounded with.
        pretrain: False for a site that only serves evaluation.
    """

    name: str
    recordings: tuple[Recording, ...]
    problems: tuple[Problem, ...] = ()
    stratify: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    pretrain: bool = True

    @property
    def has_subjects(self) -> bool:
        """True when every recording names its person."""
        return bool(self.recordings) and all(r.subject is not None for r in self.recordings)
