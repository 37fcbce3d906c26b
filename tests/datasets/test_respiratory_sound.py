"""Coughs and breaths before the phone, and what room and phone make of them."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import fft

from fedbreath.datasets import phone
from fedbreath.datasets.phone import CATALOGUE, Scene, record
from fedbreath.datasets.respiratory_sound import SOURCE_RATE, Airway, breath_take, cough_take

AVERAGE = Airway(
    f0=280,
    tract=1,
    hoarse=0.3,
    tilt=0,
    loudness=0,
    cough_length=1,
    rattle=0,
    wheeze=0,
    wheeze_hz=400,
    crackles=0,
    coarse=0.5,
    breaths=15,
    expiration=1.7,
)
QUIET = Scene(rt60=0.2, reverb=-16, delay=0.0005, reflection=0, snr=35, slope=4)


def band_share(samples: NDArray[np.float32], low: float, high: float) -> float:
    power = np.abs(fft.rfft(samples)) ** 2
    f = fft.rfftfreq(len(samples), 1 / SOURCE_RATE)
    return float(power[(f >= low) & (f < high)].sum() / power.sum())


def test_a_wheeze_is_a_tone_at_its_frequency() -> None:
    wheezy = dataclasses.replace(AVERAGE, wheeze=0.5, wheeze_hz=900)
    for seed in range(5):
        without = breath_take(AVERAGE, np.random.default_rng(seed))
        with_it = breath_take(wheezy, np.random.default_rng(seed))
        assert band_share(with_it, 700, 1100) > 1.5 * band_share(without, 700, 1100)


def test_crackles_make_a_breath_impulsive() -> None:
    def kurtosis(samples: NDArray[np.float32]) -> float:
        return float(np.mean(samples**4) / np.mean(samples**2) ** 2)

    crackling = dataclasses.replace(AVERAGE, crackles=15, coarse=0)
    gains = [
        kurtosis(breath_take(crackling, np.random.default_rng(seed)))
        / kurtosis(breath_take(AVERAGE, np.random.default_rng(seed)))
        for seed in range(20)
    ]
    # A take that catches little of an inspiration shows few crackles: judge the average.
    assert np.exp(np.mean(np.log(gains))) > 1.1


def test_a_cough_is_loudest_in_its_first_tenth_of_a_second() -> None:
    frame = SOURCE_RATE // 100
    for seed in range(10):
        samples = cough_take(AVERAGE, np.random.default_rng(seed))
        frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
        level = np.square(frames).mean(axis=1)
        peak = int(level.argmax())
        after = level[peak + 10 : peak + 15]
        assert (after < 0.5 * level[peak]).all()
        # An attack of at most 4 ms: the frame before the first two is silent or an older tail.
        assert peak < 3 or level[peak - 3] < 0.2 * level[peak]


@pytest.mark.parametrize("snr", [5.0, 20.0])
def test_background_noise_has_the_level_that_was_asked_for(snr: float) -> None:
    scene = dataclasses.replace(QUIET, snr=snr)
    spectrum = phone._noise(scene, 4, np.random.default_rng(0))
    wave = fft.irfft(spectrum, 4 * SOURCE_RATE, norm="forward")
    assert 20 * np.log10(np.sqrt(np.square(wave).mean())) == pytest.approx(-snr, abs=1)


def test_recording_at_another_rate_keeps_frequency_and_length() -> None:
    t = np.arange(3 * SOURCE_RATE) / SOURCE_RATE
    tone = (np.sqrt(2) * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    for model in CATALOGUE:
        samples = record(tone, 0.0, model, QUIET, np.random.default_rng(0))
        assert len(samples) == 3 * model.sample_rate
        power = np.abs(fft.rfft(samples))
        assert fft.rfftfreq(len(samples), 1 / model.sample_rate)[power.argmax()] == 1000
