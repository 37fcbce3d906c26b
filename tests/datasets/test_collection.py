from collections.abc import Callable
from pathlib import Path

import pytest

from fedbreath.config import Component
from fedbreath.datasets import esc10, noise_of_life
from fedbreath.datasets.collection import Collection, Config
from fedbreath.errors import DataError

Write = Callable[[Path], Path]


@pytest.fixture
def sources(tmp_path: Path, write_audio: Write) -> tuple[Component, Component]:
    write_audio(tmp_path / "noise_of_life/Cough/cough-001.wav")
    write_audio(tmp_path / "esc10/002 - Rain/1-2-A.ogg")
    noise = Component(noise_of_life.NoiseOfLife, noise_of_life.Config(str(tmp_path)))
    return noise, Component(esc10.Esc10, esc10.Config(str(tmp_path)))


def test_evaluation_stays_out_of_pretraining(sources: tuple[Component, Component]) -> None:
    noise, rain = sources
    sites = Collection(Config("", sites={"a": rain}, evaluation={"b": noise})).sites()
    assert [(s.name, s.pretrain) for s in sites] == [("esc10", True), ("noise_of_life", False)]
    assert all(len(s.recordings) == 1 for s in sites)
    assert sites[1].stratify == ("sound",)


def test_one_name_twice_is_refused(sources: tuple[Component, Component]) -> None:
    noise, _ = sources
    with pytest.raises(DataError, match="2 sites are named noise_of_life"):
        Collection(Config("", sites={"a": noise}, evaluation={"b": noise})).sites()
