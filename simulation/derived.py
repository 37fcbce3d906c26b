"""Runs that are derived from a run: what their overrides are.

There are two rules. A **variant** is the run with other settings on top. A **start** is a run
of its own on the defaults, which takes from the run only what must agree for the one to go on
where the other ended (`CARRIED`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fedbreath.composition import composed, config_dir, parsed, written
from fedbreath.config import Config

#: What a start takes from the run that begins with it, unless it says otherwise: the network
#: and what it reads, the head that ``training.head=start`` asks for, and the split, so that
#: nobody whom the run is scored on is in the start either.
CARRIED = ("seed", "front_end", "views", "split", "encoder", "objective")


def variant(words: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """The overrides of a run with others on top.

    Where these choose another component of a group, settings of the old one that the new one
    does not know fall away, whether an override or an experiment made them.

    Args:
        words: The run's.
        own: What is different.

    Raises:
        ConfigError: They do not compose.

    >>> variant(("privacy=patient", "privacy.rate=0.3", "rounds=3"), ("privacy=none",))
    ('rounds=3', 'privacy=none')
    """
    chosen = _chosen(own)
    known = {group: set(composed([f"{group}={name}"])[group]) for group, name in chosen.items()}
    kept = [w for w in words if not _falls_away(w, known)]
    tree = composed((*kept, *own))
    told = {o.key_or_group for o in parsed(own)}
    unknown = [
        f"~{group}.{key}"
        for group in chosen
        for key in tree[group]
        if key not in known[group] and f"{group}.{key}" not in told
    ]
    return (*kept, *own, *unknown)


def start(config: Config, own: Sequence[str]) -> tuple[str, ...]:
    """The overrides of a run's public start.

    Args:
        config: The run.
        own: What its ``start`` says.

    Raises:
        ConfigError: They do not compose.
    """
    chosen = _chosen(own)
    carried = [name for name in CARRIED if name not in chosen]
    words = [f"{name}={getattr(config, name).name}" for name in carried if _is_group(name)]
    base = composed(words)
    for name in carried:
        words += _changes(_without_start(config.tree[name]), _without_start(base[name]), name)
    # Where and how fast, never what.
    elsewhere = ("cache", "device", "engine")
    for name in elsewhere:
        words += _changes(config.tree[name], base[name], name)
    return (*words, *own)


def _chosen(words: Sequence[str]) -> dict[str, str]:
    """Groups that overrides choose a component of, and which."""
    found = (o for o in parsed(words) if _is_group(o.key_or_group) and not o.is_delete())
    return {o.key_or_group: str(o.value()) for o in found if o.key_or_group != "tasks"}


def _is_group(name: str) -> bool:
    return (config_dir() / name).is_dir()


def _falls_away(word: str, known: Mapping[str, set[str]]) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    group, _, setting = key.partition(".")
    return group in known and setting.partition(".")[0] not in known[group]


def _without_start(section: Any) -> Any:
    """A section less the file that an encoder begins with: a start begins with its seed."""
    return (
        {k: v for k, v in section.items() if k != "init"} if isinstance(section, dict) else section
    )


def _changes(wanted: Any, base: Any, key: str) -> Iterator[str]:
    """Overrides that make `wanted` of `base`."""
    if isinstance(wanted, dict) and isinstance(base, dict):
        yield from (f"~{key}.{name}" for name in base if name not in wanted)
        for name, value in wanted.items():
            added: Any = {} if isinstance(value, dict) else None
            yield from _changes(value, base.get(name, added), f"{key}.{name}")
    elif wanted != base:
        yield f"++{key}={written(wanted)}"
