"""Weights to start from: ``init: opera:PATH`` or ``init: fedbreath:PATH``.

``opera`` is a checkpoint that OPERA released (`opera_checkpoint`); ``fedbreath`` is one of
ours, a safetensors file whose tensors are called ``encoder.*``. The file replaces every
weight that the seed gave: a tensor that is missing, left over without a reason, of another
shape or not finite is refused. Only adapters may be missing, all of them together: they
start as the identity, so an encoder without adapters goes on in one that has them. No code
in a file is ever run.
"""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from fedbreath.encoders import adapters, opera_checkpoint
from fedbreath.errors import ConfigError, UserError

#: What the names of an encoder's tensors begin with in our checkpoints.
PREFIX = "encoder."

#: The weights' file in a run's folder.
CHECKPOINT = "checkpoint.safetensors"

_UNSAFE = (
    "{path} holds more than tensors ({what}) and is not opened, since opening such a file "
    "runs code that it brings. In a sandbox with nothing of value save its tensors alone, "
    "torch.save({{'state_dict': torch.load(OLD, weights_only=False)['state_dict']}}, NEW), "
    "and name NEW"
)


@dataclass(frozen=True)
class Start:
    """Where an encoder's first weights came from, for the record of a run.

    Attributes:
        kind: ``opera`` or ``fedbreath``.
        file: The file's name, without its folder.
        sha256: Of the file, hexadecimal.
        dropped: Tensors of the file that were not used, and why.
        fresh: Tensors that the file lacks: adapters, as the seed gave them.
    """

    kind: str
    file: str
    sha256: str
    dropped: Mapping[str, str] = field(default_factory=dict)
    fresh: tuple[str, ...] = ()


def check(init: str | None, *kinds: str) -> None:
    """Refuse a start that the encoder cannot have.

    Args:
        init: The setting; None is always right.
        kinds: What may stand before the colon.

    Raises:
        ValueError: Neither None nor ``KIND:PATH``.
    """
    if init is None:
        return
    kind, _, path = init.partition(":")
    if kind not in kinds or not path:
        written = " or ".join(f"{k}:PATH" for k in kinds)
        raise ValueError(f"init must be {written}, got {init!r}")


def load(encoder: nn.Module, init: str) -> Start:
    """Replace an encoder's weights by those of a file.

    Args:
        encoder: One of ours; changed in place.
        init: ``opera:PATH`` or ``fedbreath:PATH``.

    Raises:
        ConfigError: `init` is written differently.
        UserError: The file cannot be read, or its weights do not fit.
    """
    kind, _, text = init.partition(":")
    path = Path(text).expanduser()
    if kind == "opera":
        return load_opera(encoder, path)
    if kind == "fedbreath":
        return load_fedbreath(encoder, path)
    raise ConfigError(f"init must be opera:PATH or fedbreath:PATH, got {init!r}")


def load_opera(encoder: nn.Module, path: Path) -> Start:
    """Start from weights that OPERA released.

    Args:
        encoder: `OperaCe`, `OperaCt` or `OperaGt` with ``norm=batch``; changed in place.
        path: A checkpoint of PyTorch Lightning, or a safetensors file of its state_dict.

    Raises:
        UserError: The file cannot be read without running code in it, or does not fit.
    """
    sha256 = _sha256(path)
    theirs = _safetensors(path) if path.suffix == ".safetensors" else _lightning(path)
    mapped, dropped = opera_checkpoint.translate(_name(encoder), theirs)
    _fill(encoder, mapped, path)
    return Start("opera", path.name, sha256, dropped)


def load_fedbreath(encoder: nn.Module, path: Path) -> Start:
    """Start from a checkpoint of ours.

    Args:
        encoder: The encoder that the checkpoint was made with; changed in place.
        path: The safetensors file, or the folder of a run.

    Raises:
        UserError: The file cannot be read, or does not fit.
    """
    if path.is_dir():
        path = path / CHECKPOINT
    sha256 = _sha256(path)
    found = _safetensors(path)
    mapped = {n.removeprefix(PREFIX): (n, t) for n, t in found.items() if n.startswith(PREFIX)}
    if not mapped:
        raise UserError(f"{path} holds no encoder: no tensor's name begins with {PREFIX}")
    fresh = _fill(encoder, mapped, path)
    dropped = {n: "no part of the encoder" for n in found if not n.startswith(PREFIX)}
    return Start("fedbreath", path.name, sha256, dropped, fresh)


def head(init: str | None) -> dict[str, Tensor]:
    """The projection head in a checkpoint of ours, by its own names.

    Args:
        init: What the encoder's setting says.

    Raises:
        UserError: It names no checkpoint of ours, or the file holds no head.
    """
    kind, _, text = (init or "").partition(":")
    path = Path(text).expanduser()
    if kind != "fedbreath":
        raise UserError(f"a head to start from needs encoder.init=fedbreath:PATH, got {init}")
    if path.is_dir():
        path = path / CHECKPOINT
    found = {
        n.removeprefix("head."): t for n, t in _safetensors(path).items() if n.startswith("head.")
    }
    if not found:
        raise UserError(
            f"{path} holds no projection head: only a run with training.head=averaged keeps one"
        )
    return found


def _name(encoder: nn.Module) -> str:
    """The encoder's module, which is what it is called in a configuration."""
    return type(encoder).__module__.rpartition(".")[2]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): name a file in init") from None


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is no safetensors file, or is broken ({error})") from None


def _lightning(path: Path) -> dict[str, Tensor]:
    """The ``state_dict`` of a checkpoint, read without running anything in it."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        refused = isinstance(error, pickle.UnpicklingError)
        if refused and ("nsupported global" in str(error) or zipfile.is_zipfile(path)):
            raise UserError(_UNSAFE.format(path=path, what=_culprit(str(error)))) from None
        first = str(error).partition("\n")[0]
        raise UserError(f"{path} is no checkpoint of PyTorch, or is broken ({first})") from None
    tensors = found.get("state_dict") if isinstance(found, dict) else None
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise UserError(f"{path} holds no state_dict of tensors, as OPERA's checkpoints do")
    return dict(tensors)


def _culprit(refusal: str) -> str:
    """What stood in the way, in PyTorch's refusal to load."""
    found = re.search(r"GLOBAL (\S+)", refusal)
    return found[1] if found else "unreadable objects"


def _fill(
    encoder: nn.Module, mapped: Mapping[str, tuple[str, Tensor]], path: Path
) -> tuple[str, ...]:
    """Copy tensors into an encoder, after all of them were found to fit.

    Returns:
        What keeps its seeded start: the adapters, where the file has none.
    """
    state = encoder.state_dict()
    # What is computed, and in no state: the file must agree on it.
    fixed = {name: b for name, b in encoder.named_buffers() if name not in state}
    other = f"was it made by another configuration of {_name(encoder)}?"
    for ours, (theirs, tensor) in mapped.items():
        place = state.get(ours, fixed.get(ours))
        if place is None:
            raise UserError(f"{path}: {theirs} has no place here (as {ours}); {other}")
        if tensor.shape != place.shape:
            raise UserError(
                f"{path}: {theirs} has shape {tuple(tensor.shape)}, "
                f"but {ours} needs {tuple(place.shape)}; {other}"
            )
        if tensor.is_floating_point() != place.is_floating_point():
            raise UserError(f"{path}: {theirs} is {tensor.dtype}, but {ours} is {place.dtype}")
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {theirs} holds values that are not finite")
        if ours in fixed and (tensor - place.to(tensor.device)).abs().max() > 1e-4:
            raise UserError(f"{path}: {theirs} differs from {ours}, which is computed here")
    fresh = tuple(n for n in state if n.startswith(adapters.PREFIX))
    if any(name in mapped for name in fresh):
        fresh = ()
    missing = sorted(set(state) - set(mapped) - set(fresh))
    if missing:
        raise UserError(
            f"{path} lacks {len(missing)} of {len(state)} tensors, first {missing[0]}; {other}"
        )
    with torch.no_grad():
        for name, place in state.items():
            if name not in fresh:
                place.copy_(mapped[name][1])
    return fresh
