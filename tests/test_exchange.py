"""What travels: half precision, groups that stay at a site, weights that do not come back."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from torch import Tensor

from client.app import REFUSED, build
from client.local import LocalSite
from fedbreath.config import Config, load
from fedbreath.encoders.warm_start import PREFIX
from fedbreath.errors import ConfigError, SiteError, UserError
from fedbreath.exchange import Exchange
from fedbreath.features import Selection
from fedbreath.guidance import STAYS, Guidance
from fedbreath.pretraining import Learner, rng_of
from fedbreath.site.state import SiteState
from server.app import PACKAGES
from strategies.replies import size_of
from tests.flower import content, instruction, numbers
from tests.server.test_rounds import SMALL, adds, lines, refuses, run
from tests.stores import MELS, noise, person, store

TINY = (
    f"front_end.mels={MELS} views.seconds=0.5 encoder.widths=[8,16] objective=cola "
    "objective.projection=8 training.batch_size=8 training.steps=2"
)
HALF = Exchange(dtype="float16")


def selection() -> Selection:
    return store([person(n) for n in range(20)], noise(20)).select()


# -- half precision ----------------------------------------------------------------------


def test_half_precision_is_near_and_leaves_whole_numbers_alone() -> None:
    state = {
        "w": torch.randn(100, generator=torch.Generator().manual_seed(0)),
        "count": torch.tensor(70_001),
        "double": torch.tensor([1 / 3], dtype=torch.float64),
    }
    sent = HALF.narrow(state)
    assert [t.dtype for t in sent.values()] == [torch.float16, torch.int64, torch.float64]
    back = HALF.widen(sent)
    assert [t.dtype for t in back.values()] == [torch.float32, torch.int64, torch.float64]
    torch.testing.assert_close(back["w"], state["w"], rtol=2**-11, atol=0)
    assert torch.equal(back["count"], state["count"])
    assert torch.equal(back["double"], state["double"])
    assert torch.equal(HALF.narrow(back)["w"], sent["w"])  # rounding again changes nothing


@pytest.mark.parametrize("number", [65_519.0, -65_519.0])
def test_the_greatest_number_that_half_precision_carries(number: float) -> None:
    assert HALF.narrow({"w": torch.tensor([number])})["w"].isfinite().all()
    beyond = torch.tensor([1.0, math.copysign(65_520, number)])
    with pytest.raises(UserError, match=r"w holds -?65520, .* carries is 65504"):
        HALF.narrow({"w": beyond})


def test_what_is_not_finite_passes_to_where_it_is_refused() -> None:
    sent = HALF.narrow({"w": torch.tensor([torch.nan, torch.inf])})["w"]
    assert sent[0].isnan()
    assert sent[1].isinf()


def rounds_config(*words: str) -> Config:
    return load((*SMALL, *words), PACKAGES)


def test_a_run_in_half_precision(tmp_path: Path) -> None:
    """One round by hand: rounded down, +1 there, rounded up again; half the bytes."""
    chosen = rounds_config("rounds=1", "transport.dtype=float16")
    start = Learner(chosen).shared_state()
    seen: list[str] = []

    def node(message: Message) -> Message | None:
        seen.extend(a.dtype for a in message.content.array_records["arrays"].values())
        return adds(1)(message)

    state, _, _ = run(tmp_path / "half", {1: node}, chosen)
    assert set(seen) == {"float16"}
    for name, tensor in state.weights.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, (start[name].half() + 1).float())
    run(tmp_path / "single", {1: adds(1)}, rounds_config("rounds=1"))
    half, single = lines(tmp_path / "half")[0], lines(tmp_path / "single")[0]
    numbers_ = sum(t.numel() for t in start.values())
    for key in ("bytes_down", "bytes_up"):
        assert single[key] - half[key] == pytest.approx(2 * numbers_, abs=64 * len(start))


def test_a_reply_in_another_precision_is_refused(tmp_path: Path) -> None:
    def single(message: Message) -> Message:
        sent = message.content.array_records["arrays"].to_torch_state_dict()
        weights = ArrayRecord({n: t.float() for n, t in sent.items()})
        return Message(content(weights, {"num-examples": 1, "steps": 1}), reply_to=message)

    run(tmp_path, {1: adds(1), 2: single}, rounds_config("rounds=1", "transport.dtype=float16"))
    assert lines(tmp_path)[0]["failures"] == [
        {"name": "node 2", "code": "another shape or type than was sent"}
    ]


def test_an_infinite_reply_is_refused(tmp_path: Path) -> None:
    chosen = rounds_config("rounds=1", "transport.dtype=float16")
    run(tmp_path, {1: adds(1), 2: adds(float("inf"))}, chosen)
    assert "not finite" in lines(tmp_path)[0]["failures"][0]["code"]


# -- what stays --------------------------------------------------------------------------


def test_a_group_that_stays_is_trained_kept_and_not_sent() -> None:
    learner = Learner(load(f"{TINY} training.local=[norm]"))
    start = learner.shared_state()
    local = {f"{PREFIX}{n}" for n in learner.encoder.groups()["norm"]}
    assert learner.exchange.local == learner.exchange.stays == local
    first = learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1)
    assert set(first.state) == set(start) - local
    own = {n.removeprefix("local."): t for n, t in first.kept.items() if n.startswith("local.")}
    assert set(own) == local
    assert not all(torch.equal(t, start[n]) for n, t in own.items())
    # The site goes on with its own, whatever is sent in their place.
    sent = start | {n: torch.full_like(t, 9) for n, t in own.items()}
    again = [
        learner.fit(weights, first.kept, selection(), rng_of(0, "site", 2), 2)
        for weights in (start, sent)
    ]
    assert all(torch.equal(t, again[1].state[n]) for n, t in again[0].state.items())
    assert again[0].loss == again[1].loss


def test_batch_statistics_stay_with_their_norm() -> None:
    learner = Learner(load(f"{TINY} encoder.norm=batch training.local=[norm]"))
    kept = {n.rpartition(".")[2] for n in learner.exchange.local}
    assert kept == {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}


def test_the_global_encoder_keeps_the_starts_values_of_local_groups(tmp_path: Path) -> None:
    chosen = rounds_config("training.local=[norm]")
    learner = Learner(chosen)
    start, local = learner.shared_state(), learner.exchange.local

    def node(amount: float) -> Callable[[Message], Message | None]:
        def answer(message: Message) -> Message | None:
            stays = message.content.config_records["config"][STAYS]
            assert stays == sorted(local)
            reply = adds(amount)(message)
            assert reply is not None
            for name in local:
                del reply.content.array_records["arrays"][name]
            return reply

        return answer

    state, _, _ = run(tmp_path, {1: node(1), 2: node(3), 3: adds(7)}, chosen)
    assert set(state.weights) == set(start)
    for name, tensor in state.weights.items():
        torch.testing.assert_close(tensor, start[name] + (0 if name in local else 6))
    # Node 3 sent everything back, which is more than was asked for.
    assert {f["code"] for line in lines(tmp_path) for f in line["failures"]} == {
        "other tensors than were sent"
    }
    line = lines(tmp_path)[0]
    assert line["bytes_up"] / 2 < line["bytes_down"] / 3


@pytest.mark.parametrize("strategy", ["fedadam", "fedema", "scaffold", "ldawa"])
def test_strategies_never_see_what_stays(strategy: str, tmp_path: Path) -> None:
    chosen = rounds_config(
        "rounds=1", f"strategy={strategy}", "training.freeze=[stem,norm]", "encoder.widths=[8,8]"
    )
    learner = Learner(chosen)
    start, stays = learner.shared_state(), learner.exchange.stays

    def node(message: Message) -> Message:
        records = message.content.array_records
        assert set(records.get("control", {})).isdisjoint(stays)
        sent = records["arrays"].to_torch_state_dict()
        moved = ArrayRecord({n: t + 1 for n, t in sent.items() if n not in stays})
        answer = content(moved, {"num-examples": 1, "steps": 1})
        if "control" in records:
            answer["control"] = records["control"]
        return Message(answer, reply_to=message)

    state, _, _ = run(tmp_path, {1: node, 2: node}, chosen)
    assert stays
    for name, tensor in state.weights.items():
        assert torch.equal(tensor, start[name]) == (name in stays), name
    assert not [n for n in state.strategy if n.partition(".")[2] in stays]


def test_no_central_noise_falls_on_what_stands(tmp_path: Path) -> None:
    private = (
        "privacy=client_central", "privacy.population=1000", "privacy.cohort=200",
        "privacy.delta=1e-4", "privacy.simulated=3", "privacy.sigma=1",
        "strategy.weighting=uniform", "training.freeze=[stem]", "rounds=1",
    )  # fmt: skip
    learner = Learner(rounds_config(*private))
    start = learner.shared_state()
    state, _, _ = run(tmp_path, dict.fromkeys((1, 2, 3), refuses), rounds_config(*private))
    still = {n for n, t in state.weights.items() if torch.equal(t, start[n])}
    assert still == learner.exchange.stays != set()


# -- a client ----------------------------------------------------------------------------


def answer(words: str, stays: list[str] | None, folder: Path) -> tuple[Message, dict[str, Tensor]]:
    config = load(words)
    learner = Learner(config)
    weights = learner.exchange.narrow(learner.shared_state())
    settings = ConfigRecord({"server-round": 1})
    if stays is not None:
        settings[STAYS] = stays

    def open_site(context: Context, config: Config) -> LocalSite:
        return LocalSite("clinic", selection(), SiteState(folder))

    asked = RecordDict({"config": settings, "arrays": ArrayRecord(weights)})
    context = Context(1, 5, {}, RecordDict(), {"overrides": words})
    return build(open_site)(instruction(5, asked), context), weights


def test_a_client_answers_in_the_precision_and_with_the_arrays_asked_for(tmp_path: Path) -> None:
    words = f"{TINY} transport.dtype=float16 training.freeze=[stem] training.local=[norm]"
    stays = sorted(Learner(load(words)).exchange.stays)
    reply, weights = answer(words, stays, tmp_path)
    found = numbers(reply.content.array_records["arrays"])
    assert set(found) == set(weights) - set(stays)
    assert {str(a.dtype) for a in found.values()} == {"float16"}
    record = reply.content.array_records["arrays"]
    assert size_of(record) < size_of(ArrayRecord(weights))


@pytest.mark.parametrize("stays", [None, [], ["encoder.stem.0.weight"], ["encoder.other"]])
def test_a_round_that_leaves_another_part_is_refused(
    stays: list[str] | None, tmp_path: Path
) -> None:
    reply, _ = answer(f"{TINY} training.freeze=[stem,blocks]", stays, tmp_path)
    assert (reply.error.code, reply.error.reason) == (REFUSED, "SiteError")


def test_what_is_not_of_names_is_no_list_of_what_stays() -> None:
    wrong: list[Any] = ["encoder.w", 3, [3]]
    for value in wrong:
        with pytest.raises(SiteError, match="stays must be a list of names"):
            Guidance.read({STAYS: value})


# -- refused at composition --------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("training.local=[nrm]", "training.local names 'nrm', but .* stem, blocks, norm"),
        ("training.local=[norm] training.freeze=[norm]", "both name norm"),
        ("training.local=[norm,stem] training.freeze=[blocks]", "leave one to train together"),
        ("transport.dtype=bfloat16", "transport.dtype must be one of float32, float16"),
    ],
)
def test_refusals(words: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(words)
