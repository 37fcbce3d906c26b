"""Every YAML under configs/: it composes, it builds, and it names every knob there is."""

import dataclasses
import importlib
import pkgutil
import typing
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedbreath import encoders, objectives
from fedbreath.config import Component, Config, choices, config_dir, load
from fedbreath.privacy import Plan
from simulation import PACKAGES

FOLDERS = sorted(path.name for path in config_dir().iterdir() if path.is_dir())
FILES = [(group, name) for group in FOLDERS for name in choices(group)]
COMPONENTS = [(group, name) for group, name in FILES if group in PACKAGES]


def raw(group: str, name: str) -> dict[str, Any]:
    """The file as it stands."""
    tree = yaml.safe_load((config_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(tree, dict)
    return tree


def words(group: str, name: str) -> list[str]:
    """What chooses this file; a data set is told a root, which need not be there."""
    chosen = [f"{group}={name}"]
    data = name if group == "data" else _data_of(raw(group, name))
    if data and raw("data", data).get("root") == "???":
        chosen.append("data.root=nowhere")
    if group == "privacy" and name != "none":
        chosen += ["privacy.population=1000", "strategy.weighting=uniform"]
    return chosen


def _data_of(tree: dict[str, Any]) -> str:
    """The data set that an experiment chooses, "" where it chooses none."""
    chosen = [one for one in tree.get("defaults", []) if isinstance(one, dict)]
    return next((one["override /data"] for one in chosen if "override /data" in one), "")


def build(config: Config) -> None:
    """Build every component of a run."""
    encoder = encoders.build(config.encoder, config.front_end.mels, config.seed)
    given = objectives.Given(encoder, config.front_end, config.views)
    objectives.build(config.objective, given, config.seed)
    assert config.data.build()
    assert config.privacy.build(Plan(config.rounds, config.training.steps))
    for task in config.tasks.values():
        assert task.build()
    for component in (config.partition, config.engine):
        assert component is not None
        assert component.build()
    assert config.strategy is not None
    assert config.strategy.build(config.seed)


def test_every_group_has_a_folder_and_every_folder_a_group() -> None:
    assert set(FOLDERS) == {*PACKAGES, "experiment"}
    assert [p.name for p in config_dir().iterdir() if p.is_file()] == ["config.yaml"]
    strange = [p for p in config_dir().rglob("*") if p.is_file() and p.suffix != ".yaml"]
    assert strange == []


@pytest.mark.parametrize(("group", "name"), FILES)
def test_composes_and_builds(group: str, name: str) -> None:
    build(load(words(group, name), PACKAGES))


@pytest.mark.parametrize(("group", "name"), FILES)
def test_says_what_it_is(group: str, name: str) -> None:
    text = (config_dir() / group / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert text.endswith("\n")


@pytest.mark.parametrize(("group", "name"), COMPONENTS)
def test_names_every_field_and_nothing_else(group: str, name: str) -> None:
    tree = raw(group, name)
    target = tree.pop("_target_", None)
    if target is None:
        assert set(tree) == {"defaults"}, "a file without a target only gathers others"
        return
    tree.pop("defaults", None)
    module = importlib.import_module(target.rpartition(".")[0])
    assert module.__name__.startswith(f"{PACKAGES[group]}.")
    assert list(tree) == [field.name for field in dataclasses.fields(module.Config)]


def component_modules(package: str) -> set[str]:
    """Modules of a group's package that a YAML could name."""
    parent = importlib.import_module(package)
    found = set()
    for info in pkgutil.iter_modules(parent.__path__, f"{package}."):
        module = importlib.import_module(info.name)
        if dataclasses.is_dataclass(getattr(module, "Config", None)) and (
            module.Config.__module__ == info.name
        ):
            found.add(info.name)
    return found


@pytest.mark.parametrize("group", sorted(PACKAGES))
def test_every_component_has_a_file(group: str) -> None:
    targets = {raw(group, name).get("_target_", "").rpartition(".")[0] for name in choices(group)}
    modules = component_modules(PACKAGES[group])
    assert modules
    assert modules <= targets
    if group not in ("tasks", "data"):  # where one component makes several choices
        assert {module.rpartition(".")[2] for module in modules} <= set(choices(group))


def test_every_task_has_a_data_set() -> None:
    tasks = [raw("tasks", name) for name in choices("tasks")]
    assert {task["dataset"] for task in tasks if "dataset" in task} <= set(choices("data"))


def test_all_tasks_are_all_tasks() -> None:
    assert sorted(raw("tasks", "all")["defaults"]) == [n for n in choices("tasks") if n != "all"]
    tasks = load((), PACKAGES).tasks
    assert sorted(tasks) == [n for n in choices("tasks") if n != "all"]
    titles = [task.config.title for task in tasks.values()]
    assert len(set(titles)) == len(titles)


def test_the_run_names_every_plain_field() -> None:
    tree = yaml.safe_load((config_dir() / "config.yaml").read_text(encoding="utf-8"))
    tree.pop("defaults")
    hints = typing.get_type_hints(Config)
    hints.pop("tree")
    plain = {
        name: hint
        for name, hint in hints.items()
        if Component not in (hint, *typing.get_args(hint))
    }
    assert list(tree) == list(plain)
    for name, hint in plain.items():
        if dataclasses.is_dataclass(hint):
            assert list(tree[name]) == [field.name for field in dataclasses.fields(hint)], name


def same_defaults(schema: Any, tree: dict[str, Any]) -> None:
    for field in dataclasses.fields(schema):
        if field.default is not dataclasses.MISSING:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert tree[field.name] == default, f"{schema.__module__}, {field.name}"


@pytest.mark.parametrize(("group", "name"), COMPONENTS)
def test_defaults_in_code_are_those_of_the_file(group: str, name: str) -> None:
    """A component that is built by hand is the one that the YAML of its name describes."""
    module, _, _ = raw(group, name).get("_target_", "").rpartition(".")
    if module.endswith(f".{name}"):
        same_defaults(importlib.import_module(module).Config, raw(group, name))


def test_defaults_of_plain_sections_are_those_of_the_file() -> None:
    tree = yaml.safe_load((config_dir() / "config.yaml").read_text(encoding="utf-8"))
    for name, hint in typing.get_type_hints(Config).items():
        if dataclasses.is_dataclass(hint) and hint is not Component:
            same_defaults(hint, tree[name])


def test_every_file_is_utf8_without_tabs() -> None:
    for path in config_dir().rglob("*.yaml"):
        assert "\t" not in path.read_text(encoding="utf-8"), path.name


def test_config_dir_is_this_checkout() -> None:
    assert config_dir() == Path(__file__).resolve().parent.parent / "configs"
