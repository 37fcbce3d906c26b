"""T1: no registered combination breaks its claim. T2: the audit finds those that do."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest

from fedbreath.audit import Summed
from fedbreath.audit.families import CANARIES, FAMILIES
from fedbreath.audit.sensitivity import FEW, LEFT, NORMAL, Effort, Sensitivity, conclude, search
from fedbreath.audit.site import Setting, SiteSum, summed
from fedbreath.config import Component, Config, choices, component, load
from fedbreath.errors import ConfigError, PrivacyError
from fedbreath.privacy.client_central import ClientCentral
from fedbreath.privacy.clipping import Method
from tests.audit.unsound import Chunked, Halved, Hooked, Mixup, Queue, Stacked, audited

OBJECTIVES = choices("objective")
CHOSEN = {name: component("objective", name) for name in OBJECTIVES}
# Any that is added is here, and fails until the audit knows its sum.
MECHANISMS = [name for name in choices("privacy") if name not in ("none", "client_central")]

#: What mechanisms claim D_add = 2 C, and need no loss that decomposes.
COUPLED_TOO = ("buckets",)

#: In every test run: all families and canaries, some of which climb.
QUICK = Effort((Setting(0.01, 0.1, still=True), Setting()), (8,), keys=1, ascent=12)

#: For a way to the same gradients that is slower: every family, nothing climbs.
SLOWER = Effort((Setting(0.01, 0.1),), (8,), keys=1, ascent=0, large=8)

#: In which n = 128, too.
LARGE = ("masked", "nt_xent")


def audit(config: Config, privacy: Component, effort: Effort) -> Sensitivity:
    def make(setting: Setting) -> Summed:
        return summed(config, privacy, setting)[0]

    return conclude(search(make, effort), make(Setting()).rule)


def settings(objective: str, privacy: str, grad: str) -> list[str]:
    words = [f"objective={objective}", f"privacy={privacy}", f"privacy.grad={grad}"]
    words += ["privacy.population=100", "privacy.sigma=4.0"]
    words += ["privacy.recordings=2"] if privacy in ("patient", "buckets") else []
    return words + (["privacy.buckets=3"] if privacy == "buckets" else [])


def best(objective: str) -> str:
    """The quickest way to gradients that serves it."""
    chosen = CHOSEN[objective]
    kind: Any = chosen.target
    return "ghost" if kind.separate(chosen.config) else "vmap"


@functools.cache
def composed(objective: str, privacy: str) -> Config | None:
    """The configuration; None where it is refused, for the reason that there is."""
    chosen = CHOSEN[objective]
    kind: Any = chosen.target
    words = settings(objective, privacy, best(objective))
    if kind.coupling(chosen.config) and privacy not in COUPLED_TOO:
        with pytest.raises(ConfigError, match="cannot go with"):
            load(words)
        return None
    return load(words)


def t1(objective: str, privacy: str, grad: str, effort: Effort) -> None:
    config = composed(objective, privacy)
    if config is None:
        return
    asked = Component(config.privacy.target, replace(config.privacy.config, grad=grad))
    if grad != "vmap" and best(objective) == "vmap" and privacy not in COUPLED_TOO:
        # Rows of a public bank beside the batch's own: one way alone can take them apart.
        with pytest.raises(ConfigError, match="vmap"):
            audit(config, asked, effort)
        return
    found = audit(config, asked, effort)
    assert found.holds, found.worst
    assert found.ratio <= 1 + 1e-6
    # A search in which nothing ever comes near the bound has tried nothing.
    least = 0.1 if effort.ascent else 0.0
    assert found.ratio > (least if found.rule == "2 C" else 0.999)
    left = {LEFT} if effort.sizes[0] < effort.large else set()
    assert set(found.families) == {*FAMILIES, *left}
    assert all(found.families[name].ratio <= 1e-6 for name in left)


@pytest.mark.parametrize("grad", get_args(Method))
@pytest.mark.parametrize("privacy", MECHANISMS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_registered_combination_breaks_its_claim(
    objective: str, privacy: str, grad: str
) -> None:
    t1(objective, privacy, grad, QUICK if grad == best(objective) else SLOWER)


CENTRAL = "privacy=client_central privacy.population=1000 privacy.sigma=4"


@pytest.mark.parametrize("more", ["", "privacy.adaptive=true", "privacy.simulated=20"])
def test_nor_does_the_servers_mechanism(more: str) -> None:
    config = load(f"{CENTRAL} {more}")
    found = audit(config, config.privacy, NORMAL)
    assert found.holds, found.worst
    assert 0.999 < found.ratio <= 1 + 1e-6


def test_a_server_that_clips_each_array_alone_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ClientCentral.total

    def each(self: ClientCentral, weights: Any, replies: Any) -> Any:
        parts = [plain(self, {n: weights[n]}, [{n: r[n]} for r in replies]) for n in weights]
        return {n: s for sums, _ in parts for n, s in sums.items()}, parts[0][1]

    monkeypatch.setattr(ClientCentral, "total", each)
    config = load(CENTRAL)
    found = audit(config, config.privacy, NORMAL)
    assert not found.holds
    assert found.ratio == pytest.approx(2**0.5, rel=1e-3)


@pytest.mark.parametrize("privacy", MECHANISMS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_nor_among_more(objective: str, privacy: str) -> None:
    sizes = (32, 128) if objective in LARGE else (32,)
    more = Effort((Setting(0.01, 0.1, still=True),), sizes, keys=1, ascent=0)
    t1(objective, privacy, best(objective), more)


@pytest.mark.slow
@pytest.mark.parametrize("grad", get_args(Method))
@pytest.mark.parametrize("privacy", MECHANISMS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_nor_with_more_effort(objective: str, privacy: str, grad: str) -> None:
    effort = Effort(NORMAL.settings, (8, 32, 128), keys=4, ascent=100, large=100)
    t1(objective, privacy, grad, effort if grad == "ghost" else NORMAL)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["cnn", "vit"])
def test_nor_with_the_networks_of_real_runs(encoder: str) -> None:
    words = [*settings("masked", "recording", "ghost"), f"encoder={encoder}", "device=cpu"]
    config = load(words)
    found = conclude(
        search(lambda s: summed(config, config.privacy, s, full=True)[0], FEW), rule="C"
    )
    assert found.holds, found.worst
    assert found.ratio > 0.999


@pytest.mark.parametrize("encoder", ["vit", "cnn encoder.adapter=4", "opera_gt"])
def test_other_encoders_and_frozen_ones(encoder: str) -> None:
    words = [*settings("masked", "patient", "ghost"), *f"encoder={encoder}".split()]
    config = load([*words, "training.freeze=[stem]", "privacy.multiplicity=2"])
    found = audit(config, config.privacy, SLOWER)
    assert found.holds, found.worst
    assert found.ratio > 0.999


def test_no_claim_no_audit() -> None:
    config = load("")
    with pytest.raises(PrivacyError, match="makes no claim"):
        summed(config, config.privacy, Setting())


def test_the_network_is_small_and_said() -> None:
    for encoder, said in (("cnn", "a CNN"), ("vit", "a ViT"), ("opera_ct", "in place of")):
        words = [*settings("masked", "buckets", "ghost"), f"encoder={encoder}"]
        norm = ["encoder.norm=group"] if encoder == "opera_ct" else []
        config = load([*words, *norm])
        found, text = summed(config, config.privacy, Setting())
        assert said in text
        assert isinstance(found, SiteSum)
        assert sum(p.numel() for p in found.model.encoder.parameters()) <= 5_000


def test_the_search_is_as_long_as_it_says_and_the_same_again() -> None:
    config = load(settings("masked", "recording", "ghost"))
    effort = Effort((Setting(),), (8, 40), keys=1, ascent=6)

    def ratios() -> list[tuple[str, str, float]]:
        found = search(lambda s: summed(config, config.privacy, s)[0], effort)
        return [(case.family, case.canary, case.ratio) for case in found]

    first = ratios()
    assert first == ratios()
    assert len(first) == effort.cases == 7 * 5 + 6 + 7 * 2 + 21
    assert {canary for _, canary, _ in first} == {*CANARIES, "ascended"}


# -- T2 ----------------------------------------------------------------------------------

HARD = Effort((Setting(0.01, 0.1, still=True), Setting(still=True)), (8, 128), keys=2, ascent=40)


def unsound(make: Callable[[Setting], SiteSum], least: float) -> None:
    assert make(Setting()).rule == "C"
    found = conclude(search(make, HARD), "C")
    print(f"{found.ratio:.2f} C: {found.worst}")
    assert not found.holds
    assert found.ratio > least


def test_naive_contrast_is_found() -> None:
    unsound(lambda s: audited("nt_xent", Hooked, s), 100)
    unsound(lambda s: audited("cola", Hooked, s), 100)


def test_statistics_over_the_batch_are_found() -> None:
    unsound(lambda s: audited("masked", Hooked, s, normed=True), 10)
    unsound(lambda s: audited("vicreg", Hooked, s), 20)


def test_a_private_queue_is_found() -> None:
    unsound(lambda s: audited(Queue, Hooked, s), 5)


def test_mixing_in_the_batch_is_found() -> None:
    unsound(lambda s: audited(Mixup, Hooked, s), 1.5)


def test_two_rows_of_a_recording_are_found() -> None:
    unsound(lambda s: audited(Stacked, Hooked, s), 1.9)


def test_groups_by_position_are_found() -> None:
    unsound(lambda s: audited("nt_xent", Chunked, s), 2.1)


def test_a_claim_of_c_for_buckets_is_found() -> None:
    unsound(lambda s: audited("nt_xent", Halved, s), 1.5)


def test_a_sound_loss_under_the_same_hooks_passes() -> None:
    found = conclude(search(lambda s: audited("within_recording", Hooked, s), SLOWER), "C")
    assert found.holds, found.worst
    assert found.ratio > 0.999
