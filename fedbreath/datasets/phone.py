"""From sound in the air to samples in a file: room, background noise, phone.

One multiplication in the frequency domain does all that is linear: the source's spectrum
times the room's response, plus background noise, times the phone's response. Source and
recording last equally long, so their frequency bins coincide whatever the two sample rates
are, and resampling costs nothing. What is not linear follows in time: gain control and soft
clipping. Recordings at 44.1 and 48 kHz hold little above 12 kHz, as after a voice codec.

Phones are products: the catalogue is the same in every cohort and for every seed. Sourced:
roll-off below about 90 Hz, older phones' high-pass at 200 Hz, notches down to -21 dB (a
reflection from the hand or a table), gain control. The rest are design values.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from fedbreath.datasets.respiratory_sound import SOURCE_RATE

#: Hz. Centres of the phone equaliser's eight bands, one an octave.
BANDS = tuple(62.5 * 2**k for k in range(8))

#: s. The longest reverberation; recordings are padded by it so that nothing wraps around.
TAIL = 0.6

#: Hz. Background noise begins here.
NOISE_FROM = 40.0

#: dB re full scale that gain control aims at, and the share of the way that it goes.
TARGET, CONTROL = -21.0, 0.7

#: dB re full scale of an average take before gain control.
SENSITIVITY = -24.0


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone model.

    Attributes:
        name: The model.
        sample_rate: Of its recordings, Hz.
        high_pass: Corner of its second-order high-pass, Hz.
        gains: Of its equaliser at `BANDS`, dB.
        sensitivity: Of its microphone against the average, dB.
    """

    name: str
    sample_rate: int
    high_pass: float
    gains: tuple[float, ...]
    sensitivity: float


#: Drawn once with a standard deviation of 2.5 dB, then written down.
CATALOGUE = (
    Phone("alder", 16_000, 200.0, (-0.9, 3.0, 3.5, 0.8, 1.0, -1.2, -2.3, -2.3), -3.0),
    Phone("birch", 44_100, 90.0, (2.3, -0.1, 0.3, -1.6, -2.7, -3.0, -2.1, 1.5), 0.1),
    Phone("cedar", 48_000, 60.0, (-1.1, -0.6, -3.6, 3.1, -3.0, 0.1, 5.3, -6.4), -4.2),
    Phone("elm", 44_100, 90.0, (-1.8, 0.3, -4.3, -0.6, -0.1, 0.4, -6.0, 1.6), 4.8),
    Phone("hazel", 48_000, 120.0, (1.1, -1.8, -1.5, -6.6, 1.2, 3.8, 1.6, -7.4), -1.3),
    Phone("larch", 16_000, 200.0, (-0.3, -1.2, 2.6, -4.4, -1.8, 1.5, 2.5, 0.4), 3.2),
    Phone("maple", 44_100, 75.0, (1.3, -2.6, 3.2, -1.3, -4.1, 1.1, 4.5, 2.4), 3.0),
    Phone("rowan", 48_000, 90.0, (0.5, -6.2, 1.7, 0.4, -6.6, -1.6, -2.2, 2.7), 0.4),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and how one session is recorded.

    Attributes:
        rt60: Time in which the room's sound decays by 60 dB, s.
        reverb: Level of reverberation against the direct sound, dB.
        delay: Of the reflection from hand or table, s.
        reflection: Its amplitude against the direct sound, below 1.
        snr: Of an average person's sound over background noise, dB.
        slope: Fall of the noise's spectrum, dB per octave.
    """

    rt60: float
    reverb: float
    delay: float
    reflection: float
    snr: float
    slope: float


def draw_scene(snr: float, rng: np.random.Generator) -> Scene:
    """A room and a way to hold the phone.

    Args:
        snr: The cohort's usual signal-to-noise ratio, dB.
        rng: The session's own generator.
    """
    return Scene(
        rt60=rng.uniform(0.15, TAIL),
        reverb=rng.uniform(-16, -4),
        delay=rng.uniform(0.0002, 0.001),
        reflection=rng.uniform(0, 0.6),
        snr=float(np.clip(rng.normal(snr, 5), 5, 35)),
        slope=rng.uniform(2, 6),
    )


def record(
    source: NDArray[np.float32],
    loudness: float,
    phone: Phone,
    scene: Scene,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Record a sound with a phone.

    Args:
        source: Shape (samples,), float32 at `SOURCE_RATE`, root mean square 1.
        loudness: Level of the source against an average person, dB.
        phone: What records.
        scene: Where.
        rng: The take's own generator.

    Returns:
        Shape (samples,), float32 in [-1, 1] at the phone's sample rate, as long in
        seconds as the source.
    """
    seconds = len(source) / SOURCE_RATE
    # Whole seconds make fast transforms of every rate, and few entries in the cache.
    padded = math.ceil(seconds + TAIL)
    size = padded * SOURCE_RATE
    spectrum = fft.rfft(source * _amplitude(loudness), size, norm="forward")
    spectrum *= fft.rfft(_impulse(scene, rng), size)
    spectrum += _noise(scene, padded, rng)
    spectrum *= _response(phone, padded)
    # The inverse transform pads or cuts the spectrum to the phone's rate.
    wave = fft.irfft(spectrum, padded * phone.sample_rate, norm="forward")
    wave = wave[: round(seconds * phone.sample_rate)]
    clipped: NDArray[np.float32] = np.tanh(wave * _gain(wave, phone))
    return clipped


def _amplitude(db: float) -> float:
    return float(10 ** (db / 20))


def _gain(wave: NDArray[np.float32], phone: Phone) -> float:
    """The microphone's sensitivity, then gain control part of the way to its target."""
    level = 10 * np.log10(np.square(wave).mean()) + SENSITIVITY + phone.sensitivity
    return _amplitude(SENSITIVITY + phone.sensitivity + CONTROL * (TARGET - level))


def _impulse(scene: Scene, rng: np.random.Generator) -> NDArray[np.float32]:
    """The room's response at `SOURCE_RATE`: direct, one near reflection, decaying noise."""
    t = np.arange(round(scene.rt60 * SOURCE_RATE), dtype=np.float32) / SOURCE_RATE
    impulse = rng.standard_normal(len(t), dtype=np.float32)
    impulse *= np.exp(-math.log(1000) * t / scene.rt60)
    impulse *= _amplitude(scene.reverb) / np.sqrt(np.square(impulse).sum())
    impulse[0] = 1
    impulse[round(scene.delay * SOURCE_RATE)] += scene.reflection
    return impulse


def _noise(scene: Scene, seconds: int, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Spectrum of background noise; one value for each of `_bins`."""
    shape = np.exp(_octaves(seconds) * (-scene.slope * math.log(10) / 20))
    shape[: int(NOISE_FROM * seconds)] = 0
    # Each bin stands for two conjugate ones, and has two normal parts: power 4.
    shape *= _amplitude(-scene.snr) / (2 * np.sqrt(np.square(shape).sum()))
    parts = rng.standard_normal(2 * len(shape), dtype=np.float32)
    noise: NDArray[np.complex64] = parts.view(np.complex64) * shape
    return noise


def _bins(seconds: int) -> NDArray[np.float64]:
    """Frequencies of the spectrum of a source of so many seconds, Hz."""
    return np.arange(seconds * SOURCE_RATE // 2 + 1) / seconds


@functools.lru_cache(maxsize=8)
def _octaves(seconds: int) -> NDArray[np.float32]:
    """Octaves above `NOISE_FROM`."""
    return np.log2(np.maximum(_bins(seconds), NOISE_FROM) / NOISE_FROM).astype(np.float32)


@functools.lru_cache(maxsize=64)
def _response(phone: Phone, seconds: int) -> NDArray[np.float32]:
    """The phone's gain: equaliser times high-pass."""
    f = np.maximum(_bins(seconds), 1)
    gains = np.interp(np.log(f), np.log(BANDS), phone.gains)
    high_pass = 1 / np.sqrt(1 + (phone.high_pass / f) ** 4)
    return (10 ** (gains / 20) * high_pass).astype(np.float32)
