import json
from pathlib import Path
from typing import Any

import pytest
from flwr.app import ConfigRecord, Context, RecordDict

from client.app import app
from client.local import held_out, open_site, parts
from fedbreath import building, split
from fedbreath.composition import written
from fedbreath.config import Config, component, load
from fedbreath.errors import ConfigError, DataError, SiteError
from tests import coswara_folder
from tests.flower import instruction

RUN = "encoder.widths=[8] objective=cola objective.projection=8 data.root=elsewhere data=coswara"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coswara_folder.write(tmp_path_factory.mktemp("hospital's data"))


def settings(folder: Path, **changed: Any) -> Path:
    """A site's settings; JSON is YAML."""
    path = folder / "site.yaml"
    node = {"name": "clinic", "dataset": "coswara", "state": str(folder / "state"), **changed}
    path.write_text(json.dumps({k: v for k, v in node.items() if v is not None}))
    return path


def context(path: Path | None, run: str = RUN) -> Context:
    node: dict[str, Any] = {} if path is None else {"site": str(path)}
    return Context(42, 5, node, RecordDict(), {"overrides": run})


def config(run: str = RUN) -> Config:
    return load(run)


def test_opens_the_site_of_its_settings(root: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, options={"root": str(root)})
    site = open_site(context(path), config())
    assert site.name == "clinic"
    assert site.state.folder == tmp_path / "state/run-42"
    assert {e.recording.dataset for e in site.selection.entries} == {"coswara"}
    assert list((tmp_path / "state/stores").iterdir()), "the feature store is the site's own"


def test_the_run_does_not_say_where_the_data_lie(root: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, options={"root": str(root)})
    run = f"{RUN} data.root={tmp_path / 'bait'}"
    assert len(open_site(context(path, run), config(run)).selection)


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_test_persons_are_never_trained_on(
    root: Path, tmp_path: Path, share: float, seed: int
) -> None:
    run = config(f"{RUN} split.test={share} split.seed={seed}")
    path = settings(tmp_path, options={"root": str(root)})
    selection = open_site(context(path), run).selection
    trained = {subject for subject in selection.subjects if subject}
    (store, _), = selection.parts  # fmt: skip
    tested = held_out(store, run)
    assert len(tested) == round(6 * share)
    assert trained.isdisjoint(tested)
    assert trained | tested == {f"person-{n}" for n in range(6)}
    assert len(selection) == 4 * len(trained)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_neither_test_nor_validation_persons_are_trained_on(
    root: Path, tmp_path: Path, seed: int
) -> None:
    run = config(f"{RUN} split.test=0.34 split.validation=0.5 split.seed={seed}")
    path = settings(tmp_path, options={"root": str(root)})
    selection = open_site(context(path), run).selection
    trained = {subject for subject in selection.subjects if subject}
    (store, _), = selection.parts  # fmt: skip
    drawn = parts(store, run)
    assert drawn.hidden == held_out(store, config(f"{RUN} split.test=0.34 split.seed={seed}"))
    assert (len(drawn.hidden), len(drawn.scored), len(trained)) == (2, 2, 2)
    assert trained | drawn.hidden | drawn.scored == {f"person-{n}" for n in range(6)}
    assert held_out(store, run) == drawn.kept_out


def test_the_runs_seed_changes_no_test_person(root: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, options={"root": str(root)})
    first, second = (
        open_site(context(path), config(f"{RUN} seed={seed}")).selection.subjects for seed in (0, 9)
    )
    assert first == second


def test_where_no_task_tests_nobody_is_kept_out(root: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, options={"root": str(root)})
    run = config(f"{RUN} tasks=[simulated_disease]")
    assert len(set(open_site(context(path), run).selection.subjects)) == 6


def test_an_option_keeps_its_type(tmp_path: Path) -> None:
    options = {"cohorts": 1, "persons": 3, "sessions": 1}
    path = settings(tmp_path, dataset="simulated", options=options)
    run = config(f"{RUN} split.test=0.34")
    assert len(set(open_site(context(path), run).selection.subjects)) == 2


def test_one_site_a_node(tmp_path: Path) -> None:
    path = settings(tmp_path, dataset="simulated", options={"cohorts": 2, "persons": 1})
    with pytest.raises(SiteError, match="a node holds one site, but simulated has 2"):
        open_site(context(path), config())


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"options": {"root": "/nowhere/at/all"}}, DataError, "data.root=/nowhere/at/all"),
        ({"options": {"rot": "x"}}, ConfigError, "did you mean data.root"),
        ({"options": {}}, ConfigError, "data.root has no value"),
        ({"dataset": "coswera"}, ConfigError, "did you mean coswara"),
        ({"dataset": "../encoder/cnn"}, ConfigError, "no such choice"),
        ({"dataset": 3}, SiteError, "dataset must be text, got 3"),
        ({"name": ""}, SiteError, "name must be text"),
        ({"options": ["root"]}, SiteError, "options must be a mapping"),
        ({"state": None}, SiteError, "expected the keys"),
        ({"more": 1}, SiteError, "expected the keys"),
    ],
)
def test_settings_that_are_wrong(
    tmp_path: Path, changed: dict[str, Any], error: type[Exception], said: str
) -> None:
    path = settings(tmp_path, **{"options": {"root": "/nowhere"}, **changed})
    with pytest.raises(error, match=said):
        open_site(context(path), config())


def test_no_settings_no_site(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="this node has no site: start it with"):
        open_site(context(None), config())
    with pytest.raises(SiteError, match=r"nothing\.yaml: No such file"):
        open_site(context(tmp_path / "nothing.yaml"), config())
    (tmp_path / "broken.yaml").write_text("{name: [")
    with pytest.raises(SiteError, match="not readable as YAML"):
        open_site(context(tmp_path / "broken.yaml"), config())


def test_a_node_without_a_site_refuses_as_a_code() -> None:
    message = instruction(5, RecordDict({"config": ConfigRecord({"server-round": 1})}))
    answer = app(message, context(None))
    assert (answer.error.code, answer.error.reason) == (1000, "SiteError")


def test_under_privacy_each_person_is_kept_out_by_itself(root: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, options={"root": str(root)})
    words = f"{RUN.replace('objective=cola objective.projection=8', 'objective=masked')} "
    run = config(f"{words} privacy=patient privacy.population=1000")
    people = set(open_site(context(path, words), run).selection.subjects)
    store = building.prepare(
        component("data", "coswara", [f"root={written(str(root))}"]).build().sites()[0],
        run.front_end,
        tmp_path / "cache",
    )
    everyone = {entry.recording.subject for entry in store.entries}
    expected = split.parts_alone(map(str, everyone), run.split.test, 0, run.split.seed).scored
    assert people == everyone - expected


def test_a_node_plays_no_hostile_client(root: Path, tmp_path: Path) -> None:
    run = f"{RUN} adversary.share=0.2"
    path = settings(tmp_path, options={"root": str(root)})
    with pytest.raises(SiteError, match="hostile clients"):
        open_site(context(path, run), config(run))
