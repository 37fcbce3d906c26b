"""Fixtures that tests of several parts of the tree share."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real recordings, one folder for each data set."""
    folder = os.environ.get("FEDBREATH_DATA", "")
    if not folder:
        pytest.skip("FEDBREATH_DATA is not set: no real recordings to test on")
    return Path(folder)


@pytest.fixture
def write_audio() -> Callable[[Path], Path]:
    """Writes a tenth of a second of noise in the format that the file's name asks for."""

    def write(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = np.random.default_rng(0).normal(0, 0.1, 800).astype(np.float32)
        soundfile.write(path, samples, 8000)
        return path

    return write
