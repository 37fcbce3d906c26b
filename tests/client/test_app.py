import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

import client.app
from client.app import FAILED, REFUSED, build, learner
from client.local import LocalSite
from fedbreath import building
from fedbreath.config import Config, load
from fedbreath.datasets.simulated import Config as SimulatedConfig
from fedbreath.datasets.simulated import Simulated
from fedbreath.errors import SiteError
from fedbreath.features import Store
from fedbreath.pretraining import Learner, Update
from fedbreath.site.state import SiteState
from tests.flower import instruction, numbers

WORDS = (
    "encoder.widths=[8] objective=cola objective.projection=8 training.steps=2 "
    "training.batch_size=4 data.cohorts=1 data.persons=2 data.sessions=1"
)
SECRET = "ward 7 has no file /srv/patients/mueller.wav"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    (site,) = Simulated(SimulatedConfig(cohorts=1, persons=2, sessions=1)).sites()
    return building.prepare(site, load(WORDS).front_end, tmp_path_factory.mktemp("stores"))


@pytest.fixture
def opened(store: Store, tmp_path: Path) -> Callable[[Context, Config], LocalSite]:
    def open_site(context: Context, config: Config) -> LocalSite:
        return LocalSite("clinic", store.select(), SiteState(tmp_path / "state"))

    return open_site


def context(words: str = WORDS) -> Context:
    return Context(1, 5, {}, RecordDict(), {"overrides": words})


def first_weights() -> dict[str, torch.Tensor]:
    config = load(WORDS)
    return Learner(config).shared_state()


def sent(number: int = 1) -> Message:
    content = RecordDict({"config": ConfigRecord({"server-round": number})})
    content["arrays"] = ArrayRecord(first_weights())
    return instruction(5, content)


def refusing(error: Exception, **options: bool) -> ClientApp:
    def open_site(context: Context, config: Config) -> LocalSite:
        raise error

    return build(open_site, **options)


def test_answers_with_an_update(opened: Any) -> None:
    asked = sent()
    answer = build(opened)(asked, context())
    assert answer.metadata.dst_node_id == asked.metadata.src_node_id
    assert answer.metadata.src_node_id == 5
    assert dict(answer.content.config_records["site"]) == {"name": "clinic", "round": 1}
    metrics = answer.content.metric_records["metrics"]
    assert (metrics["num-examples"], metrics["steps"]) == (4, 2)
    assert set(metrics) == {"num-examples", "steps", "seconds", "loss", "norm"}
    before, after = first_weights(), numbers(answer.content.array_records["arrays"])
    assert after.keys() == before.keys()
    assert not all(np.array_equal(after[n], before[n].numpy()) for n in after)
    assert all(name.startswith("encoder.") for name in after)


def test_nothing_else_leaves(opened: Any) -> None:
    answer = build(opened)(sent(), context())
    content = answer.content
    assert set(content) == {"arrays", "metrics", "site"}
    assert "cohort" not in repr(dict(content.config_records))


def test_the_same_round_gives_the_same_update(opened: Any) -> None:
    app = build(opened)
    answers = [app(sent(number), context()) for number in (1, 2, 2, 1)]
    bits = [
        [a.tobytes() for a in numbers(m.content.array_records["arrays"]).values()] for m in answers
    ]
    # Round 2 is repeated as after a killed server: it starts from what round 1 left.
    assert bits[1] == bits[2]
    assert bits[0] == bits[3]
    assert bits[0] != bits[1]


def test_a_refusal_leaves_as_a_code(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        answer = refusing(SiteError(SECRET))(sent(), context())
    assert not answer.has_content()
    assert (answer.error.code, answer.error.reason) == (REFUSED, "SiteError")
    assert SECRET not in repr(answer)
    assert SECRET in caplog.text


def test_a_defect_leaves_as_a_code_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        answer = refusing(OSError(SECRET), tell_defects=False)(sent(), context())
    assert (answer.error.code, answer.error.reason) == (FAILED, "OSError")
    assert SECRET not in repr(answer)
    assert "Traceback" in caplog.text
    assert SECRET in caplog.text


def test_a_defect_keeps_its_traceback_in_a_simulation() -> None:
    with pytest.raises(OSError, match="ward 7"):
        refusing(OSError(SECRET))(sent(), context())


def test_the_app_of_a_node_tells_nothing() -> None:
    answer = client.app.app(instruction(5, RecordDict({"config": ConfigRecord({})})), context())
    assert (answer.error.code, answer.error.reason) == (FAILED, "KeyError")


@pytest.mark.parametrize("words", ["encoder.widht=3", "training.steps=many", "data=nothing"])
def test_a_wrong_configuration_is_refused(opened: Any, words: str) -> None:
    answer = build(opened)(sent(), context(words))
    assert (answer.error.code, answer.error.reason) == (REFUSED, "ConfigError")


def test_too_few_recordings_are_refused(store: Store, tmp_path: Path) -> None:
    first = store.entries[0].recording.id

    def open_site(context: Context, config: Config) -> LocalSite:
        return LocalSite("x", store.select(lambda e: e.recording.id == first), SiteState(tmp_path))

    answer = build(open_site)(sent(), context())
    assert (answer.error.code, answer.error.reason) == (REFUSED, "SiteError")


@pytest.mark.parametrize("kind", ["nan", "shape", "type", "more", "fewer"])
def test_the_guard_stands_before_the_door(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    state = first_weights()
    name = next(n for n, t in state.items() if t.is_floating_point())
    if kind == "nan":
        state[name] = state[name] * float("nan")
    elif kind == "shape":
        state[name] = state[name][None]
    elif kind == "type":
        state[name] = state[name].double()
    elif kind == "more":
        state["head.secret"] = torch.zeros(1)
    else:
        del state[name]
    monkeypatch.setattr(
        Learner,
        "fit",
        lambda *_, **__: Update(
            state, {"head.x": torch.zeros(1)}, recordings=4, steps=2, loss=1, norm=1
        ),
    )
    answer = build(opened)(sent(), context())
    assert (answer.error.code, answer.error.reason) == (REFUSED, "SiteError")
    assert not (tmp_path / "state").exists(), "a refused round keeps nothing"


def test_one_network_a_process() -> None:
    one = learner(load(WORDS))
    assert learner(load(f"{WORDS} out=elsewhere")) is one
    other = learner(load(f"{WORDS} seed=5"))
    assert other is not one
    assert len(client.app._learners) == 1
