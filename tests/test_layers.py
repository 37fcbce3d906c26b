"""Imports go downwards only; read from the source, so that no import escapes."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Lowest first. What stands in one line does not import one another.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("fedbreath", "fedbreath.errors", "fedbreath.atomic", "fedbreath.recording",
     "fedbreath._torchaudio", "fedbreath.tracks", "fedbreath.sections"),
    ("fedbreath.soundfiles",),
    ("fedbreath.audio", "fedbreath.views", "fedbreath.aggregation", "fedbreath.split",
     "fedbreath.npy", "fedbreath.optimizer", "fedbreath.lock", "fedbreath.collapse",
     "fedbreath.descriptors", "fedbreath.guidance", "fedbreath.composition"),
    ("fedbreath.config", "fedbreath.decoding"),
    ("fedbreath.datasets", "fedbreath.features", "fedbreath.encoders", "fedbreath.privacy"),
    ("fedbreath.building", "fedbreath.objectives", "fedbreath.site", "fedbreath.exchange"),
    ("fedbreath.pretraining", "fedbreath.monitor", "fedbreath.downstream"),
    ("fedbreath.report", "fedbreath.release", "fedbreath.audit", "strategies"),
    ("fedbreath.datacheck",),
    ("fedbreath.data_command", "fedbreath.privacy_command", "fedbreath.audit_command", "client",
     "server"),
    ("fedbreath.cli",),
    ("simulation",),
    ("benchmarks",),
)  # fmt: skip

#: Downwards, and forbidden nevertheless: a node holds no strategy.
FORBIDDEN = {("client", "strategies")}

APPLICATION = ("strategies", "client", "server", "simulation", "benchmarks")


def layer_of(module: str) -> tuple[int, str] | None:
    """A module's layer, and the part of the tree that it belongs to."""
    parts = module.split(".")
    for length in (2, 1):
        name = ".".join(parts[:length])
        for number, names in enumerate(LAYERS):
            if name in names and (length == 2 or name != "fedbreath" or len(parts) == 1):
                return number, name
    return None


def imported(module: str, source: str, modules: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Line and module of every import, in functions and under TYPE_CHECKING too."""
    is_package = any(name.startswith(f"{module}.") for name in modules)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + is_package]
                base = ".".join([*kept, *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield node.lineno, name if name in modules else base


def violations(modules: Mapping[str, str]) -> list[str]:
    """Every broken rule, as a sentence, of modules given as name to source."""
    found = []
    for module, source in modules.items():
        own = layer_of(module)
        if own is None:
            found.append(f"{module} has no layer: give it one in LAYERS")
            continue
        for line, target in imported(module, source, modules):
            root = target.partition(".")[0]
            where = f"{module}, line {line}: imports {target}"
            inside = module.partition(".")[0] == "fedbreath"
            if inside and root in ("flwr", *APPLICATION):
                found.append(f"{where}, which the library must not know")
            elif root == "tests":
                found.append(f"{where}, which is not shipped")
            elif root in ("fedbreath", *APPLICATION):
                other = layer_of(target)
                if other is None:
                    found.append(f"{where}, which has no layer")
                elif own[1] != other[1] and (other[0] >= own[0] or (own[1], other[1]) in FORBIDDEN):
                    found.append(f"{where}: {own[1]} must not know {other[1]}")
    return found


def tree() -> dict[str, str]:
    """Every module of the library and the application."""
    found = {}
    for package in ("fedbreath", *APPLICATION):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path.read_text(encoding="utf-8")
    return found


#: Modules that planted imports name, all empty.
BARE = {name: "" for names in LAYERS for name in names} | {
    "fedbreath.datasets.esc10": "",
    "fedbreath.encoders.cnn": "",
    "fedbreath.downstream.probe": "",
}


def test_the_tree_keeps_the_rules() -> None:
    modules = tree()
    assert {"fedbreath.config", "server.rounds", "simulation.engines.in_process"} <= set(modules)
    assert violations(modules) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("fedbreath.features", "import flwr"),
        ("fedbreath.site.guard", "from flwr.app import Message"),
        ("fedbreath.cli", "import simulation.command"),
        ("fedbreath.report.page", "from strategies import fedavg"),
        ("fedbreath.recording", "from fedbreath.audio import FrontEnd"),
        ("fedbreath.audio", "from fedbreath import views"),
        ("fedbreath.views", "from fedbreath.config import Views"),
        ("fedbreath.config", "import fedbreath.features"),
        ("fedbreath.encoders.cnn", "from fedbreath.objectives import Objective"),
        ("fedbreath.datasets.esc10", "from fedbreath import features"),
        ("fedbreath.datasets.esc10", "from .. import features"),
        ("fedbreath.datasets", "from .. import features"),
        ("fedbreath.datasets.esc10", "from ..features import Store"),
        ("fedbreath.datasets.esc10", "def f():\n    from fedbreath import features"),
        (
            "fedbreath.privacy.none",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import fedbreath.encoders",
        ),
        ("fedbreath.privacy.none", "from fedbreath.site import ledger"),
        ("fedbreath.pretraining", "from fedbreath.downstream import probe"),
        ("fedbreath.privacy.sampled", "from fedbreath.audit import site"),
        ("fedbreath.report.page", "from fedbreath import cli"),
        ("strategies.fedavg", "from server import rounds"),
        ("client.local", "try:\n    import server.rounds\nexcept ImportError:\n    pass"),
        ("client.app", "from strategies.replies import read"),
        ("server.rounds", "from client.app import app"),
        ("server.rounds", "from simulation import PACKAGES"),
        ("simulation.run", "import benchmarks.engine"),
        ("simulation.run", "from tests.flower import reply"),
        ("fedbreath.helpers", ""),
        ("server.rounds", "import fedbreath.helpers"),
    ],
)
def test_a_planted_import_is_found(module: str, source: str) -> None:
    (found,) = violations({**BARE, module: source})
    assert module in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("fedbreath.config", "from fedbreath.views import Views\nfrom fedbreath import audio"),
        ("fedbreath.encoders.cnn", "from fedbreath.encoders import Encoder"),
        ("fedbreath.encoders.cnn", "from . import Encoder"),
        ("fedbreath.report.page", "import fedbreath\nfrom fedbreath import __version__"),
        ("simulation.arms", "from server import checkpoints\nfrom client.app import app"),
        ("strategies.fedavg", "import flwr, numpy"),
    ],
)
def test_what_is_allowed_is_not_found(module: str, source: str) -> None:
    assert violations({**BARE, module: source}) == []
