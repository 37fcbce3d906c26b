"""Annotated events as items of their own: a window of fixed length around each.

The windows of a task about events all have the length of a pretraining crop, so that the
length of an event cannot tell its kind. They are cut out of the feature store: nothing is
decoded again, and everything that embeds a recording embeds a window.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedbreath.features import Entry, Store

#: The label of a window: what kind of event it is around.
LABEL = "event"


def at_events(store: Store, seconds: float) -> Store:
    """The store with a window for each annotated event in place of each recording.

    A window is centred on its event, moved so that it lies within the recording, and is
    the whole recording where that is shorter. It keeps the recording's person and labels,
    says its part in `Recording.span`, and has a level of its own.

    Args:
        store: A site.
        seconds: Length of a window, s.

    Returns:
        A view of the same features; empty where the data set annotates no events.
    """
    frames = store.front_end.frames(seconds)
    entries = tuple(window for entry in store.entries for window in _windows(store, entry, frames))
    site = replace(store.site, recordings=tuple(e.recording for e in entries))
    return replace(store, site=site, entries=entries)


def _windows(store: Store, entry: Entry, frames: int) -> Iterator[Entry]:
    if not entry.recording.events:
        return
    hop, length = store.front_end.hop, min(frames, entry.frames)
    power = _power(store, entry)
    for number, event in enumerate(entry.recording.events):
        middle = (event.start + event.end) / 2
        # Frame i is centred on i hops.
        first = round(middle / hop - (length - 1) / 2)
        first = min(max(0, first), entry.frames - length)
        end = min((first + length) * hop, entry.seconds)
        span = (max(0.0, end - length * hop), end)
        share = power[first : first + length].mean() / power.mean()
        yield replace(
            entry,
            recording=replace(
                entry.recording,
                id=f"{entry.recording.id}#{number}",
                labels={**entry.recording.labels, LABEL: event.kind},
                events=(),
                span=span,
            ),
            offset=entry.offset + first,
            frames=length,
            seconds=span[1] - span[0],
            level=entry.level + 10 * float(np.log10(share)),
        )


def _power(store: Store, entry: Entry) -> NDArray[np.float64]:
    """Energy of each frame within the mel bands, up to one factor of the recording."""
    log_mel = store.features[entry.offset : entry.offset + entry.frames, : store.front_end.mels]
    total: NDArray[np.float64] = np.exp(log_mel.astype(np.float64)).sum(axis=1)
    return total
