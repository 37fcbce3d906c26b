"""Which arms a run has: the federation, what it is compared with, what needs no training.

A private run has neither of the two: one place that sees all recordings, or one site that
publishes an encoder of its own, is another trust model, and its epsilon would stand beside
the federation's as if it meant the same. What it is compared with is the public start, and
the arms that ``evaluation.compare`` names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fedbreath.config import Config
from fedbreath.features import Selection
from fedbreath.privacy import Plan
from fedbreath.privacy.client_central import ClientCentral
from fedbreath.report.score_records import Kind
from simulation import baselines
from simulation.arms import Arm
from simulation.population import Population
from simulation.variants import Variant
from strategies.federated import Cohort

#: With more clients than this no local-only encoders are trained: each costs a run.
MOST_LOCAL = 12

#: Settings under which one client alone is what it claims to be: plain local training.
_ALONE = (
    "strategy=fedavg",
    "strategy.minimum=1",
    "strategy.weighting=uniform",  # the same for one client, and goes with any privacy
    "training.optimizer_state=kept",
    "training.head=local",
    "adversary.share=0",
    "training.local=[]",  # what stays at a site would be missing from its encoder
    "transport.dtype=float32",
    "world=always",
)


def plan(
    config: Config,
    overrides: tuple[str, ...],
    clients: Mapping[str, Selection],
    variants: Sequence[Variant] = (),
) -> list[Arm]:
    """All arms of a run, the federated one first."""
    count, private = len(clients), is_private(config)
    title = "Federated" if count > 1 else "Pretrained"
    note = "the global encoder after the last round"
    arms = [_trained("federated", title, "federated", config, overrides, count, note)]
    if private:
        arms[0] = replace(arms[0], title=f"{title}, private")
    arms += [
        _trained(
            v.name,
            v.title,
            "variant",
            v.run.config,
            v.run.words,
            count,
            f"as {title.lower()}, but {config.evaluation.compare[v.title]}",
        )
        for v in variants
    ]
    if getattr(config.encoder.config, "init", None) is not None:
        arms.append(
            Arm("start", "Public start", "start", note="what the run begins with, as it is")
        )
    # A declared population is never in one place: there is nothing to pool, and nobody to list.
    declared = isinstance(clients, Population)
    compared = config.evaluation.baselines and count > 1 and not private and not declared
    if compared:
        arms.append(_centralised(config, overrides, count))
    seeds = f"mean of {config.evaluation.random_seeds} seeds"
    arms.append(Arm("random", "Untrained network", "random", note=seeds))
    arms += _without_training(config, overrides, title)
    if compared and count <= MOST_LOCAL:
        arms += _local(config, overrides, list(clients))
    return arms


def is_private(config: Config) -> bool:
    """Whether anybody adds noise."""
    mechanism: Any = config.privacy.target
    return bool(mechanism.place != "nowhere")


def called(config: Config, count: int) -> int:
    """How many of `count` clients a round calls, or is expected to."""
    mechanism = config.privacy.build(Plan(config.rounds, config.training.steps))
    if isinstance(mechanism, ClientCentral):
        return mechanism.expected(count)
    assert config.strategy is not None
    drawn: Cohort = config.strategy.config
    return drawn.size(count)


def _trained(
    name: str,
    title: str,
    kind: Kind,
    config: Config,
    overrides: tuple[str, ...],
    count: int,
    note: str,
) -> Arm:
    """An arm in which all `count` clients train."""
    fits = config.rounds * called(config, count)
    return Arm(name, title, kind, overrides, fits * config.training.steps, fits, note)


def _centralised(config: Config, overrides: tuple[str, ...], count: int) -> Arm:
    together = called(config, count) * config.training.steps
    return Arm(
        "centralised",
        "Centralised",
        "centralised",
        (*_without_strategy(overrides), *_ALONE, f"training.steps={together}"),
        config.rounds * together,
        config.rounds,
        "all clients' recordings pooled, as many steps as all clients together",
    )


def _local(config: Config, overrides: tuple[str, ...], clients: Sequence[str]) -> list[Arm]:
    words = (*_without_strategy(overrides), *_ALONE)
    steps, note = config.rounds * config.training.steps, "this site alone, its own steps"
    return [
        Arm(f"local:{name}", f"Only {name}", "local", words, steps, config.rounds, note)
        for name in clients
    ]


_CHOSEN = ("strategy=", "strategy.", "world=", "world.")


def _without_strategy(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """The overrides that choose neither strategy nor world: another's settings are not FedAvg's.

    >>> _without_strategy(("strategy=fedadam", "strategy.tau=0.1", "rounds=3"))
    ('rounds=3',)
    """
    return tuple(w for w in overrides if not w.lstrip("+~").startswith(_CHOSEN))


def _without_training(config: Config, overrides: tuple[str, ...], title: str) -> list[Arm]:
    """The rows that train nothing of their own; `title` is that of the global encoder."""
    smile = "no network; openSMILE is free for research only"
    rows = [
        Arm("log_mel", "Log-mel mean and SD", "features", note="no network"),
        Arm("descriptors", "Descriptors", "features", note="no network"),
        Arm(
            "encoder_descriptors",
            f"{title} encoder and descriptors",
            "combined",
            overrides,
            note="side by side, every feature standardised",
        ),
        *(
            Arm(name, f"openSMILE {feature_set}", "features", fits=100, note=smile)
            for name, feature_set in baselines.OPENSMILE.items()
        ),
        Arm(
            "level_length",
            "Loudness and length alone",
            "control",
            note="what a score owes to how loud and how long recordings are",
        ),
    ]
    return [replace(arm, missing=baselines.missing(arm.name, config)) for arm in rows]
