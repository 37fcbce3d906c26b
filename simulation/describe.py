"""What a run's folder says of the run: sites, clients, problems, versions, machine."""

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import torch

import fedbreath
from fedbreath.config import Config, to_yaml
from fedbreath.features import Entry, Selection, Store
from fedbreath.pretraining import Learner, device_of
from fedbreath.report import records as r
from simulation.data import Prepared


def run_record(config: Config, overrides: tuple[str, ...]) -> r.RunRecord:
    """What is about to be run, on what."""
    learner = Learner(config)
    guarantee = learner.mechanism.guarantee("encoder weights, counts and losses")
    return r.RunRecord(
        fedbreath=fedbreath.__version__,
        digest=config.digest,
        overrides=overrides,
        config=dict(config.tree),
        config_yaml=to_yaml(config),
        versions=versions(),
        seed=config.seed,
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        finished=None,
        seconds=None,
        machine=r.Machine(
            cpu=cpu_name(),
            cores=os.cpu_count() or 1,
            threads=torch.get_num_threads(),
            device=str(device_of()),
        ),
        guarantee=r.GuaranteeText(guarantee.mechanism, guarantee.sentence()),
        encoder=r.EncoderFacts(
            config.encoder.name, learner.encoder.parameter_count(), learner.encoder.dim
        ),
    )


def describe(config: Config, prepared: Prepared) -> r.DataRecord:
    """The sites, the clients, and what was skipped."""
    assert config.partition is not None
    problems = [
        r.SkippedItem(s.site.name, p.item, p.reason)
        for s in prepared.stores
        for p in s.site.problems
    ]
    problems += [r.SkippedItem(n, "the whole site", why) for n, why in prepared.left_out.items()]
    return r.DataRecord(
        sites=tuple(_site(s, prepared.held_out[s.site.name]) for s in prepared.stores),
        clients=tuple(_client(name, chosen) for name, chosen in prepared.clients.items()),
        partition=config.partition.name,
        problems=tuple(problems),
    )


def _site(store: Store, held_out: frozenset[str]) -> r.SiteFacts:
    groups = {e.recording.group for e in store.entries}
    return r.SiteFacts(
        name=store.site.name,
        recordings=len(store.entries),
        subjects=_persons(store.entries),
        groups=len(groups),
        seconds=sum(e.seconds for e in store.entries),
        pretrain=store.site.pretrain,
        modalities=_count(e.recording.modality for e in store.entries),
        devices=_count(e.recording.device or "unknown" for e in store.entries),
        test_recordings=sum(e.recording.group in held_out for e in store.entries),
        test_groups=len(held_out & groups),
    )


def _client(name: str, selection: Selection) -> r.ClientFacts:
    return r.ClientFacts(
        name=name,
        recordings=len(selection),
        subjects=_persons(selection.entries),
        seconds=sum(e.seconds for e in selection.entries),
        modalities=_count(e.recording.modality for e in selection.entries),
    )


def _persons(entries: Sequence[Entry]) -> int | None:
    subjects = {e.recording.subject for e in entries}
    return None if None in subjects or not subjects else len(subjects)


def _count(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    counts = Counter(values)
    return {name: counts[name] for name in sorted(counts, key=lambda n: (-counts[n], n))}


def trained_on(prepared: Prepared) -> frozenset[str]:
    """Groups that some arm trained on, as the pool names them."""
    return frozenset(
        f"{store.site.name}/{store.entries[i].recording.group}"
        for selection in prepared.clients.values()
        for store, chosen in selection.parts
        for i in chosen
    )


def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    names = ("torch", "torchaudio", "numpy", "flwr", "scikit-learn", "soundfile", "soxr")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def cpu_name() -> str:
    """The processor as the system names it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
