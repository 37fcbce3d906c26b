"""Recordings to vectors: a frozen encoder over windows, and the baselines without one.

Every recording of any length is treated the same way: windows of the pretraining crop's
length stand end to end, the last one is moved back to the recording's end, a recording
shorter than a window is repeated to fill it, and the windows' embeddings are averaged.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from fedbreath.encoders import Encoder
from fedbreath.features import Selection, normalise

Floats = NDArray[np.float32]

#: Windows that go through the encoder at once.
_BATCH = 128


def windows(log_mel: NDArray[np.float16], frames: int) -> Floats:
    """Cut a recording into windows.

    Args:
        log_mel: Shape (T, rows).
        frames: Length of a window.

    Returns:
        Shape (ceil(T / frames), frames, rows).

    >>> windows(np.zeros((10, 2), np.float16), 4).shape
    (3, 4, 2)
    """
    length = len(log_mel)
    if length <= frames:
        return log_mel[np.arange(frames) % length][None].astype(np.float32)
    starts = [*range(0, length - frames, frames), length - frames]
    return np.stack([log_mel[s : s + frames] for s in starts]).astype(np.float32)


@torch.no_grad()
def embed(encoder: Encoder, selection: Selection, seconds: float) -> Floats:
    """Embed every recording of a selection with a frozen encoder.

    Args:
        encoder: The encoder; it is put into evaluation mode.
        selection: Recordings.
        seconds: Length of a window, s.

    Returns:
        Shape (N, R), what the encoder reads (`Encoder.read`), in the selection's order.
    """
    encoder.eval()
    device = encoder.device
    front_end = selection.parts[0][0].front_end
    frames = front_end.frames(seconds)
    read = selection.frames if encoder.tracks else selection.log_mel
    cut = [windows(read(i), frames) for i in range(len(selection))]
    owner = np.repeat(np.arange(len(cut)), [len(c) for c in cut])
    stacked = normalise(np.concatenate(cut), front_end)
    sums = np.zeros((len(cut), encoder.read_dim), np.float64)
    for start in range(0, len(stacked), _BATCH):
        batch = torch.from_numpy(stacked[start : start + _BATCH]).to(device).transpose(1, 2)
        np.add.at(sums, owner[start : start + _BATCH], encoder.read(batch).cpu().numpy())
    counts = np.bincount(owner, minlength=len(cut))
    return (sums / counts[:, None]).astype(np.float32)


def log_mel_statistics(selection: Selection) -> Floats:
    """Mean and standard deviation of each mel band over time; (N, 2 mels)."""
    rows = []
    for i in range(len(selection)):
        frames = selection.log_mel(i).astype(np.float32)
        rows.append(np.concatenate([frames.mean(axis=0), frames.std(axis=0)]))
    return np.stack(rows)


def level_and_length(selection: Selection) -> Floats:
    """Loudness (dB) and log duration alone, a control; (N, 2)."""
    return np.array([[e.level, np.log(e.seconds)] for e in selection.entries], np.float32)
