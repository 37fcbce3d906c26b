"""The local fit: repeatable, continued exactly where a site left off, and it learns."""

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fedbreath.composition import choices
from fedbreath.config import Component, Config, load
from fedbreath.encoders import Encoder
from fedbreath.errors import ConfigError, SiteError, UserError
from fedbreath.features import Selection
from fedbreath.objectives import Given
from fedbreath.objectives.cola import Cola
from fedbreath.objectives.cola import Config as ColaConfig
from fedbreath.optimizer import AdamW
from fedbreath.pretraining import (
    Learner,
    State,
    Update,
    device_of,
    distance,
    require_enough,
    rng_of,
)
from fedbreath.sections import Training
from fedbreath.site import guard
from tests.stores import MELS, noise, person, store

TINY = (
    f"front_end.mels={MELS} views.seconds=0.5 encoder.widths=[8,16] "
    "objective=cola objective.projection=8 training.batch_size=8 training.steps=4"
)


@dataclasses.dataclass(frozen=True)
class Seeded:
    """An encoder's configuration that names no file to start from."""

    init: None = None


class BatchNorm(Encoder):
    """A network with running statistics and a counter."""

    def __init__(self, config: Seeded, mels: int) -> None:
        super().__init__()
        self.dim = 4
        self.layer, self.norm = nn.Linear(mels, 4), nn.BatchNorm1d(4)

    def forward(self, log_mel: Tensor) -> Tensor:
        found: Tensor = self.norm(self.layer(log_mel.mean(dim=2)))
        return found


def settled(overrides: str = "") -> Config:
    return load(f"{TINY} {overrides}")


def small_with(objective: str, overrides: str = "") -> Config:
    """Another objective, with the sizes that its own YAML gives."""
    words = TINY.replace("objective=cola objective.projection=8 ", "")
    return load(f"{words} objective={objective} {overrides}")


def selection(count: int = 20) -> Selection:
    return store([person(n) for n in range(count)], noise(count)).select()


def first_round(config: Config, rng: np.random.Generator | None = None) -> Update:
    learner = Learner(config)
    return learner.fit(
        learner.shared_state(), {}, selection(), rng or rng_of(config.seed, "site", 1), 1
    )


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


# -- repeatable --------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_update_bit_for_bit() -> None:
    first, second = first_round(settled()), first_round(settled())
    assert same(first.state, second.state)
    assert same(first.kept, second.kept)
    assert (first.loss, first.norm) == (second.loss, second.norm)


def test_a_learner_that_has_served_another_site_gives_the_same_update() -> None:
    config = settled()
    learner = Learner(config)
    start = learner.shared_state()
    learner.fit(start, {}, selection(9), rng_of(0, "other", 1), 1)
    again = learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1)
    assert same(again.state, first_round(config).state)
    assert same(again.kept, first_round(config).kept)


@pytest.mark.parametrize("name", choices("objective"))
def test_every_objective_is_repeatable_and_remembers_no_other_site(name: str) -> None:
    """Nor does it keep more than its head and the moments: no target network, no bank."""
    config = small_with(name)
    learner = Learner(config)
    start = learner.shared_state()
    learner.fit(start, {}, selection(9), rng_of(0, "other", 1), 1)
    again = learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1)
    first = first_round(config)
    assert same(again.state, first.state)
    assert same(again.kept, first.kept)
    assert again.loss == first.loss
    assert set(start) == {f"encoder.{key}" for key in learner.encoder.state_dict()}
    heads = {key for key in first.kept if key.startswith("head.")}
    assert heads == {f"head.{key}" for key, _ in learner.objective.named_parameters()}
    moments = len(first.kept) - len(heads)
    assert moments == 3 * len(list(learner.model.parameters()))


@pytest.mark.parametrize("name", choices("objective"))
def test_an_averaged_head_is_what_every_objective_sends(name: str) -> None:
    learner = Learner(small_with(name, "training.head=averaged"))
    start = learner.shared_state()
    names = {f"head.{key}" for key, _ in learner.objective.named_parameters()}
    assert {key for key in start if key.startswith("head.")} == names
    update = learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1)
    guard.check(update.state, start)
    assert any(not torch.equal(update.state[key], start[key]) for key in names)


def test_an_objective_is_told_of_the_rounds_weights_and_of_every_step() -> None:
    class Watched(Cola):
        def __init__(self, config: ColaConfig, given: Given) -> None:
            super().__init__(config, given)
            self.told: list[State] = []

        def begin(self, encoder: Encoder) -> None:
            self.told = [{k: t.clone() for k, t in encoder.state_dict().items()}]

        def after_step(self, encoder: Encoder) -> None:
            self.told.append({k: t.clone() for k, t in encoder.state_dict().items()})

    watched = Component(Watched, ColaConfig(8))
    learner = Learner(dataclasses.replace(settled(), objective=watched))
    start = learner.shared_state()
    for number in (1, 2):
        update = learner.fit(start, {}, selection(), rng_of(0, "site", number), number)
        assert isinstance(learner.objective, Watched)
        told = learner.objective.told
        assert len(told) == 1 + 4
        assert same(told[0], {k.removeprefix("encoder."): t for k, t in start.items()})
        assert same(told[4], {k.removeprefix("encoder."): t for k, t in update.state.items()})


@pytest.mark.parametrize("parts", [("site", 2), ("other", 1)])
def test_another_round_or_site_draws_other_views(parts: tuple[str, int]) -> None:
    config = settled()
    other = first_round(config, rng_of(0, *parts))
    assert not same(other.state, first_round(config).state)


def test_another_seed_starts_from_other_weights() -> None:
    assert not same(Learner(settled("seed=1")).shared_state(), Learner(settled()).shared_state())


def test_a_generators_name_has_no_second_reading() -> None:
    names: list[tuple[str | int, ...]] = [("a", 1), ("a1",), ("a", 11), ("1", 1)]
    draws = {rng_of(0, *name).integers(2**62) for name in names}
    draws.add(rng_of(1, "a", 1).integers(2**62))
    assert len(draws) == 5


# -- what a site keeps -------------------------------------------------------------------


def test_two_rounds_with_a_kept_state_are_one_round_of_twice_the_steps() -> None:
    """Alone, with one generator: the head, the moments, their step count and the schedule."""
    config, rng = settled("rounds=2"), rng_of(0, "site", 1)
    learner = Learner(config)
    first = learner.fit(learner.shared_state(), {}, selection(), rng, 1)
    second = Learner(config).fit(first.state, first.kept, selection(), rng, 2)
    whole = first_round(settled("rounds=1 training.steps=8"))
    assert same(second.state, whole.state)
    assert same(second.kept, whole.kept)
    assert first.loss is not None
    assert second.loss is not None
    assert whole.loss is not None
    assert (first.loss + second.loss) / 2 == pytest.approx(whole.loss, rel=1e-6)


def test_a_fresh_optimizer_forgets_its_moments_and_keeps_the_head() -> None:
    config = settled("rounds=2 training.optimizer_state=fresh")
    rng = rng_of(0, "site", 1)
    learner = Learner(config)
    first = learner.fit(learner.shared_state(), {}, selection(), rng, 1)
    second = learner.fit(first.state, first.kept, selection(), rng, 2)
    assert first.kept
    assert all(name.startswith("head.") for name in first.kept)
    assert not same(second.state, first_round(settled("rounds=1 training.steps=8")).state)


def test_moments_that_were_kept_by_another_setting_are_not_used() -> None:
    kept = first_round(settled()).kept
    learner = Learner(settled("training.optimizer_state=fresh"))
    start = learner.shared_state()
    head = {name: tensor for name, tensor in kept.items() if name.startswith("head.")}
    with_moments = learner.fit(start, kept, selection(), rng_of(0, "site", 2), 2)
    without = learner.fit(start, head, selection(), rng_of(0, "site", 2), 2)
    assert same(with_moments.state, without.state)


def test_what_is_kept_is_not_changed_by_the_next_round() -> None:
    learner = Learner(settled())
    first = learner.fit(learner.shared_state(), {}, selection(), rng_of(0, "site", 1), 1)
    before = {name: tensor.clone() for name, tensor in (first.kept | first.state).items()}
    learner.fit(first.state, first.kept, selection(), rng_of(0, "site", 2), 2)
    assert same(first.kept | first.state, before)


# -- the schedule ------------------------------------------------------------------------


def test_the_step_size_warms_up_and_falls_by_hand() -> None:
    training = Training(learning_rate=0.01, warmup=0.1)
    assert training.rate(0) == 0
    assert training.rate(0.05) == pytest.approx(0.01 * 0.5 * (1 + np.cos(np.pi * 0.05)) / 2)
    assert training.rate(0.1) == pytest.approx(0.01 * (1 + np.cos(np.pi * 0.1)) / 2)
    assert training.rate(0.5) == pytest.approx(0.005)
    assert training.rate(0.75) == pytest.approx(0.01 * (1 - 0.5**0.5) / 2)
    assert training.rate(1) == 0
    falling = [training.rate(done) for done in np.linspace(0.1, 1, 50)]
    assert all(a > b for a, b in itertools.pairwise(falling))


def test_a_constant_step_size_stays_after_its_warm_up() -> None:
    training = Training(learning_rate=0.01, schedule="constant", warmup=0.2)
    assert [training.rate(done) for done in (0.2, 0.5, 1.0)] == [0.01] * 3
    assert training.rate(0.05) == pytest.approx(0.0025)
    steady = Training(learning_rate=0.01, schedule="constant", warmup=0)
    assert steady.rate(0) == steady.rate(1) == 0.01


@pytest.mark.parametrize("done", [-0.01, 1.01])
def test_there_is_no_step_size_beyond_the_run(done: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got"):
        Training().rate(done)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("training.warmup=1", r"training\.warmup must lie in \[0, 1\), got 1"),
        ("training.warmup=-0.1", r"training\.warmup must lie in \[0, 1\), got -0\.1"),
        ("training.schedule=linear", "training.schedule must be one of cosine, constant, got"),
    ],
)
def test_a_schedule_out_of_range_is_named(override: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(override)


def rates(monkeypatch: pytest.MonkeyPatch, overrides: str) -> list[float]:
    """The step size of every step of a whole run."""
    used: list[float] = []
    monkeypatch.setattr(AdamW, "step", lambda optimizer: used.append(optimizer.learning_rate))
    config = settled(overrides)
    learner = Learner(config)
    for number in range(1, config.rounds + 1):
        learner.fit(learner.shared_state(), {}, selection(), rng_of(0, "site", number), number)
    return used


def test_rounds_and_steps_can_be_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight steps in 1, 2, 4 or 8 rounds: the same step size at the same share of the run."""
    runs = [
        rates(monkeypatch, f"rounds={rounds} training.steps={8 // rounds} training.warmup=0.3")
        for rounds in (1, 2, 4, 8)
    ]
    training = settled("training.warmup=0.3").training
    assert runs[0] == pytest.approx([training.rate((step + 0.5) / 8) for step in range(8)])
    assert all(run == pytest.approx(runs[0], rel=1e-12) for run in runs)


# -- what travels ------------------------------------------------------------------------


def test_a_local_head_stays_and_an_averaged_one_travels() -> None:
    local, averaged = first_round(settled()), first_round(settled("training.head=averaged"))
    assert all(name.startswith("encoder.") for name in local.state)
    assert any(name.startswith("head.") for name in local.kept)
    assert any(name.startswith("head.") for name in averaged.state)
    assert all(name.startswith("optimizer.") for name in averaged.kept)
    assert all(torch.equal(averaged.state[name], local.state[name]) for name in local.state)


def test_an_update_fits_what_was_sent() -> None:
    learner = Learner(settled())
    start = learner.shared_state()
    update = learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1)
    guard.check(update.state, start)
    assert (update.recordings, update.steps) == (20, 4)
    squares = [(update.state[name] - start[name]).double().square().sum() for name in start]
    assert update.norm == pytest.approx(float(sum(squares)) ** 0.5, rel=1e-6)
    assert update.norm > 0


def test_batch_norm_statistics_travel() -> None:
    config = dataclasses.replace(settled(), encoder=Component(BatchNorm, Seeded()))
    learner = Learner(config)
    start = learner.shared_state()
    update = learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1)
    assert start["encoder.norm.num_batches_tracked"] == 0
    assert update.state["encoder.norm.num_batches_tracked"] == 8  # two views, four steps
    assert not torch.equal(update.state["encoder.norm.running_mean"], torch.zeros(4))
    again = learner.fit(update.state, update.kept, selection(), rng_of(0, "site", 2), 2)
    assert again.state["encoder.norm.num_batches_tracked"] == 16
    integers = {"encoder.norm.num_batches_tracked"}
    floats = {name: t for name, t in update.state.items() if name not in integers}
    assert update.norm == pytest.approx(distance(floats, start))


def test_weights_that_do_not_fit_are_refused() -> None:
    learner = Learner(settled())
    start = learner.shared_state()
    start.pop(next(iter(start)))
    with pytest.raises(RuntimeError, match="Missing key"):
        learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1)


# -- learning ----------------------------------------------------------------------------


def test_one_recording_is_enough_where_nothing_is_compared() -> None:
    learner = Learner(small_with("masked"))
    update = learner.fit(learner.shared_state(), {}, selection(1), rng_of(0, "site", 1), 1)
    assert update.loss is not None
    assert np.isfinite(update.loss)
    with pytest.raises(SiteError, match=r"0 recording\(s\) .* Masked compares at least 1"):
        learner.fit(learner.shared_state(), {}, selection(0), rng_of(0, "site", 1), 1)
    with pytest.raises(SiteError, match=r"1 recording\(s\) .* Combined compares at least 2"):
        require_enough(selection(1), small_with("combined").objective)


@pytest.mark.parametrize("count", [0, 1])
def test_a_site_with_nothing_to_compare_is_refused(count: int) -> None:
    learner = Learner(settled())
    with pytest.raises(SiteError, match=rf"{count} recording\(s\) .* Cola compares at least 2"):
        learner.fit(learner.shared_state(), {}, selection(count), rng_of(0, "site", 1), 1)


def test_the_loss_falls_on_recordings_that_are_easily_told_apart() -> None:
    """Thirty steps over twenty spectra; chance among eight is ln 8 = 2.08."""
    easy = "views.gain_db=0 views.noise=0 views.time_mask=0 views.mel_mask=0"
    larger = "training.steps=10 encoder.widths=[32,32] objective.projection=64"
    steady = "training.learning_rate=0.003 training.schedule=constant training.warmup=0"
    learner = Learner(settled(f"{easy} {larger} {steady}"))
    state, kept = learner.shared_state(), dict[str, Tensor]()
    losses = []
    for number in range(3):
        update = learner.fit(state, kept, selection(), rng_of(0, "site", number), number + 1)
        state, kept = update.state, update.kept
        losses.append(update.loss or 0.0)
    assert losses[0] > 1
    assert losses[2] < 0.8


def test_weight_decay_alone_shrinks_every_weight() -> None:
    """One step of AdamW's decoupled decay: lr is too small for the gradient to show."""
    overrides = "training.learning_rate=1e-9 training.weight_decay=1e8 training.steps=1"
    learner = Learner(settled(f"{overrides} training.schedule=constant training.warmup=0"))
    start = learner.shared_state()
    found = learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1).state
    for name in start:
        torch.testing.assert_close(found[name], 0.9 * start[name], rtol=1e-5, atol=1e-7)


def test_views_are_normalised_and_a_gain_is_in_decibels() -> None:
    overrides = "views.noise=0 views.time_mask=0 views.mel_mask=0 front_end.mean=1 front_end.sd=2"
    learner = Learner(settled(f"{overrides} views.gain_db=3"))
    flat = store([person(n) for n in range(200)], [np.full((40, MELS), 5, np.float16)] * 200)
    first, second = learner.views(flat.select(), np.arange(200), np.random.default_rng(0))
    assert first.shape == second.shape == (200, MELS, 31)
    assert not torch.equal(first, second)
    gains = (first.numpy() - (5 - 1) / 2) * 2 * 10 / np.log(10)
    assert 2.8 < np.abs(gains).max() <= 3.0 + 1e-4


def test_the_distance_of_two_states_by_hand() -> None:
    one = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([[4.0]]), "n": torch.tensor(7)}
    other = {"a": torch.zeros(2), "b": torch.zeros(1, 1), "n": torch.tensor(0)}
    assert distance(one, other) == 5
    assert distance(one, one) == 0
    assert distance({}, {}) == 0


def test_the_device_is_the_one_that_is_there() -> None:
    assert device_of("cpu") == torch.device("cpu")
    assert device_of().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_client_reads_no_file_that_a_run_names() -> None:
    """Whoever makes the first weights reads ``init``; who is sent weights does not."""
    config = settled("encoder.init='fedbreath:nobody.safetensors'")
    Learner(config)
    with pytest.raises(UserError, match=r"nobody\.safetensors"):
        Learner(config, warm=True)
