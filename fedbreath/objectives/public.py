"""Public means and deviations of descriptors: constants of simulated sound.

For the default front end and crops of a second they stand in ``public.json``, which
``python -m fedbreath.objectives.public`` writes and a nightly test makes anew; for another
front end or length they are computed when they are needed, which renders `TAKES` simulated
takes, some seconds once a process.
"""

import dataclasses
import functools
import json
from pathlib import Path

import torch
from torch import Tensor

from fedbreath import descriptors
from fedbreath.atomic import write_text
from fedbreath.audio import FrontEnd
from fedbreath.config import digest
from fedbreath.objectives import bank
from fedbreath.views import Views

#: Takes that the constants are taken from, and crops of each.
TAKES, CROPS = 128, 4

#: Least deviation: a descriptor that simulated sound does not move must not be blown up.
LEAST = 0.05

FILE = Path(__file__).with_suffix(".json")


def standard(front_end: FrontEnd, frames: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each descriptor, (D,) each, on the CPU."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    if kept["made_by"] != made_by(front_end, frames):
        return computed(front_end, frames)
    return torch.tensor(kept["mean"]), torch.tensor(kept["sd"])


@functools.lru_cache(maxsize=2)
def computed(front_end: FrontEnd, frames: int) -> tuple[Tensor, Tensor]:
    """The constants from simulated sound."""
    crops = bank.spectra_of(TAKES, CROPS, front_end, frames)
    found = descriptors.describe(crops, front_end.mels)
    return found.mean(dim=0), found.std(dim=0).clamp_min(LEAST)


def made_by(front_end: FrontEnd, frames: int) -> str:
    """What the constants depend on."""
    return digest(
        {"front_end": dataclasses.asdict(front_end), "frames": frames, "takes": [TAKES, CROPS]}
    )


def main() -> None:
    """Write the file anew."""
    front_end = FrontEnd()
    frames = front_end.frames(Views().seconds)
    mean, sd = computed(front_end, frames)
    kept = {
        "made_by": made_by(front_end, frames),
        "mean": [float(f"{value:.5g}") for value in mean.tolist()],
        "sd": [float(f"{value:.5g}") for value in sd.tolist()],
    }
    write_text(FILE, json.dumps(kept) + "\n")


if __name__ == "__main__":
    main()
