"""The simulated cohorts: determinism, well-formed recordings, and no trivial label."""

import dataclasses
import multiprocessing
import pickle
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import fft
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fedbreath.audio import FrontEnd, Sound, log_mel
from fedbreath.config import component
from fedbreath.datasets.phone import CATALOGUE
from fedbreath.datasets.respiratory_sound import LONGEST, SHORTEST
from fedbreath.datasets.simulated import VERSION, Config, Draw, Simulated, Take, World
from fedbreath.recording import Recording

FROZEN_LABELS = {
    "age": "40",
    "sex": "male",
    "smoker": "yes",
    "disease": "yes",
    "diagnosis": "copd",
    "fev1_z": "-3.17",
    "symptom": "yes",
    "severity": "severe",
}
FROZEN_DEVICE = "larch"
#: Samples, root mean square and spectral centroid (Hz) of the first breath and cough.
FROZEN_SOUND = [(72609, 0.08482, 2593.518), (66727, 0.082093, 995.261)]


def everyone(config: Config) -> list[Recording]:
    return [r for site in Simulated(config).sites() for r in site.recordings]


def render(take: Take) -> tuple[NDArray[np.float32], int]:
    return take()


# -- determinism ------------------------------------------------------------------------


def test_the_same_key_gives_the_same_samples_in_any_order_and_process() -> None:
    recordings = everyone(Config(cohorts=2, persons=2, sessions=1))
    sources = [r.source for r in recordings if isinstance(r.source, Take)]
    assert len(sources) == 8
    forwards = [source()[0] for source in sources]
    backwards = [source()[0] for source in reversed(sources)][::-1]
    copies = pickle.loads(pickle.dumps(sources))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = [samples for samples, _ in pool.map(render, copies)]
    for first, second, third in zip(forwards, backwards, elsewhere, strict=True):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, third)


def test_another_cohort_person_or_session_changes_nobody_else() -> None:
    small = everyone(Config(cohorts=2, persons=3, sessions=1))
    large = {r.id: r for r in everyone(Config(cohorts=3, persons=5, sessions=2))}
    assert [large[r.id] for r in small] == small


def test_every_word_of_the_key_counts() -> None:
    base = Take(World(VERSION, 0), Draw.COUGH, 0, 0, 0)
    others = [
        dataclasses.replace(base, world=World(VERSION + 1, 0)),
        dataclasses.replace(base, world=World(VERSION, 1)),
        dataclasses.replace(base, kind=Draw.BREATH),
        dataclasses.replace(base, cohort=1),
        dataclasses.replace(base, person=1),
        dataclasses.replace(base, session=1),
    ]
    heads = {take()[0][:100].tobytes() for take in [base, *others]}
    assert len(heads) == 7
    # The feature store tells simulated sources apart by their repr.
    assert len({repr(take) for take in [base, *others]}) == 7


def test_version_1_is_frozen() -> None:
    """A failure here means that `VERSION` must be raised."""
    first = everyone(Config(cohorts=1, persons=1, sessions=1))
    assert first[0].labels == FROZEN_LABELS
    assert first[0].device == FROZEN_DEVICE
    for recording, (length, level, frequency) in zip(first, FROZEN_SOUND, strict=True):
        assert isinstance(recording.source, Take)
        samples, rate = recording.source()
        power = np.abs(fft.rfft(samples)) ** 2
        centroid = np.average(fft.rfftfreq(len(samples), 1 / rate), weights=power)
        assert len(samples) == length
        assert np.sqrt(np.square(samples).mean()) == pytest.approx(level, rel=1e-3)
        assert centroid == pytest.approx(frequency, rel=1e-3)


# -- recordings -------------------------------------------------------------------------


def test_recordings_are_what_a_phone_could_have_written() -> None:
    recordings = everyone(Config(cohorts=4, persons=12, sessions=1))
    rates = {p.name: p.sample_rate for p in CATALOGUE}
    for recording in recordings:
        assert isinstance(recording.source, Take)
        samples, rate = recording.source()
        assert rate == rates[recording.device or ""]
        assert samples.ndim == 1
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert 0.05 < np.abs(samples).max() <= 1
        assert SHORTEST <= len(samples) / rate <= LONGEST
    assert {rates[r.device or ""] for r in recordings} == {16_000, 44_100, 48_000}


def test_sites_name_their_persons_and_are_sorted() -> None:
    sites = Simulated(Config(cohorts=3, persons=4, sessions=2)).sites()
    assert [s.name for s in sites] == ["cohort-00", "cohort-01", "cohort-02"]
    for site in sites:
        ids = [r.id for r in site.recordings]
        assert ids == sorted(set(ids))
        assert site.has_subjects
        assert site.stratify == ("disease", "smoker")
        assert len({r.subject for r in site.recordings}) == 4
        assert all(r.id.startswith(f"{r.subject}/session-") for r in site.recordings)
        assert Counter(r.modality for r in site.recordings) == {"cough": 8, "breath": 8}


def test_severity_is_labelled_exactly_for_the_diseased() -> None:
    for recording in everyone(Config(cohorts=2, persons=30, sessions=1)):
        labels = recording.labels
        assert ("severity" in labels) == (labels["disease"] == "yes")
        assert (labels["diagnosis"] == "healthy") == (labels["disease"] == "no")
        assert 18 <= int(labels["age"]) <= 90


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_default_has_enough_persons_of_every_class(seed: int) -> None:
    needed = 10 / 0.4  # ten test persons where four in ten are test persons
    persons = {r.subject: r for r in everyone(Config(sessions=1, seed=seed))}.values()
    for label in ("sex", "smoker", "symptom", "disease", "severity"):
        counts = Counter(r.labels[label] for r in persons if label in r.labels)
        assert len(counts) == 2
        assert min(counts.values()) >= needed, (label, counts)


def test_the_yaml_is_the_default_config() -> None:
    assert component("data", "simulated").config == Config()


@pytest.mark.parametrize(
    "wrong", [{"cohorts": 0}, {"persons": 0}, {"sessions": 0}, {"seed": -1}, {"version": 99}]
)
def test_a_config_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)


# -- difficulty -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Heard:
    """What 250 persons' recordings show: per person, breath then cough."""

    labels: list[dict[str, str]]
    log_mel: NDArray[np.float64]
    level: NDArray[np.float64]
    seconds: NDArray[np.float64]


@pytest.fixture(scope="module")
def heard() -> Heard:
    recordings = everyone(Config(cohorts=5, persons=50, sessions=1))
    rows = []
    for recording in recordings:
        assert isinstance(recording.source, Take)
        sound = Sound(*recording.source())
        mel = log_mel(sound, FrontEnd())
        level = 10 * np.log10(np.square(sound.samples).mean())
        rows.append(np.concatenate([mel.mean(0), mel.std(0), [level, sound.seconds]]))
    table = np.array(rows).reshape(len(rows) // 2, 2, -1)
    labels = [dict(r.labels) for r in recordings[::2]]
    mels = table[..., :-2].reshape(len(table), -1)
    return Heard(labels, mels, table[..., -2], table[..., -1])


def auroc(heard: Heard, features: NDArray[np.float64], label: str, positive: str) -> float:
    known = [i for i, labels in enumerate(heard.labels) if label in labels]
    truth = np.array([heard.labels[i][label] == positive for i in known])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    scores = cross_val_predict(model, features[known], truth, cv=5, method="decision_function")
    return float(roc_auc_score(truth, scores))


# With 250 persons an AUROC has a standard error of 0.03; the bands are that much wider
# than what 2,000 persons showed.
@pytest.mark.parametrize(
    ("label", "positive", "low", "high"),
    [
        ("sex", "female", 0.78, 0.98),
        ("smoker", "yes", 0.55, 0.80),
        ("disease", "yes", 0.58, 0.82),
        ("symptom", "yes", 0.57, 0.82),
    ],
)
def test_labels_can_be_learnt_but_not_trivially(
    heard: Heard, label: str, positive: str, low: float, high: float
) -> None:
    assert low < auroc(heard, heard.log_mel, label, positive) < high


@pytest.mark.parametrize(
    ("label", "positive"), [("sex", "female"), ("smoker", "yes"), ("disease", "yes")]
)
def test_neither_length_nor_loudness_alone_gives_a_label_away(
    heard: Heard, label: str, positive: str
) -> None:
    assert auroc(heard, heard.seconds, label, positive) < 0.60
    assert auroc(heard, heard.level, label, positive) < 0.70
