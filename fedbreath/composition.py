"""From overrides to a tree of plain values: Hydra's part of a configuration.

YAML under ``configs/`` is found, composed and resolved here; what Hydra complains of becomes one
sentence. What the values mean is checked by `fedbreath.config`.
"""

import difflib
import json
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fedbreath.errors import ConfigError


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


def parsed(words: Sequence[str]) -> list[Override]:
    """Overrides as Hydra reads them.

    Raises:
        ConfigError: One of them is none.
    """
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


def composed(words: Sequence[str], name: str = "config") -> dict[str, Any]:
    """The tree that overrides compose, unchecked but for Hydra's own complaints.

    Args:
        words: The overrides.
        name: The YAML that they are of, below ``configs/``.

    Raises:
        ConfigError: A choice that is not there, a key that is not, a value that is missing.
    """
    known = parsed(words)
    for word in words:
        if re.search(r"\$\{[^}]*:", word):
            # A node composes what a stranger wrote; `${oc.env:...}` would read the node.
            raise ConfigError(f"{word}: a run's settings hold values, not resolvers")
    for override in known:
        _check_choice(override)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            node = compose(name, list(words))
        _check_missing(node)
        tree = OmegaConf.to_container(node, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_sentence(error, name, words, known)) from None
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
            raise ConfigError(unknown_choice(group, str(name)))


def unknown_choice(group: str, name: str) -> str:
    """What to say of a YAML's name that is none of its group's."""
    near = difflib.get_close_matches(name, choices(group), 1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{group}={name}: no such choice; {hint}choose one of {', '.join(choices(group))}"


def unknown_key(key: str, known: Sequence[str]) -> str:
    """What to say of a key that is not among those that are known beside it."""
    near = difflib.get_close_matches(key, known, 1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}"
    return f"unknown key {key}; {hint}"


def _sentence(error: Exception, name: str, words: Sequence[str], known: Sequence[Override]) -> str:
    """Hydra's complaint as one sentence: most often an override of a key that is not there."""
    groups = [o for o in known if (config_dir() / o.key_or_group).is_dir()]
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            base = compose(name, [o.input_line or "" for o in groups])
    except (HydraException, OmegaConfBaseException):
        return _first_line(error)
    keys = _dotted(OmegaConf.to_container(base, resolve=False))
    for override in known:
        key = override.key_or_group
        if override not in groups and key not in keys and not override.is_add():
            parent = key.rpartition(".")[0]
            beside = [k for k in keys if k.rpartition(".")[0] == parent]
            return unknown_key(key, beside or [k for k in keys if "." not in k])
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
