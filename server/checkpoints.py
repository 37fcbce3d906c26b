"""Checkpoints: global weights and the server's state after a round, in one file.

It is written whole or not at all, so weights and state are always of the same round.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fedbreath.atomic import write_with
from fedbreath.encoders.warm_start import CHECKPOINT
from fedbreath.errors import UserError

#: Raised when old files can no longer be read.
FORMAT = "1"

NAME = CHECKPOINT

#: What the names of the strategy's state begin with; no weight's name does.
STATE = "strategy."


@dataclass(frozen=True)
class Checkpoint:
    """Where a federation stands.

    Attributes:
        number: Rounds done.
        digest: The configuration that made it.
        weights: Global weights by name.
        strategy: The server's state by name: momentum, control variate.
    """

    number: int
    digest: str
    weights: dict[str, Tensor]
    strategy: dict[str, Tensor] = field(default_factory=dict)


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the folder's checkpoint."""
    header = {"format": FORMAT, "round": str(checkpoint.number), "digest": checkpoint.digest}
    state = {f"{STATE}{name}": tensor for name, tensor in checkpoint.strategy.items()}
    tensors = {n: tensor.contiguous() for n, tensor in {**checkpoint.weights, **state}.items()}
    metadata = {"fedbreath": json.dumps(header)}
    write_with(folder / NAME, lambda new: save_file(tensors, new, metadata))


def read(folder: Path, digest: str) -> Checkpoint | None:
    """The folder's checkpoint, None when there is none yet.

    Raises:
        UserError: The file is broken, or was made by another configuration or format.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get("fedbreath", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}): restore it, or start anew") from None
    if header.get("format") != FORMAT:
        raise UserError(f"{path} has format {header.get('format')}, this version reads {FORMAT}")
    if header.get("digest") != digest:
        raise UserError(
            f"{path} was made by configuration {header.get('digest')}, this run is {digest}: "
            "resume with the settings the run was started with"
        )
    return Checkpoint(
        int(header["round"]),
        digest,
        {name: tensor for name, tensor in tensors.items() if not name.startswith(STATE)},
        {n.removeprefix(STATE): tensor for n, tensor in tensors.items() if n.startswith(STATE)},
    )
