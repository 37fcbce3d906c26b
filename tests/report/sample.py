"""A run folder with seeded numbers, as a finished run leaves it, and ways to bend it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from fedbreath.report import folder
from fedbreath.report.records import (
    ClientFacts,
    DataRecord,
    EncoderFacts,
    Failure,
    GuaranteeText,
    Machine,
    Participant,
    ProbeRecord,
    Records,
    RoundRecord,
    RunRecord,
    SiteFacts,
    SkippedItem,
)
from fedbreath.report.score_records import (
    Arm,
    Difference,
    Mean,
    Ratio,
    ScoresRecord,
    SkippedTask,
    TaskFacts,
    TaskScore,
)

#: name, modality to recordings, persons, seconds of a recording, devices
SITES: tuple[tuple[str, dict[str, int], int | None, float, dict[str, int]], ...] = (
    ("sprsound", {"lung": 1325}, 251, 11.2, {"Yunting II": 1325}),
    ("icbhi2017", {"lung": 920}, 126, 21.5, {"AKGC417L": 646, "Meditron": 128, "LittC2SE": 146}),
    ("coswara", {"cough": 980, "breath": 940, "vowel": 520}, 490, 7.4, {}),
    ("coughvid", {"cough": 2100}, None, 6.1, {}),
    ("kauh", {"lung": 336}, 112, 14.8, {"Littmann 3200": 336}),
)

TASKS: tuple[tuple[str, str, str, str, bool, bool], ...] = (
    (
        "sprsound_adventitious",
        "Adventitious lung sounds (SPRSound)",
        "lung sounds",
        "sprsound",
        True,
        True,
    ),
    (
        "icbhi_disease",
        "COPD against healthy (ICBHI 2017)",
        "disease prediction",
        "icbhi2017",
        True,
        True,
    ),
    ("icbhi_crackle", "Crackles (ICBHI 2017)", "lung sounds", "icbhi2017", True, False),
    (
        "coswara_covid",
        "COVID-19 from coughs (Coswara)",
        "disease prediction",
        "coswara",
        True,
        True,
    ),
    ("coswara_sex", "Sex from breaths (Coswara)", "control", "coswara", True, False),
    ("coswara_smoker", "Smoker from coughs (Coswara)", "lifestyle", "coswara", True, False),
    ("kauh_obstruction", "Obstructive disease (KAUH)", "disease prediction", "kauh", True, False),
    (
        "coughvid_covid",
        "COVID-19 from coughs (COUGHVID)",
        "disease prediction",
        "coughvid",
        False,
        False,
    ),
)

BASE = (0.74, 0.83, 0.66, 0.62, 0.88, 0.57, 0.71, 0.58)


def run_record(**changes: Any) -> RunRecord:
    record = RunRecord(
        fedbreath="0.1.0",
        digest="3fa9c07b12de",
        overrides=("data=real", "rounds=24", "partition=by_dataset", "objective=cola"),
        config={
            "seed": 0,
            "rounds": 24,
            "encoder": {"name": "cnn"},
            "partition": {"_target_": "a.B", "clients": 4, "alpha": 0.5},
        },
        config_yaml="seed: 0\nrounds: 24\nencoder:\n  name: cnn\ntraining:\n  steps: 8\n",
        versions={"python": "3.11.7", "torch": "2.11.0", "flwr": "1.41.0"},
        seed=0,
        started="2025-03-04T09:12:45+00:00",
        finished="2025-03-04T09:41:02+00:00",
        seconds=1697.0,
        machine=Machine(cpu="AMD EPYC 7R13", cores=2, threads=1, device="cpu"),
        guarantee=GuaranteeText(
            "none",
            "No formal privacy guarantee: recordings stay at their site, and encoder weights "
            "leave it in the clear. Whoever sees an update may learn about the recordings.",
        ),
        encoder=EncoderFacts("cnn", 978_000, 768),
    )
    return dataclasses.replace(record, **changes)


def data_record(clients: int | None = None) -> DataRecord:
    sites, held = [], []
    for name, modalities, persons, length, devices in SITES:
        total = sum(modalities.values())
        kept = {m: round(0.6 * n) for m, n in modalities.items()}
        groups = persons or total
        sites.append(
            SiteFacts(
                name=name,
                recordings=total,
                subjects=persons,
                groups=groups,
                seconds=length * total,
                pretrain=True,
                modalities=modalities,
                devices=devices,
                test_recordings=total - sum(kept.values()),
                test_groups=round(0.4 * groups),
            )
        )
        people = None if persons is None else round(0.6 * persons)
        recordings = sum(kept.values())
        dealt = people or recordings
        mixed = {"healthy": dealt // 2, "asthma": dealt // 3}
        mixed["unknown"] = dealt - sum(mixed.values())
        seconds = length * total * 0.6
        held.append(ClientFacts(name, recordings, people, seconds, kept, dealt, mixed))
    problems = [
        SkippedItem("coswara", f"{n:04d}/cough-heavy.wav", "silent: no sample above −80 dB")
        for n in range(31)
    ]
    problems += [
        SkippedItem("coughvid", f"{n:08x}.webm", "too short: 0.12 s, at least 0.2 s are needed")
        for n in range(4)
    ]
    if clients is not None:
        held = [_phone(number) for number in range(clients)]
    partition = "by_dataset" if clients is None else "simulated_phones"
    return DataRecord(tuple(sites), tuple(held), partition, tuple(problems), "diagnosis")


def _phone(number: int) -> ClientFacts:
    draw = np.random.default_rng(number)
    cough, breath = (int(n) for n in draw.integers(20, 160, 2))
    name, length = f"cohort-{number:02d}", 7.0 * (cough + breath)
    modalities = {"cough": cough, "breath": breath}
    mixed = {"healthy": 12 - number % 12, "asthma": number % 12}
    return ClientFacts(name, cough + breath, 12, length, modalities, 12, mixed)


def round_records(data: DataRecord, count: int = 24) -> tuple[RoundRecord, ...]:
    draw = np.random.default_rng(1)
    level = {c.name: 2.6 + 0.9 * draw.random() for c in data.clients}
    rounds = []
    for number in range(1, count + 1):
        failed = [c.name for c in data.clients if draw.random() < 0.02]
        absent = [c.name for c in data.clients if len(data.clients) > 1 and draw.random() < 0.1]
        took = []
        for c in data.clients:
            if c.name in failed or c.name in absent:
                continue
            loss = level[c.name] * (0.35 + 0.65 * np.exp(-number / 9)) + 0.05 * draw.normal()
            took.append(Participant(c.name, c.recordings, 8, float(loss), 0.8, 3.1))
        lost = tuple(Failure(name, "update-not-finite") for name in failed)
        rounds.append(RoundRecord(number, tuple(took), lost, 0.5, 12.3, 19_560_000, 19_560_000))
    return tuple(rounds)


def task_records() -> tuple[TaskFacts, ...]:
    tasks = []
    for index, (name, title, family, dataset, in_mean, headline) in enumerate(TASKS):
        tasks.append(
            TaskFacts(
                name=name,
                title=title,
                family=family,
                dataset=dataset,
                classes=("normal", "adventitious") if index == 0 else ("no", "yes"),
                unit="subject" if in_mean else "recording",
                in_mean=in_mean,
                headline=headline,
                train_recordings=195 + 31 * index,
                test_recordings=130 + 17 * index,
                test_groups=51 + 9 * index,
                test_groups_per_class={"normal": 24, "adventitious": 27}
                if index == 0
                else {"no": 30 + 5 * index, "yes": 21 + 4 * index},
                protocol="inductive" if index != 4 else "transductive",
                label_from_device=None if dataset == "coswara" else 0.5 + 0.06 * (index % 4),
                note="",
            )
        )
    return tuple(tasks)


def arm_records(clients: list[str]) -> tuple[Arm, ...]:
    arms = [
        Arm("federated", "Federated", "federated", 960, ""),
        Arm("centralised", "Centralised", "centralised", 960, "all data in one place"),
        Arm("random", "Untrained network", "random", 0, "mean of 3 seeds"),
        Arm("log_mel", "Log-mel statistics", "features", 0, "mean and deviation"),
        Arm("level_length", "Loudness and length", "control", 0, "no sound content"),
    ]
    arms[2:2] = [Arm(f"local:{c}", f"Local: {c}", "local", 960, "") for c in clients]
    return tuple(arms)


SHIFT = {"federated": 0.035, "centralised": 0.045, "random": 0.0, "log_mel": -0.01}


def scores_record(clients: list[str], gained: tuple[float, float, float]) -> ScoresRecord:
    draw = np.random.default_rng(2)
    tasks, arms = task_records(), arm_records(clients)
    scores, differences, means = [], [], []
    for arm in arms:
        shift = SHIFT.get(arm.name, 0.01 if arm.kind == "local" else -0.12)
        values = []
        for base in BASE:
            value = max(0.45, base + shift + 0.015 * float(draw.normal()))
            values.append(value)
        for task, value in zip(tasks, values, strict=True):
            half = 0.055 + 0.02 * float(draw.random())
            device = None if task.dataset == "coswara" else 0.8 + 0.15 * float(draw.random())
            bounds = (value - half, min(0.995, value + half))
            scores.append(TaskScore(arm.name, task.name, value, *bounds, device, 0.97))
            if arm.name in ("federated", "centralised", "log_mel"):
                moved = value - next(
                    b + 0.01 * (i % 2) for i, b in enumerate(BASE) if tasks[i] is task
                )
                pair = (moved, moved - 0.03, moved + 0.03)
                differences.append(Difference(arm.name, "random", task.name, *pair))
        mean = sum(values[:-1]) / 7
        means.append(Mean(arm.name, mean, mean - 0.02, mean + 0.02))
    differences.append(Difference("federated", "random", "mean", *gained))
    differences.append(Difference("centralised", "random", "mean", 0.045, 0.02, 0.07))
    skipped = (SkippedTask("kauh_severity", "class severe has 7 test subjects, fewer than 10"),)
    ratio = Ratio(0.78, 0.41, 1.10, 0.75, 0.715, 0.76, "")
    return ScoresRecord(
        tasks, skipped, arms, tuple(scores), tuple(differences), tuple(means), ratio
    )


def records(
    clients: int | None = None, gained: tuple[float, float, float] = (0.035, 0.012, 0.058)
) -> Records:
    data = data_record(clients)
    names = [c.name for c in data.clients]
    draw = np.random.default_rng(3)
    probes = [
        ProbeRecord(at, task[0], float(base + 0.04 * (1 - np.exp(-at / 8)) + 0.01 * draw.normal()))
        for at in (0, 5, 10, 15, 20, 24)
        for task, base in zip(TASKS, BASE, strict=True)
    ]
    rounds = round_records(data)
    return Records(run_record(), data, rounds, tuple(probes), scores_record(names, gained))


def write(out: Path, sample: Records) -> Path:
    """Leave the records in a folder as a run does."""
    folder.start(out, sample.run)
    folder.save(out, sample.data)
    for done in sample.rounds:
        folder.append(out, done)
    for probed in sample.probes:
        folder.append(out, probed)
    if sample.scores is not None:
        folder.save(out, sample.scores)
    return out
