import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fedbreath.errors import UserError
from server import checkpoints
from server.checkpoints import NAME, Checkpoint

WEIGHTS = {
    "encoder.w": torch.randn(3, 4),
    "encoder.half": torch.randn(3).half(),
    "encoder.count": torch.tensor(7),
}


def headed(folder: Path, **header: str) -> None:
    save_file(WEIGHTS, folder / NAME, {"fedbreath": json.dumps(header)})


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "not/there/yet"
    checkpoints.write(folder, Checkpoint(3, "abc", WEIGHTS))
    found = checkpoints.read(folder, "abc")
    assert found is not None
    assert (found.number, found.digest) == (3, "abc")
    assert found.weights.keys() == WEIGHTS.keys()
    for name, tensor in WEIGHTS.items():
        assert found.weights[name].dtype == tensor.dtype
        assert torch.equal(found.weights[name], tensor)


def test_the_state_is_kept_apart_from_the_weights(tmp_path: Path) -> None:
    state = {"first.encoder.w": torch.randn(3, 4).double(), "control.b": torch.tensor(1.5)}
    checkpoints.write(tmp_path, Checkpoint(3, "abc", WEIGHTS, state))
    found = checkpoints.read(tmp_path, "abc")
    assert found is not None
    assert found.weights.keys() == WEIGHTS.keys()
    assert found.strategy.keys() == state.keys()
    for name, tensor in state.items():
        assert found.strategy[name].dtype == tensor.dtype
        assert torch.equal(found.strategy[name], tensor)
    checkpoints.write(tmp_path, Checkpoint(4, "abc", WEIGHTS))
    found = checkpoints.read(tmp_path, "abc")
    assert found is not None
    assert found.strategy == {}


def test_the_last_one_stays(tmp_path: Path) -> None:
    for number in (1, 2):
        weights = {"w": torch.full((2, 2), float(number)).T}  # not contiguous
        checkpoints.write(tmp_path, Checkpoint(number, "abc", weights))
    found = checkpoints.read(tmp_path, "abc")
    assert found is not None
    assert found.number == 2
    assert found.weights["w"].tolist() == [[2, 2], [2, 2]]
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_none_yet(tmp_path: Path) -> None:
    assert checkpoints.read(tmp_path, "abc") is None
    assert checkpoints.read(tmp_path / "missing", "abc") is None


def test_same_weights_same_file(tmp_path: Path) -> None:
    for name in "ab":
        checkpoints.write(tmp_path / name, Checkpoint(1, "abc", WEIGHTS))
    assert (tmp_path / "a" / NAME).read_bytes() == (tmp_path / "b" / NAME).read_bytes()


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_broken_file(tmp_path: Path, keep: int) -> None:
    checkpoints.write(tmp_path, Checkpoint(1, "abc", WEIGHTS))
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=rf"{NAME} cannot be read"):
        checkpoints.read(tmp_path, "abc")


def test_no_file_but_a_folder(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(UserError, match=rf"{NAME} cannot be read"):
        checkpoints.read(tmp_path, "abc")


def test_other_configuration(tmp_path: Path) -> None:
    checkpoints.write(tmp_path, Checkpoint(1, "abc", WEIGHTS))
    with pytest.raises(UserError, match="made by configuration abc, this run is xyz"):
        checkpoints.read(tmp_path, "xyz")


def test_other_format(tmp_path: Path) -> None:
    headed(tmp_path, format="0", digest="abc", round="1")
    with pytest.raises(UserError, match=r"has format 0, this version reads 1"):
        checkpoints.read(tmp_path, "abc")


def test_of_another_program(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / NAME)
    with pytest.raises(UserError, match="has format None"):
        checkpoints.read(tmp_path, "abc")


def test_of_no_configuration(tmp_path: Path) -> None:
    headed(tmp_path, format="1", round="1")
    with pytest.raises(UserError, match="made by configuration None, this run is abc"):
        checkpoints.read(tmp_path, "abc")
