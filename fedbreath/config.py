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
import functools
import hashlib
import importlib
import importlib.util
import inspect
import json
import math
import shlex
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from fedbreath.audio import FrontEnd
from fedbreath.composition import choices, composed, parsed, unknown_choice, unknown_key
from fedbreath.errors import ConfigError
from fedbreath.sections import (
    Adversary,
    Evaluation,
    Guard,
    Patience,
    Split,
    Training,
    Transport,
)
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
    guard: Guard
    adversary: Adversary
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
        init = getattr(self.encoder.config, "init", None)
        if self.training.head == "start" and init is None and self.start is None:
            raise ConfigError(
                "training.head=start needs a run to start from, whose head it is: set start, or "
                "encoder.init=fedbreath:PATH"
            )
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
    tree = composed(words)
    known = dict(packages)
    fields: dict[str, Any] = {"tree": tree}
    for key, node in tree.items():
        if key in _GROUPS and key not in known:
            continue
        package = known.get(key)
        fields[key] = _convert(_HINTS.get(key), node, key, package) if key in _HINTS else node
    unknown = sorted(set(tree) - set(_HINTS))
    if unknown:
        raise ConfigError(unknown_key(unknown[0], [k for k in _HINTS if k != "tree"]))
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
        raise ConfigError(unknown_choice(group, name))
    tree = composed([f"{group}.{word}" for word in overrides], f"{group}/{name}")
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
    for override in parsed(overrides):
        node[override.key_or_group] = override.value()
    return _dataclass(schema, node, name, None)


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
            raise ConfigError(unknown_key(f"{where}.{key}", [f"{where}.{k}" for k in hints]))
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
