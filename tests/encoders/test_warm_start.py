"""Starting from a checkpoint of ours, and what a start may say."""

import hashlib
from pathlib import Path

import pytest
import torch

from fedbreath import encoders
from fedbreath.config import component
from fedbreath.encoders import warm_start
from fedbreath.errors import ConfigError, UserError
from server import checkpoints
from server.checkpoints import Checkpoint


def checkpoint(folder: Path, name: str, seed: int) -> Path:
    """What a federation writes: the encoder, and a head that was averaged."""
    encoder = encoders.build(component("encoder", name), 64, seed)
    weights = {f"encoder.{n}": t for n, t in encoder.state_dict().items()}
    checkpoints.write(folder, Checkpoint(3, "digest", {**weights, "head.w": torch.ones(2)}))
    return folder / checkpoints.NAME


@pytest.mark.parametrize("name", ["cnn", "vit_narrow", "opera_ce"])
def test_a_federation_goes_on_where_another_ended(name: str, tmp_path: Path) -> None:
    path = checkpoint(tmp_path, name, seed=5)
    warm = encoders.build(component("encoder", name, [f"init='fedbreath:{path}'"]), 64, 0)
    other = encoders.build(component("encoder", name), 64, 5).state_dict()
    assert all(torch.equal(tensor, other[n]) for n, tensor in warm.state_dict().items())
    assert warm.start is not None
    assert warm.start.kind == "fedbreath"
    assert warm.start.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert warm.start.dropped == {"head.w": "no part of the encoder"}


def test_another_width_is_refused(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, "cnn_narrow", seed=0)
    with pytest.raises(UserError, match=r"encoder\.blocks\.0\.weight has shape .* of cnn"):
        encoders.build(component("encoder", "cnn", [f"init='fedbreath:{path}'"]), 64, 0)


def test_a_file_without_an_encoder_is_refused(tmp_path: Path) -> None:
    checkpoints.write(tmp_path, Checkpoint(0, "digest", {"head.w": torch.ones(2)}))
    encoder = encoders.build(component("encoder", "cnn_narrow"), 64, 0)
    with pytest.raises(UserError, match="holds no encoder"):
        warm_start.load(encoder, f"fedbreath:{tmp_path / checkpoints.NAME}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    encoder = encoders.build(component("encoder", "cnn_narrow"), 64, 0)
    with pytest.raises(UserError, match=r"cannot be read .*: name a file in init"):
        warm_start.load(encoder, f"fedbreath:{tmp_path / 'absent'}")
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(UserError, match="no safetensors file, or is broken"):
        warm_start.load(encoder, f"fedbreath:{tmp_path / 'text'}")
    with pytest.raises(ConfigError, match="init must be opera:PATH or fedbreath:PATH"):
        warm_start.load(encoder, "elsewhere:x")


@pytest.mark.parametrize(
    ("name", "init", "sentence"),
    [
        ("cnn", "opera:x", "encoder.init must be fedbreath:PATH, got 'opera:x'"),
        ("vit", "x", "encoder.init must be fedbreath:PATH, got 'x'"),
        ("opera_gt", "opera:", "encoder.init must be opera:PATH or fedbreath:PATH, got 'opera:'"),
    ],
)
def test_a_start_is_checked_before_anything_is_built(name: str, init: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        component("encoder", name, [f"init='{init}'"])


def test_the_folder_of_a_run_stands_for_its_checkpoint(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, "cnn_narrow", seed=5)
    by_file, by_folder = (
        encoders.build(component("encoder", "cnn_narrow", [f"init='fedbreath:{where}'"]), 64, 0)
        for where in (path, tmp_path)
    )
    assert by_folder.start == by_file.start
    assert all(
        torch.equal(tensor, by_file.state_dict()[n]) for n, tensor in by_folder.state_dict().items()
    )
