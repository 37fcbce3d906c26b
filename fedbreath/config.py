"""The typed run configuration: ``load(overrides) -> Config``.

YAML under ``configs/`` only chooses values; the schema is dataclasses. A component
(data set, encoder, objective, mechanism, strategy, task ...) is one module with a
``Config`` dataclass and one class that takes it first; its YAML names that class as
``_target_``. This module knows the groups and where their components live, and no
concrete component. Since a target is code, only classes of a group's own package are
accepted, and the name is checked before anything is imported.

Hydra composes the YAML; the result is checked field by field against the dataclasses,
so that a misspelt key or a wrong type is one sentence and never a surprise at round 19.
"""

import dataclasses
import difflib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import json
import math
import re
import shlex
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fedbreath.audio import FrontEnd
from fedbreath.errors import ConfigError
from fedbreath.views import Views

T = TypeVar("T")

#: The library's groups and the package their components must live in. The application
#: adds its own (strategy, partition, engine).
LIBRARY: Mapping[str, str] = {
    "data": "fedbreath.datasets",
    "encoder": "fedbreath.encoders",
    "objective": "fedbreath.objectives",
    "privacy": "fedbreath.privacy",
    "tasks": "fedbreath.downstream",
}

#: Settings that say where and how fast, never what: they do not enter the digest.
_NOT_DIGESTED = ("out", "resume", "cache", "device", "engine", "patience")


@dataclass(frozen=True)
class Component:
    """A component's class with its checked configuration, not yet built.

    Attributes:
        target: The class that the YAML's ``_target_`` names.
        config: An instance of that module's ``Config``.
    """

    target: type
    config: Any

    def build(self, *args: Any, **kwargs: Any) -> Any:
        """Make the component: ``target(config, *args, **kwargs)``."""
        return self.target(self.config, *args, **kwargs)

    @property
    def name(self) -> str:
        """The component's module name, which is its YAML's name by convention."""
        return self.target.__module__.rpartition(".")[2]


@dataclass(frozen=True)
class Training:
    """The local fit of one client in one round.

    Attributes:
        steps: Optimiser steps a client takes in a round.
        batch_size: Recordings a step draws (pairs of views), at most what the site has.
        learning_rate: AdamW's greatest step size.
        weight_decay: AdamW's decoupled weight decay.
        schedule: ``cosine`` lets the step size fall to 0 over the whole run; ``constant``
            does not.
        warmup: Share of the run in which the step size rises from 0.
        optimizer_state: ``kept`` at the site from round to round, or ``fresh`` each round.
        head: The projection head stays at the site (``local``), travels with the encoder and
            is averaged (``averaged``), or is that of the run that ``encoder.init`` names and
            is not trained (``start``), which leaves fewer weights for noise to fall on.
        freeze: Groups of the encoder's parameters that are not trained (`Encoder.groups`).
        local: Groups of the encoder's parameters that each site trains and keeps to itself; the
            global encoder has there what it started with.
        told: Numbers that a client tells beside its weights: ``loss``, ``norm``,
            ``recordings``, ``seconds``. None is what the privacy mechanism lets out.
    """

    steps: int = 6
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = 0.05
    optimizer_state: Literal["kept", "fresh"] = "kept"
    head: Literal["local", "averaged", "start"] = "local"
    freeze: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    told: tuple[Literal["loss", "norm", "recordings", "seconds"], ...] | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        if self.batch_size < 2:
            raise ValueError(f"batch_size must be >= 2, got {self.batch_size}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be >= 0, got {self.weight_decay}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must lie in [0, 1), got {self.warmup}")

    def rate(self, done: float) -> float:
        """The step size when a share of the run is done, in [0, 1].

        Warm-up is linear; the cosine (Loshchilov and Hutter 2017, without restarts) spans
        the whole run, so that rounds and steps can be traded.

        Raises:
            ValueError: A share beyond the run, where the cosine would rise again.

        >>> Training(learning_rate=1.0, warmup=0.0).rate(0.5)
        0.5
        """
        if not 0 <= done <= 1:
            raise ValueError(f"a share of the run must lie in [0, 1], got {done}")
        rise = min(1.0, done / self.warmup) if self.warmup else 1.0
        fall = (1 + math.cos(math.pi * done)) / 2 if self.schedule == "cosine" else 1.0
        return self.learning_rate * rise * fall


@dataclass(frozen=True)
class Split:
    """Who is kept out of pretraining to be tested on.

    Attributes:
        test: Share of a data set's persons that are test persons.
        validation: Share of the others that stand in for the test persons while choices
            are made: scores are then measured on them, and test persons are left out of
            everything. 0 scores on the test persons.
        seed: Chooses them; apart from the run's seed, so that seeds are comparable.
    """

    test: float = 0.4
    validation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.test < 1:
            raise ValueError(f"test must lie between 0 and 1, got {self.test}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation must lie in [0, 1), got {self.validation}")


@dataclass(frozen=True)
class Evaluation:
    """How the frozen encoder is scored.

    Attributes:
        every: Rounds between two probes of the global encoder (the last round always).
        bootstrap: Resamples of the test subjects behind each interval.
        random_seeds: Untrained networks that the encoder is compared with.
        min_subjects: A class with fewer test subjects than this gives no score.
        baselines: Whether to train the local-only and centralised encoders too.
        opensmile: Whether to compare with openSMILE's features too: an extra, for research
            only, and slow the first time.
        compare: Further arms: title to the overrides, on top of the run's own, that the same
            clients are trained with; None takes an arm out that an experiment names.
    """

    every: int = 5
    bootstrap: int = 1000
    random_seeds: int = 3
    min_subjects: int = 10
    baselines: bool = True
    opensmile: bool = False
    compare: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("every", "bootstrap", "random_seeds", "min_subjects"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Transport:
    """How arrays travel.

    Attributes:
        dtype: Type in which single-precision weights travel, both ways. ``float16`` halves
            the bytes and rounds each weight to a relative 2^-11.
    """

    dtype: Literal["float32", "float16"] = "float32"


@dataclass(frozen=True)
class Patience:
    """How long a server waits for its clients; never without bound.

    Attributes:
        connect: For the least number of clients to be connected, s.
        reply: For the replies of a round, s.
    """

    connect: float = 600.0
    reply: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("connect", "reply"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class Config:
    """One run: every choice, checked.

    Groups whose package the caller did not pass are None: a client has no business
    with the strategy. `digest` identifies what was computed (not where or how fast).

    Attributes:
        seed: Fixes everything without privacy: initial weights, views, draws.
        rounds: Rounds of federation.
        out: Folder for everything of the run; None makes a dated one under ``runs/``.
        resume: Folder of a run to go on with.
        cache: Folder of the feature stores; None means the user's cache folder.
        start: Overrides of another run, which the simulation trains first and starts this one
            from; its checkpoint then is ``encoder.init``.
        device: Where networks are trained: ``auto`` is the GPU when there is one, in mixed
            precision, else the CPU.
    """

    seed: int
    rounds: int
    out: str | None
    resume: str | None
    cache: str | None
    start: str | None
    device: Literal["auto", "cpu", "cuda"]
    front_end: FrontEnd
    views: Views
    split: Split
    training: Training
    evaluation: Evaluation
    transport: Transport
    patience: Patience
    data: Component
    encoder: Component
    objective: Component
    privacy: Component
    tasks: Mapping[str, Component]
    strategy: Component | None = None
    partition: Component | None = None
    engine: Component | None = None
    world: Component | None = None
    tree: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds must be >= 1, got {self.rounds}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must lie in 0 to {2**32 - 1}, got {self.seed}")
        if self.training.freeze or self.training.local:
            # What groups there are is for the encoder to say; it is not built for that.
            encoder: Any = self.encoder.target
            groups = encoder.group_names(self.encoder.config)
            encoder.check_freeze(self.training.freeze, groups, self.training.local)
        privacy: Any = self.privacy.target
        if hasattr(privacy, "check"):
            privacy.check(self)

    @functools.cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 over all that decides the result.

        The folder of a `start` is called after the start's own digest: its name counts, and
        not where it lies.
        """
        decides = {k: v for k, v in self.tree.items() if k not in _NOT_DIGESTED}
        init = getattr(self.encoder.config, "init", None)
        if self.start is not None and init is not None:
            decides["encoder"] = {**decides["encoder"], "init": Path(init).name}
        return digest(decides)


def digest(tree: Any) -> str:
    """Twelve hexadecimal digits that identify a tree of plain values.

    >>> digest({"a": 1}) == digest({"a": 1}) != digest({"a": 2})
    True
    """
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def config_dir() -> Path:
    """The folder of YAML: beside the package in a checkout or bundle, inside it in a wheel.

    Raises:
        ConfigError: Neither is there.
    """
    package = Path(__file__).resolve().parent
    # Inside first: beside an installed package lie other packages, and one may be so called.
    for folder in (package / "configs", package.parent / "configs"):
        if folder.is_dir():
            return folder
    raise ConfigError(f"no configs folder beside or inside {package}: the installation is broken")


def choices(group: str) -> list[str]:
    """The names of a group's YAML files, sorted."""
    return sorted(p.stem for p in (config_dir() / group).glob("*.yaml"))


def load(overrides: str | Sequence[str] = (), packages: Mapping[str, str] = LIBRARY) -> Config:
    """Compose and check the configuration of a run.

    Args:
        overrides: Hydra overrides, as a list or as one string separated by blanks.
        packages: Group name to package; groups that are not named here are not built.

    Returns:
        The checked configuration.

    Raises:
        ConfigError: Unknown key or choice, wrong type, value out of range, a target that
            is no component of its group's package.
    """
    try:
        words = shlex.split(overrides) if isinstance(overrides, str) else list(overrides)
    except ValueError as error:
        raise ConfigError(f"cannot read the overrides {overrides!r}: {error}") from None
    return _load(tuple(words), tuple(sorted(packages.items())))


@functools.lru_cache(maxsize=64)
def _load(words: tuple[str, ...], packages: tuple[tuple[str, str], ...]) -> Config:
    tree = _compose("config", words)
    known = dict(packages)
    fields: dict[str, Any] = {"tree": tree}
    for key, node in tree.items():
        if key in _GROUPS and key not in known:
            continue
        package = known.get(key)
        fields[key] = _convert(_HINTS.get(key), node, key, package) if key in _HINTS else node
    unknown = sorted(set(tree) - set(_HINTS))
    if unknown:
        raise ConfigError(_unknown_key(unknown[0], [k for k in _HINTS if k != "tree"]))
    absent = sorted(set(known) - set(tree))
    if absent:
        raise ConfigError(f"the configuration lacks {', '.join(absent)}")
    try:
        return Config(**fields)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    except TypeError:
        missing = [
            f.name
            for f in dataclasses.fields(Config)
            if f.default is f.default_factory is dataclasses.MISSING and f.name not in fields
        ]
        raise ConfigError(f"the configuration lacks {', '.join(missing)}") from None


def composed(overrides: Sequence[str]) -> dict[str, Any]:
    """The tree that overrides compose, unchecked but for Hydra's own complaints.

    Raises:
        ConfigError: A choice that is not there, a key that is not, a value that is missing.
    """
    return _compose("config", tuple(overrides))


def parsed(overrides: Sequence[str]) -> list[Override]:
    """Overrides as Hydra reads them.

    Raises:
        ConfigError: One of them is none.
    """
    return _parsed(tuple(overrides))


def component(group: str, name: str, overrides: Sequence[str] = ()) -> Component:
    """One component of a library group by its YAML's name, without a whole run.

    Args:
        group: One of `LIBRARY`.
        name: The YAML's name.
        overrides: Hydra overrides below the group: ``["root=/data"]``.

    Raises:
        ConfigError: As for `load`.
    """
    if name not in choices(group):
        raise ConfigError(_unknown_choice(group, name))
    tree = _compose(f"{group}/{name}", tuple(f"{group}.{word}" for word in overrides))
    converted: Component = _convert(Component, tree[group], group, LIBRARY[group])
    return converted


def checked(schema: type[T], values: Mapping[str, Any], where: str) -> T:
    """A dataclass from plain values, each checked against its field's type.

    Args:
        schema: The dataclass.
        values: By field.
        where: What the values are called in a complaint.

    Raises:
        ConfigError: Unknown key, wrong type, or a value out of range.

    >>> checked(Split, {"test": 0.5}, "split")
    Split(test=0.5, validation=0.0, seed=0)
    """
    converted: T = _dataclass(schema, dict(values), where, None)
    return converted


def section(schema: Any, name: str, overrides: Sequence[str] = ()) -> Any:
    """One plain section of the configuration (``front_end``), without a whole run.

    Args:
        schema: Its dataclass, whose defaults are those of ``config.yaml``.
        name: The section's name.
        overrides: Hydra overrides below the section: ``["mels=80"]``.

    Raises:
        ConfigError: Unknown key, wrong type, value out of range.
    """
    node = dataclasses.asdict(schema())
    for override in _parsed(tuple(overrides)):
        node[override.key_or_group] = override.value()
    return _dataclass(schema, node, name, None)


def _parsed(words: tuple[str, ...]) -> list[Override]:
    try:
        return list(OverridesParser.create().parse_overrides(list(words)))
    except HydraException as error:
        bad = next((w for w in words if "=" not in w), " ".join(words))
        raise ConfigError(
            f"cannot read the override {bad!r}: {_first_line(error)} "
            "(write key=value; quote values with blanks or brackets)"
        ) from None


def written(value: Any) -> str:
    r"""A value as an override says it: text may hold anything, and a number stays one.

    >>> written("a ward's data"), written(3), written(None)
    ("'a ward\\'s data'", '3', 'null')
    """
    if isinstance(value, str):
        return "'" + value.replace("'", r"\'") + "'"
    return json.dumps(value)


def _compose(name: str, words: tuple[str, ...]) -> dict[str, Any]:
    """Let Hydra compose, and put its complaints into one sentence."""
    parsed = _parsed(words)
    for word in words:
        if re.search(r"\$\{[^}]*:", word):
            # A node composes what a stranger wrote; `${oc.env:...}` would read the node.
            raise ConfigError(f"{word}: a run's settings hold values, not resolvers")
    for override in parsed:
        _check_choice(override)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            node = compose(name, list(words))
        _check_missing(node)
        tree = OmegaConf.to_container(node, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_sentence(error, name, words, parsed)) from None
    return typing.cast(dict[str, Any], tree)


def _check_choice(override: Override) -> None:
    group = override.key_or_group
    if group.partition(".")[0] == "hydra":
        # Hydra's search path would import any package that it is told of.
        raise ConfigError(f"{group}: Hydra's own settings are not for a run to change")
    if not (config_dir() / group).is_dir() or override.is_delete():
        return
    value = override.value()
    if value is None and group != "experiment":
        raise ConfigError(f"{group}=null: a run needs one of {', '.join(choices(group))}")
    for name in value if isinstance(value, list) else [value]:
        if name is not None and str(name) not in choices(group):
            raise ConfigError(_unknown_choice(group, str(name)))


def _unknown_choice(group: str, name: str) -> str:
    near = difflib.get_close_matches(name, choices(group), 1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{group}={name}: no such choice; {hint}choose one of {', '.join(choices(group))}"


def _unknown_key(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}"
    return f"unknown key {key}; {hint}"


def _sentence(
    error: Exception, name: str, words: tuple[str, ...], parsed: Sequence[Override]
) -> str:
    """Hydra's complaint as one sentence: most often an override of a key that is not there."""
    groups = [o for o in parsed if (config_dir() / o.key_or_group).is_dir()]
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            base = compose(name, [o.input_line or "" for o in groups])
    except (HydraException, OmegaConfBaseException):
        return _first_line(error)
    keys = _dotted(OmegaConf.to_container(base, resolve=False))
    for override in parsed:
        key = override.key_or_group
        if override not in groups and key not in keys and not override.is_add():
            parent = key.rpartition(".")[0]
            beside = [k for k in keys if k.rpartition(".")[0] == parent]
            return _unknown_key(key, beside or [k for k in keys if "." not in k])
    return f"{_first_line(error)} (in {' '.join(words)})"


def _dotted(tree: Any, prefix: str = "") -> list[str]:
    if not isinstance(tree, dict):
        return []
    keys = [f"{prefix}{k}" for k in tree]
    return keys + [d for k, v in tree.items() for d in _dotted(v, f"{prefix}{k}.")]


def _check_missing(node: DictConfig) -> None:
    plain = OmegaConf.to_container(node, resolve=False)
    missing = [key for key, value in _leaves(plain) if value == "???"]
    if missing:
        key = missing[0]
        example = "PATH" if key.endswith("root") else "VALUE"
        raise ConfigError(f"{key} has no value: say {key}={example}")


def _leaves(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted key and value of everything in a tree that is not a mapping."""
    if not isinstance(tree, dict):
        return [(prefix.removesuffix("."), tree)]
    return [leaf for k, v in tree.items() for leaf in _leaves(v, f"{prefix}{k}.")]


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def _component(node: Any, where: str, package: str) -> Component:
    if not isinstance(node, dict) or "_target_" not in node:
        raise ConfigError(f"{where} must name a component by _target_, got {node!r}")
    path = node["_target_"]
    module_name, _, class_name = str(path).rpartition(".")
    refusal = (
        f"{where}._target_={path}: no component of ours "
        f"(components of this group are classes in {package})"
    )
    if not module_name.startswith(f"{package}."):
        raise ConfigError(refusal)
    try:
        if importlib.util.find_spec(module_name) is None:
            raise ConfigError(refusal)
    except ModuleNotFoundError:
        raise ConfigError(refusal) from None
    module = importlib.import_module(module_name)
    target, schema = getattr(module, class_name, None), getattr(module, "Config", None)
    if not (
        isinstance(target, type)
        and target is not schema
        and target.__module__ == module_name
        and next(iter(inspect.signature(target).parameters), "") == "config"
        and dataclasses.is_dataclass(schema)
    ):
        raise ConfigError(refusal)
    values = {k: v for k, v in node.items() if k != "_target_"}
    return Component(target, _convert(schema, values, where, package))


def _alternative(hints: Sequence[Any], node: Any, where: str, package: str | None) -> Any:
    """The first of several hints that a value fits; where none does, the first complaint."""
    complaints = []
    for hint in hints:
        try:
            return _convert(hint, node, where, package)
        except ConfigError as error:
            complaints.append(error)
    raise complaints[0]


def _convert(hint: Any, node: Any, where: str, package: str | None) -> Any:  # noqa: PLR0911
    """Check a plain value against a type hint; return it in the hint's own type."""
    if hint is Component:
        return _component(node, where, package or "")
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, node, where, package)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if node is None and type(None) in args:
            return None
        return _alternative([a for a in args if a is not type(None)], node, where, package)
    if origin is Literal:
        if node not in args:
            raise ConfigError(f"{where} must be one of {', '.join(map(str, args))}, got {node!r}")
        return node
    if origin is tuple:
        if not isinstance(node, list):
            raise ConfigError(f"{where} must be a list, got {node!r}")
        return tuple(_convert(args[0], v, f"{where}[{i}]", package) for i, v in enumerate(node))
    if origin is Mapping:
        if not isinstance(node, dict):
            raise ConfigError(f"{where} must be a mapping, got {node!r}")
        return {str(k): _convert(args[1], v, f"{where}.{k}", package) for k, v in node.items()}
    return _scalar(hint, node, where)


def _dataclass(schema: Any, node: Any, where: str, package: str | None) -> Any:
    if not isinstance(node, dict):
        raise ConfigError(f"{where} must be a mapping of keys, got {node!r}")
    hints = typing.get_type_hints(schema)
    for key in node:
        if key not in hints:
            raise ConfigError(_unknown_key(f"{where}.{key}", [f"{where}.{k}" for k in hints]))
    values = {k: _convert(hints[k], v, f"{where}.{k}", package) for k, v in node.items()}
    try:
        return schema(**values)
    except ValueError as error:
        raise ConfigError(f"{where}.{error}") from None
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from None


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def _scalar(hint: Any, node: Any, where: str) -> Any:
    if hint is float and isinstance(node, int) and not isinstance(node, bool):
        return float(node)
    if isinstance(node, float) and not math.isfinite(node):
        raise ConfigError(f"{where} must be finite, got {node}")
    if type(node) is hint:
        return node
    raise ConfigError(f"{where} must be {_NAMES.get(hint, hint)}, got {node!r}")


_HINTS = typing.get_type_hints(Config)
_GROUPS = {name for name, hint in _HINTS.items() if Component in (hint, *typing.get_args(hint))}


def to_yaml(config: Config) -> str:
    """The whole resolved configuration as YAML, for ``--cfg``, run folders and reports."""
    text: str = yaml.safe_dump(dict(config.tree), sort_keys=False, allow_unicode=True)
    return text
