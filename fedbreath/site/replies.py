"""Replies of private rounds, kept so that one that was lost on its way is sent again.

To send a stored reply again is free; to do the round again draws new noise and spends the
budget once more. A reply is sent again only where the ledger has committed just these bytes
for just this round, in answer to just these weights.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from fedbreath.atomic import write_bytes
from fedbreath.site.ledger import Ledger
from fedbreath.site.records import Reservation


def sha256_of(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights, by which a reply knows what it answers."""
    whole = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].contiguous()
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.numpy().tobytes())
    return whole.hexdigest()


class Replies:
    """The last replies of one site in one run.

    Args:
        folder: Where they lie; made when first needed.
        ledger: The site's.
        run: The run's name, as the ledger knows it.
    """

    def __init__(self, folder: Path, ledger: Ledger, run: str) -> None:
        self.folder, self.ledger, self.run = folder, ledger, run

    def stored(self, number: int, sent: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
        """The committed reply to these weights in a round, None where there is none."""
        committed = self.ledger.reply(self.run, number)
        path = self._path(number)
        if committed is None or not path.exists():
            return None
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != committed:
            return None
        with safe_open(path, "pt") as file:
            answers = file.metadata()["answers"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors if answers == sha256_of(sent) else None

    def commit(
        self,
        reserved: Reservation,
        sent: Mapping[str, Tensor],
        reply: Mapping[str, Tensor],
    ) -> None:
        """Store a reply, then let the ledger commit it; it may be sent once this returns."""
        content = save(dict(reply), {"answers": sha256_of(sent)})
        number = reserved.release.round
        write_bytes(self._path(number), content)
        self.ledger.commit(reserved, hashlib.sha256(content).hexdigest())
        for path in self.folder.glob("reply-*.safetensors"):
            if path.stem < f"reply-{number - 1:08d}":
                path.unlink()

    def _path(self, number: int) -> Path:
        return self.folder / f"reply-{number:08d}.safetensors"
