"""What a site keeps between rounds: its projection head and optimiser state.

One safetensors file a round, written atomically; the last two are kept. A round reads
the newest file of an *earlier* round, so a round that is repeated (the server was killed
before its checkpoint) starts from the same state as the first time.
"""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from fedbreath.atomic import write_with


class SiteState:
    """The state of one site in one run.

    Args:
        folder: Where the files lie; made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def before(self, number: int) -> dict[str, Tensor]:
        """What was kept by the newest round before `number`; empty if there was none."""
        earlier = [path for n, path in self._files() if n < number]
        return load_file(earlier[-1]) if earlier else {}

    def keep(self, number: int, tensors: Mapping[str, Tensor]) -> None:
        """Keep the state after round `number`; an empty mapping keeps nothing."""
        if not tensors:
            return
        path = self.folder / f"round-{number:08d}.safetensors"
        write_with(path, lambda new: save_file(dict(tensors), new))
        # A file of a later round can only come from a server that lost its checkpoint
        # of that round: it will be repeated, and must not be read as an earlier one.
        for n, path in self._files():
            if n > number:
                path.unlink()
        for _, path in self._files()[:-2]:
            path.unlink()

    def _files(self) -> list[tuple[int, Path]]:
        found = self.folder.glob("round-*.safetensors")
        return sorted((int(path.stem.removeprefix("round-")), path) for path in found)
