"""What a run's folder says of the run: sites, clients, problems, versions, machine."""

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import torch

import fedbreath
from fedbreath.config import Config, digest, to_yaml
from fedbreath.features import Selection, Store
from fedbreath.pretraining import Learner, device_of
from fedbreath.report import records as r
from fedbreath.report.spending import released
from simulation.adversary import hostile
from simulation.data import Prepared
from simulation.partitions import UNKNOWN, units
from simulation.population import Population


def run_record(config: Config, overrides: tuple[str, ...]) -> r.RunRecord:
    """What is about to be run, on what."""
    learner = Learner(config, warm=True)
    start = learner.encoder.start
    guarantee = learner.mechanism.guarantee(released(config))
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
            device=str(device_of(config.device)),
        ),
        guarantee=r.GuaranteeText(guarantee.mechanism, guarantee.sentence()),
        encoder=r.EncoderFacts(
            config.encoder.name,
            sum(p.numel() for p in learner.encoder.parameters()),
            learner.encoder.read_dim,
            f"{start.kind}:{start.file} sha256 {start.sha256}" if start else "",
            learner.encoder.parameter_count() if config.training.freeze else None,
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
    sites = {store.site.name for store in prepared.stores}
    problems += [
        r.SkippedItem(name, f"the whole {'site' if name in sites else 'client'}", why)
        for name, why in prepared.left_out.items()
    ]
    problems += _undealt(prepared)
    mixture_of = _mixture_of(config, prepared)
    declared = isinstance(prepared.clients, Population)
    return r.DataRecord(
        sites=tuple(
            _site(s, prepared.held_out[s.site.name], prepared.hidden.get(s.site.name, frozenset()))
            for s in prepared.stores
        ),
        clients=tuple(_client(n, chosen, mixture_of) for n, chosen in _looked_at(prepared).items()),
        partition=config.partition.name,
        problems=tuple(problems),
        mixture_of=mixture_of,
        hostile=hostile(config, prepared.clients),
        declared=len(prepared.clients) if declared else None,
    )


def _looked_at(prepared: Prepared) -> Mapping[str, Selection]:
    """The clients whose recordings are known; nobody's of a declared population are."""
    return {} if isinstance(prepared.clients, Population) else prepared.clients


def _mixture_of(config: Config, prepared: Prepared) -> str:
    """What tells clients apart: what they were dealt by, or else what the sites name first."""
    assert config.partition is not None
    label: str | None = getattr(config.partition.config, "label", None)
    if label is not None:
        return label
    trained = [store for store in prepared.stores if store.site.pretrain and store.entries]
    first = {store.site.stratify[:1] for store in trained}
    if len(first) == 1 and () not in first:
        return next(iter(first))[0]
    if any(len(selection.parts) > 1 for selection in _looked_at(prepared).values()):
        return "site"
    known = any(e.recording.device for store in trained for e in store.entries)
    return "device" if known else "modality"


def _undealt(prepared: Prepared) -> list[r.SkippedItem]:
    """Training recordings at no client; of a site that is a client, `left_out` tells."""
    dealt: Counter[str] = Counter()
    for selection in _looked_at(prepared).values():
        for store, chosen in selection.parts:
            dealt[store.site.name] += len(chosen)
    found = []
    for store in prepared.stores:
        name, held_out = store.site.name, prepared.held_out[store.site.name]
        missing = sum(e.group not in held_out for e in store.entries) - dealt[name]
        if store.site.pretrain and missing and name not in prepared.left_out:
            reason = "at no client: the partition left them out, or their client was too small"
            if isinstance(prepared.clients, Population):
                reason = "at no client: the population's phones are other persons"
            found.append(r.SkippedItem(name, f"{missing} training recording(s)", reason))
    return found


def _site(store: Store, held_out: frozenset[str], hidden: frozenset[str]) -> r.SiteFacts:
    groups = {e.group for e in store.entries}
    return r.SiteFacts(
        name=store.site.name,
        recordings=len(store.entries),
        subjects=_persons(store.select()),
        groups=len(groups),
        seconds=sum(e.seconds for e in store.entries),
        pretrain=store.site.pretrain,
        modalities=_count(e.recording.modality for e in store.entries),
        devices=_count(e.recording.device or "unknown" for e in store.entries),
        test_recordings=sum(e.group in held_out for e in store.entries),
        test_groups=len(held_out & groups),
        digest=_digest(store),
        hidden_recordings=sum(e.group in hidden for e in store.entries),
    )


def _digest(store: Store) -> str:
    """What the run saw of a site: a changed label, person or sample changes it."""
    known = [(entry.recording, entry.digest) for entry in store.entries]
    return digest(
        [
            [one.id, one.subject, one.device, dict(one.labels), d, [astuple(e) for e in one.events]]
            for one, d in known
        ]
    )


def _client(name: str, selection: Selection, mixture_of: str) -> r.ClientFacts:
    members = units([selection])
    return r.ClientFacts(
        name=name,
        recordings=len(selection),
        subjects=_persons(selection),
        seconds=sum(e.seconds for e in selection.entries),
        modalities=_count(e.recording.modality for e in selection.entries),
        groups=len(members),
        mixture=_count(unit.value(mixture_of) or UNKNOWN for unit in members),
    )


def _persons(selection: Selection) -> int | None:
    """Persons, those of two sites never taken for one; None where one is not known."""
    if not len(selection) or None in selection.subjects:
        return None
    return sum(
        len({store.entries[i].recording.subject for i in chosen})
        for store, chosen in selection.parts
    )


def _count(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    counts = Counter(values)
    return {name: counts[name] for name in sorted(counts, key=lambda n: (-counts[n], n))}


def trained_on(prepared: Prepared) -> frozenset[str]:
    """Groups that some arm trained on, as the pool names them."""
    return frozenset(
        f"{store.site.name}/{store.entries[i].group}"
        for selection in _looked_at(prepared).values()
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
