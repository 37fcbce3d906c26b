"""A run that takes seconds, and one cache of feature stores for all tests."""

from pathlib import Path

import pytest

from tests.simulation.tiny import Tiny


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The feature stores of the session."""
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="session")
def tiny(cache: Path) -> Tiny:
    """Starts tiny runs."""
    return Tiny(cache)
