"""A private run with a public start and arms that its configuration names, end to end."""

import json
from pathlib import Path

import pytest

from fedbreath.errors import ConfigError
from fedbreath.report import folder as records
from fedbreath.report.records import Records
from fedbreath.site.account import account
from server import checkpoints
from server.app import refuse_simulated
from simulation import starts, variants
from simulation.data import prepare
from simulation.planning import plan
from simulation.starts import Composed
from tests.simulation.tiny import Tiny

START = (
    "start='data=simulated data.seed=1 data.cohorts=1 data.persons=6 data.sessions=1 "
    "partition=pooled training.head=averaged rounds=2 training.steps=1 training.batch_size=4'"
)
PRIVATE = ("privacy=patient", "privacy.population=100", "privacy.rate=0.5", "privacy.delta=1e-3",
           "strategy.weighting=uniform")  # fmt: skip
COMPARE = (
    '+evaluation.compare={Without privacy: "privacy=none", Epsilon 1: "privacy.epsilon=1", '
    'From scratch: "start=null training.head=averaged"}'
)


def words(tiny: Tiny, *more: str) -> tuple[str, ...]:
    """The tiny run with another objective, which decomposes."""
    plain = [w for w in tiny.words() if not w.startswith(("objective", "rounds="))]
    # Under privacy persons are drawn one by one: this seed puts both classes on both sides.
    return (*plain, "objective=descriptors", "rounds=2", "split.seed=2", *more)


def composed(tiny: Tiny, *more: str) -> Composed:
    return starts.compose(words(tiny, *PRIVATE, *more))


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("private") / "run"
    from simulation.command import main

    given = words(tiny, *PRIVATE, START, COMPARE, "training.head=start", f"out='{out}'")
    assert main(given) == 0
    return out


@pytest.fixture(scope="module")
def found(run: Path) -> Records:
    return records.read(run)


def test_a_private_run_has_its_own_arms(found: Records) -> None:
    assert found.scores is not None
    kinds = [arm.kind for arm in found.scores.arms if arm.kind != "features"]
    assert kinds == ["federated", "variant", "variant", "variant", "start", "random", "combined",
                     "control"]  # fmt: skip
    pairs = {(d.arm, d.against) for d in found.scores.differences if d.task == "mean"}
    for arm in ("federated", "variant:without-privacy", "variant:epsilon-1"):
        assert {(arm, "start"), (arm, "random")} <= pairs
    assert ("federated", "variant:from-scratch") in pairs


def test_what_was_spent_is_what_the_ledgers_say(run: Path, found: Records) -> None:
    assert found.privacy is not None
    assert found.privacy.unprotected == ("Without privacy",)
    folders = {"federated": run, "variant:epsilon-1": run / "arms/variant-epsilon-1"}
    by_name = {arm.arm: arm for arm in found.privacy.arms}
    assert set(by_name) == {*folders, "variant:from-scratch"}
    for name, folder in folders.items():
        arm = by_name[name]
        assert [site.site for site in arm.sites] == ["cohort-00", "cohort-01"]
        for site in arm.sites:
            own = folder / "sites" / site.site
            (path,) = (own / "privacy").glob("*.jsonl")
            kept, _ = account(path, own / "privacy-heads")
            assert site.spent.pld == pytest.approx(kept.spent.value)
            assert (site.reserved, site.committed) == (kept.reserved, kept.reserved - kept.open)
            assert site.population == 100
        assert arm.most.pld == max(site.spent.pld or 0 for site in arm.sites)
        assert "nobody is at two of the 2 sites" in arm.text
    assert (by_name["variant:epsilon-1"].most.pld or 9) < 1
    (together,) = found.privacy.compositions
    assert together.spent.pld is not None
    singly = [arm.most.pld or 0 for arm in found.privacy.arms]
    assert max(singly) < together.spent.pld < sum(singly)


def test_the_page_tells_an_officer(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    for said in ("What it does not cover", "Whether any one patient took part at all",
                 "All 3 together", "Without privacy: trained on the same persons",
                 "released: encoder weights;", "the public start"):  # fmt: skip
        assert said in page
    assert "(federated − untrained) / (centralised − untrained)" not in page


def test_a_private_run_is_gone_on_with_and_spends_nothing_twice(run: Path, found: Records) -> None:
    from simulation.command import main

    (run / "arms/variant-epsilon-1.json").unlink()
    (run / "privacy.json").unlink()
    assert main([f"resume='{run}'"]) == 0
    assert records.read(run).privacy == found.privacy
    assert (run / "arms/variant-epsilon-1.json").exists()


def test_a_server_trains_no_start(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match="start is for the simulation"):
        refuse_simulated(composed(tiny, START).config)
    refuse_simulated(tiny.config())


def test_the_start_is_trained_once_and_found_again(
    tiny: Tiny, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = composed(tiny, START).start
    assert start is not None
    assert start.done
    assert start.folder.parent == tiny.cache.parent / "starts"
    stored = json.loads((run / "run.json").read_text())
    assert not [w for w in stored["overrides"] if w.startswith("encoder.init")]
    assert stored["encoder"]["start"].startswith("fedbreath:checkpoint.safetensors sha256")
    monkeypatch.setattr(starts, "prepare", lambda *_: pytest.fail("it is there already"))
    starts.make(start, lambda *_: None, lambda: None)


def test_an_interrupted_start_is_gone_on_with(tiny: Tiny) -> None:
    start = composed(tiny, START.replace("rounds=2", "rounds=3")).start
    assert start is not None

    fits = iter([1])

    def stop() -> None:
        if next(fits, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        starts.make(start, lambda *_: None, stop)
    kept = checkpoints.read(start.folder, start.config.digest)
    assert kept is not None
    assert kept.number == 1
    done: list[int] = []
    starts.make(start, lambda *_: None, lambda: done.append(1))
    assert len(done) == 2
    assert start.done


def test_the_digest_knows_the_start_and_not_its_place(tiny: Tiny) -> None:
    here, other = composed(tiny, START), composed(tiny, START.replace("rounds=2", "rounds=3"))
    elsewhere = composed(tiny, START, "cache='/elsewhere/stores'")
    assert here.start is not None
    assert elsewhere.start is not None
    assert here.start.folder != elsewhere.start.folder
    assert here.config.digest == elsewhere.config.digest != other.config.digest
    assert here.config.encoder.config.init == f"fedbreath:{here.start.folder}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((START, "encoder.init=fedbreath:x"), "start and encoder.init both"),
        (("start='partition=puled'",), "start: partition=puled: no such choice"),
        (("start='start=x'",), "a public start is a plain run"),
        (
            ("start='privacy=patient privacy.population=9 privacy.delta=.01 "
             "strategy.weighting=uniform'",),
            "a public start is a plain run",
        ),
    ],
)  # fmt: skip
def test_no_such_start(tiny: Tiny, more: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        composed(tiny, *more)


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        ('{Bad: "privacy.epsilon=-1"}', "evaluation.compare, Bad: privacy.epsilon must be > 0"),
        ('{Odd one: "rouns=3"}', "evaluation.compare, Odd one: unknown key rouns"),
        ('{Odd: "data.persons=9"}', "Odd: it changes data"),
        ('{Odd: "views.seconds=2"}', "Odd: it changes views.seconds"),
        ('{Odd: "objective=cola"}', "Odd: objective=cola cannot go with privacy=patient"),
        ('{A b: "rounds=1", A-b: "rounds=2"}', "A-b: titles must differ"),
    ],
)
def test_a_bad_variant_is_refused_by_its_name(tiny: Tiny, compare: str, said: str) -> None:
    given = words(tiny, *PRIVATE, f"+evaluation.compare={compare}")
    with pytest.raises(ConfigError, match=said):
        variants.of(starts.compose(given).config, given)


def test_an_arm_of_an_experiment_can_be_taken_out(tiny: Tiny) -> None:
    given = words(tiny, *PRIVATE, '+evaluation.compare={A: "rounds=1", B: null}')
    assert [v.title for v in variants.of(starts.compose(given).config, given)] == ["A"]


def test_a_site_without_a_population_is_refused_by_the_arms_name(tiny: Tiny) -> None:
    given = words(tiny, "privacy=patient", "privacy.rate=.5", "strategy.weighting=uniform",
                  "+privacy.populations={cohort-00: 30}")  # fmt: skip
    config = starts.compose(given).config
    with pytest.raises(ConfigError, match=r"Odd: no public population .* cohort-01"):
        variants.refuse_unstated("Odd", config, prepare(config).clients)


def test_a_plain_run_from_a_file_has_the_start_beside_it(tiny: Tiny) -> None:
    given = words(tiny, "encoder.init=fedbreath:x")
    run = starts.compose(given)
    clients = prepare(run.config).clients
    kinds = [arm.kind for arm in plan(run.config, run.words, clients)]
    assert {"start", "centralised", "local"} <= set(kinds)


def test_a_central_cohort_calls_whom_it_simulates(tiny: Tiny) -> None:
    given = words(tiny, "privacy=client_central", "privacy.population=1000",
                  "privacy.cohort=10", "privacy.simulated=2", "partition=per_subject",
                  "privacy.delta=1e-4", "strategy.weighting=uniform")  # fmt: skip
    run = starts.compose(given)
    clients = prepare(run.config).clients
    arm = plan(run.config, run.words, clients)[0]
    assert (arm.title, arm.fits) == ("Federated, private", 2 * run.config.rounds)
