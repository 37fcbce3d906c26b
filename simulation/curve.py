"""The probe curve: the global encoder's AUROC on every task, every few rounds."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from fedbreath.atomic import write_text
from fedbreath.config import Config
from fedbreath.downstream import benchmark, embedding
from fedbreath.encoders import Encoder
from fedbreath.report import folder as records
from fedbreath.report.records import ProbeRecord
from simulation.arms import build_encoder, encoder_of
from simulation.data import Prepared


class Curve:
    """An observer of rounds that probes and writes ``probes.jsonl``.

    Args:
        config: The run.
        prepared: Its tasks.
        out: The run's folder.
        tell: Told the round and each task's AUROC after a probe.
    """

    def __init__(
        self,
        config: Config,
        prepared: Prepared,
        out: Path,
        tell: Callable[[int, Mapping[str, float]], None] = lambda *_: None,
    ) -> None:
        self.config = config
        self.prepared = prepared
        self.out = out
        self.tell = tell
        self._done: set[int] | None = None

    def __call__(self, number: int, weights: Mapping[str, Tensor]) -> None:
        """Probe when it is time to, unless this round has been probed already.

        The start (round 0) is probed with the first round that is: it is the network of the
        run's seed, or of the file that it starts from, and training need not wait for it.
        """
        if self._done is None:
            self._done = self._forget_after(number)
        due = number % self.config.evaluation.every == 0 or number == self.config.rounds
        if not due or number in {0, *self._done} or not self.prepared.pool.tasks:
            return
        if 0 not in self._done:
            self._probe(0, build_encoder(self.config, self.config.seed, warm=True))
        self._probe(number, encoder_of(self.config, weights))

    def _probe(self, number: int, encoder: Encoder) -> None:
        assert self._done is not None
        pool = self.prepared.pool
        vectors = embedding.embed(encoder, pool.selection, self.config.views.seconds)
        values = benchmark.values(pool, benchmark.score(pool, vectors, controls=False).scores)
        for task, value in values.items():
            records.append(self.out, ProbeRecord(number, task, value))
        self._done.add(number)
        self.tell(number, values)

    def _forget_after(self, number: int) -> set[int]:
        """Drop probes of later rounds, and rounds that were probed in part."""
        path = self.out / "probes.jsonl"
        kept = []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                kept.append((json.loads(line)["round"], line))
            except ValueError:  # the last line of a killed process
                continue
        counts = Counter(r for r, _ in kept)
        whole = {r for r, n in counts.items() if r <= number and n == len(self.prepared.pool.tasks)}
        write_text(path, "".join(f"{line}\n" for r, line in kept if r in whole))
        return whole
