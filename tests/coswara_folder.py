"""A miniature of Coswara's layout, written with generated sound."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 8000
DAY = "Extracted_data/20200413"
KINDS = ("breathing-deep", "breathing-shallow", "cough-heavy", "cough-shallow")


def sound(seed: int, seconds: float = 0.5) -> NDArray[np.float32]:
    """Noise that swells and fades, shape (samples,)."""
    count = int(RATE * seconds)
    noise = np.random.default_rng(seed).normal(0, 0.1, count)
    return (noise * np.hanning(count)).astype(np.float32)


def write(root: Path, persons: int = 6, seconds: float = 0.5) -> Path:
    """Four recordings of each person, and the table that names them."""
    rows = ["id,a,covid_status,g"]
    for number in range(persons):
        folder = root / DAY / f"person-{number}"
        folder.mkdir(parents=True)
        for k, kind in enumerate(KINDS):
            soundfile.write(folder / f"{kind}.wav", sound(10 * number + k, seconds), RATE)
        rows.append(f"person-{number},{30 + number},{'healthy' if number % 2 else 'positive'},male")
    (root / "combined_data.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root
