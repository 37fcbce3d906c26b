"""``engine=ray`` where Ray is not installed, and what is refused before Ray is asked."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from fedbreath.config import load
from fedbreath.errors import ConfigError, UserError
from simulation import PACKAGES
from simulation.engines.ray import Config, Ray
from simulation.population import Population
from tests.simulation.tiny import Tiny


def test_without_the_extra_it_says_what_to_install(
    tiny: Tiny,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real: Any = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ray" else real(name)
    )
    assert tiny.run(tmp_path / "run", "engine=ray") == 2
    said = capsys.readouterr().err
    assert "engine=ray needs Ray" in said
    assert "pip install -e '.[ray]'" in said
    assert "Traceback" not in said
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("address", ["auto", "head:6379", "ray://10.0.0.1:10001", "ray://[::1]:1"])
def test_addresses(address: str) -> None:
    config = load(["engine=ray", f"engine.address='{address}'"], PACKAGES)
    assert config.engine is not None
    assert config.engine.config.address == address
    assert config.digest == load([], PACKAGES).digest


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("engine.address=head", "address must be auto, host:port or ray://host:port, got head"),
        ("engine.address='http://head:80'", "address must be auto"),
        ("engine.workers=0", "workers must be >= 1, got 0"),
        ("engine.threads=0", "threads must be >= 1, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused(word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(["engine=ray", word], PACKAGES)


def test_a_declared_population_is_refused(tmp_path: Path) -> None:
    population = Population.__new__(Population)
    with pytest.raises(UserError, match="engine=process_pool or engine=in_process"):
        Ray(Config()).federate([], population, tmp_path, lambda *_: None, lambda _: None)
