"""From the results of ``benchmarks.federation`` to its rows: means, differences, ratios.

All runs on the same persons share the resamples, so every difference here is paired. Several
seeds count as their mean, inside every resample too, and so do the encoders of the sites that
trained alone. Where a run failed, the seeds that both sides have are compared.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.federation_grid import Run, Stage
from benchmarks.federation_records import Result
from benchmarks.objectives_records import Dealt
from benchmarks.objectives_table import Estimate, Floats, estimate
from fedbreath.report.averages import Average, averages

#: Arm and strategy: what several seeds of are one row.
Key = tuple[str, str]

UNTRAINED: Key = ("untrained", "")
CENTRALISED: Key = ("centralised", "")
LOCAL: Key = ("local", "")
FEDAVG: Key = ("federated", "fedavg")

#: Average's name to seed to the plain mean and its resamples.
Draws = Mapping[str, Mapping[int, Floats]]

_COLUMNS = (
    "stage", "setting", "persons", "clients", "arm", "strategy", "rate", "seeds", "steps",
    "encoders", "change", "train_seconds", "average",
    *(f"{n}{end}" for n in ("auroc", "gain", "gap", "over_fedavg", "over_local", "ratio")
      for end in ("", "_low", "_high")),
    "verdict", "seeds_low", "seeds_high", "failed", "notes",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One arm of a setting, over its seeds. Mappings are by the name of the average.

    Attributes:
        key: The arm.
        rate: The server's learning rate, where one was chosen.
        seeds: Seeds that gave a result.
        steps: Optimiser steps of each run, in all.
        encoders: Encoders behind the row: seeds, or seeds times sites.
        change: Root mean square change of a weight in a round of the median client.
        train_seconds: Processor time of training, of all runs.
        means: AUROC.
        gains: Less the untrained network.
        gaps: Less the centralised encoder.
        over_fedavg: Less FedAvg, of another strategy.
        over_local: Less the encoders of sites alone, of a federated row.
        ratios: (federated - untrained) / (centralised - untrained), where the interval of the
            denominator lies above 0.
        range: Least and greatest of the seeds' first means.
        failed: Why a run of it gave nothing.
        notes: What a reader must know.
    """

    key: Key
    rate: float | None
    seeds: int
    steps: int
    encoders: int
    change: float
    train_seconds: float
    means: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]
    gaps: Mapping[str, Estimate]
    over_fedavg: Mapping[str, Estimate]
    over_local: Mapping[str, Estimate]
    ratios: Mapping[str, Estimate]
    range: tuple[float, float] | None
    failed: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A setting at a stage.

    Attributes:
        stage: Says who is scored on.
        setting: The setting.
        dealt: Its persons, clients and tasks.
        averages: The means that are stated; the first is what is judged by.
        rows: Every arm.
        draws: Each arm's means by seed.
    """

    stage: Stage
    setting: str
    dealt: Dealt
    averages: tuple[Average, ...]
    rows: tuple[Row, ...]
    draws: Mapping[Key, Draws] = field(repr=False)


def key_of(run: Run) -> Key:
    """The row that a run belongs to."""
    return run.arm, run.strategy


def over(result: Result, average: Average) -> Floats:
    """A result's mean over the tasks of an average: the plain one, then its resamples."""
    mean: Floats = np.mean([result.draws[task] for task in average.tasks], axis=0)
    return mean


def sheet(results: Mapping[Run, Result], dealt: Dealt, stage: Stage, setting: str) -> Sheet:
    """All rows of a setting at a stage."""
    stated = averages(dealt.tasks)
    by_row: dict[Key, dict[Run, Result]] = {}
    for run, result in results.items():
        if (run.stage, run.setting) == (stage, setting):
            by_row.setdefault(key_of(run), {})[run] = result
    draws = {key: _draws(found, stated) for key, found in by_row.items()}
    draws = {key: of for key, of in draws.items() if any(of.values())}
    rows = tuple(_row(key, found, draws, stated) for key, found in by_row.items())
    return Sheet(stage, setting, dealt, stated, rows, draws)


def _draws(found: Mapping[Run, Result], stated: Sequence[Average]) -> Draws:
    ran = {run: result for run, result in found.items() if not result.failed}
    seeds = dict.fromkeys(run.seed for run in ran)
    return {
        a.name: {
            seed: np.mean([over(r, a) for q, r in ran.items() if q.seed == seed], axis=0)
            for seed in seeds
        }
        for a in stated
    }


def paired(draws: Mapping[Key, Draws], one: Key, other: Key, average: str) -> Floats | None:
    """The difference of two rows over the seeds that both have; None where a row has none.

    The untrained network's mean is over all of its seeds: it shares nothing with a trained one
    that would make its seeds pairs.
    """
    mine, theirs = draws.get(one, {}).get(average), draws.get(other, {}).get(average)
    if not mine or not theirs:
        return None
    if other == UNTRAINED:
        difference: Floats = mean_of(mine) - mean_of(theirs)
        return difference
    common = [seed for seed in mine if seed in theirs]
    if not common:
        return None
    found: Floats = np.mean([mine[seed] - theirs[seed] for seed in common], axis=0)
    return found


def mean_of(by_seed: Mapping[int, Floats]) -> Floats:
    """The mean over seeds."""
    mean: Floats = np.mean(list(by_seed.values()), axis=0)
    return mean


def ratio(draws: Mapping[Key, Draws], key: Key, average: str) -> Estimate | None:
    """(row - untrained) / (centralised - untrained); None where the denominator is noise."""
    mine = paired(draws, key, UNTRAINED, average)
    gain = paired(draws, CENTRALISED, UNTRAINED, average)
    if mine is None or gain is None or estimate(gain).low <= 0:
        return None
    return estimate(mine / gain)


def _row(
    key: Key, found: Mapping[Run, Result], draws: Mapping[Key, Draws], stated: Sequence[Average]
) -> Row:
    ran = {run: result for run, result in found.items() if not result.failed}
    own = draws.get(key, {})
    federated = key[0] == "federated"
    firsts = [float(d[0]) for d in own.get(stated[0].name, {}).values()] if stated else []

    def against(other: Key, wanted: bool) -> Mapping[str, Estimate]:
        each = {a.name: paired(draws, key, other, a.name) for a in stated if wanted}
        return {name: estimate(d) for name, d in each.items() if d is not None}

    shares = {a.name: ratio(draws, key, a.name) for a in stated if federated}
    changes = [r.change for r in ran.values() if r.change]
    return Row(
        key,
        next(iter(found)).rate,
        len({run.seed for run in ran}),
        next(iter(found)).steps,
        len(ran),
        float(np.median(changes)) if changes else 0.0,
        float(sum(r.train_seconds for r in ran.values())),
        {name: estimate(mean_of(of)) for name, of in own.items() if of},
        against(UNTRAINED, key != UNTRAINED),
        against(CENTRALISED, key not in (CENTRALISED, UNTRAINED)),
        against(FEDAVG, federated and key != FEDAVG),
        against(LOCAL, federated),
        {name: share for name, share in shares.items() if share is not None},
        (min(firsts), max(firsts)) if firsts else None,
        "; ".join(dict.fromkeys(r.failed for r in found.values() if r.failed)),
        tuple(dict.fromkeys(note for r in found.values() for note in r.notes)),
    )


def as_csv(sheets: Sequence[Sheet], verdict_of: Mapping[tuple[str, str, Key], str]) -> str:
    """Every row and mean of every setting as CSV.

    Args:
        sheets: The settings.
        verdict_of: Stage, setting and row to its verdict on the first mean.
    """
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(_COLUMNS)
    for one in sheets:
        for row in one.rows:
            head = [one.stage, one.setting, one.dealt.persons, len(one.dealt.clients), *row.key,
                    "" if row.rate is None else row.rate, row.seeds, row.steps, row.encoders,
                    f"{row.change:.3g}", round(row.train_seconds, 1)]  # fmt: skip
            said = verdict_of.get((one.stage, one.setting, row.key), "")
            tail = [*(row.range or ("", "")), row.failed, "; ".join(row.notes)]
            for name in row.means or ("",):
                parts = (row.means, row.gains, row.gaps, row.over_fedavg, row.over_local,
                         row.ratios)  # fmt: skip
                cells = [v for part in parts for v in _cells(part.get(name))]
                first = bool(one.averages) and name == one.averages[0].name
                out.writerow([*head, name, *cells, said if first else "", *tail])
    return text.getvalue()


def _cells(part: Estimate | None) -> tuple[float | str, ...]:
    if part is None:
        return "", "", ""
    return round(part.value, 5), round(part.low, 5), round(part.high, 5)
