"""Coughs and breaths from the parameters of an airway, before any room or phone.

A **cough** has three phases: an explosive burst of broadband noise, an intermediate phase
of turbulent flow, and often a voiced phase whose harmonics ring through the vocal tract.
Mucus adds short low grains to the intermediate phase; obstruction makes it whistle.

A **breath** is noise whose power falls exponentially with frequency, duller when breathing
out, and turbulence at the lips, whose share varies more with how a phone is held than with
anything else. Wheezes are tones over a part of expiration; crackles are brief damped grains
during inspiration, Poisson in number.

The numbers are design values unless a comment says *sourced*: then they are figures of the
lung-sound and cough literature (fine crackle about 650 Hz and 5 ms, coarse 350 Hz and 15 ms;
wheeze a tone of 100-1,000 Hz over at least 80 ms; inspiration's power within 434-604 Hz,
expiration's within 284-406 Hz). This module knows no persons and no diseases.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

#: Hz. Respiratory sound is made up to 12 kHz, whatever the phone's rate.
SOURCE_RATE = 24_000

#: s. Both kinds of take last between these.
SHORTEST, LONGEST = 2.0, 5.0

#: Vocal-tract resonances of a tract of scale 1, Hz, and their bandwidths, Hz.
RESONANCES = (500.0, 1400.0, 2500.0, 3600.0)
BANDWIDTHS = (180.0, 260.0, 380.0, 500.0)

#: Position of each resonance's zero on the real axis of the z-plane.
TRACT_ZERO = 0.6

#: Hz. Scale of the exponential fall of a breath's power (sourced ranges, mid-points).
INSPIRATION_FALL, EXPIRATION_FALL = 519.0, 345.0

#: Hz. Where the spectrum of turbulence at the lips is strongest.
LIPS = 4500.0

#: (Hz, s) of a crackle (sourced).
FINE, COARSE = (650.0, 0.005), (350.0, 0.015)

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Airway:
    """What shapes one person's respiratory sound.

    Attributes:
        f0: Fundamental frequency of a cough's voiced phase, Hz.
        tract: Factor on the vocal tract's resonances (1: an average man).
        hoarse: Share of noise in the voiced phase, 0 to 1.
        tilt: Slope of the spectrum's brightness, dB per octave around 1 kHz.
        loudness: Level against an average person, dB.
        cough_length: Factor on the duration of a cough's phases.
        rattle: Strength of mucus in a cough, 0 to 1.
        wheeze: Share of expiration with a wheeze, 0 to 0.6.
        wheeze_hz: Its frequency, Hz.
        crackles: Expected crackles in one inspiration.
        coarse: Share of these that are coarse, 0 to 1.
        breaths: Breaths a minute.
        expiration: Duration of expiration over that of inspiration.
    """

    f0: float
    tract: float
    hoarse: float
    tilt: float
    loudness: float
    cough_length: float
    rattle: float
    wheeze: float
    wheeze_hz: float
    crackles: float
    coarse: float
    breaths: float
    expiration: float


def cough_take(airway: Airway, rng: np.random.Generator) -> Samples:
    """Two to four coughs in a row.

    Args:
        airway: Who coughs.
        rng: The take's own generator.

    Returns:
        Shape (samples,), float32 at `SOURCE_RATE`, root mean square 1.
    """
    coughs = [_cough(airway, rng) for _ in range(rng.integers(2, 5))]
    gaps = rng.uniform(0.1, 0.3, len(coughs))
    starts = np.cumsum([gap * SOURCE_RATE + len(c) for gap, c in zip(gaps, coughs, strict=True)])
    busy = min(starts[-1] / SOURCE_RATE, LONGEST)
    # The take's length is drawn first and coughs are placed within it: how long
    # somebody holds the button says little about the lungs.
    seconds = max(rng.uniform(SHORTEST, LONGEST), busy)
    out = np.zeros(round(seconds * SOURCE_RATE), np.float32)
    lead = rng.uniform(0, seconds - busy) * SOURCE_RATE
    for end, cough in zip(starts, coughs, strict=True):
        _add(out, cough, int(lead + end) - len(cough))
    return _tilt(out, airway.tilt)


def _cough(airway: Airway, rng: np.random.Generator) -> Samples:
    """One cough: burst, intermediate phase, and in 70 % a voiced phase; (samples,), peak 1."""
    burst = rng.uniform(0.03, 0.06) * airway.cough_length
    middle = rng.uniform(0.10, 0.25) * airway.cough_length
    voiced = rng.uniform(0.05, 0.15) * airway.cough_length if rng.random() < 0.7 else 0.0
    # The level of what follows the burst, whose peak is 1.
    level = rng.uniform(0.12, 0.30)
    jet = _jet(burst, middle, voiced, level, rng)
    if voiced:
        onset = round((burst + middle) * SOURCE_RATE)
        jet[onset:] += level * _voice(airway, len(jet) - onset, rng)
    from scipy import signal  # noqa: PLC0415 - 1.4 s that only the rendering needs

    ringing = signal.sosfilt(_tract(airway.tract * rng.normal(1, 0.02)), jet)
    # Part of the jet's noise is made at the lips and does not pass the tract.
    out: Samples = (ringing + rng.lognormal(-0.5, 0.5) * jet).astype(np.float32)
    out /= np.abs(out).max()
    begin, length = round(burst * SOURCE_RATE), round(middle * SOURCE_RATE)
    _add(out, 0.5 * level * airway.wheeze * _whistle(airway, length, rng), begin)
    # A rattling cough of average length carries some 14 grains.
    for _ in range(rng.poisson(14 * airway.rattle * airway.cough_length)):
        grain = level * rng.uniform(0.5, 1.5) * _grain(*COARSE, rng)
        _add(out, grain, begin + int(rng.integers(length)))
    return out


def _jet(
    burst: float, middle: float, voiced: float, level: float, rng: np.random.Generator
) -> Samples:
    """The cough's noise: a sudden burst that dies into a slower flow; (samples,)."""
    n = round((burst + middle + voiced) * SOURCE_RATE)
    t = np.arange(n, dtype=np.float32) / SOURCE_RATE
    envelope = np.exp(-t / (0.4 * burst)) + level * np.exp(-t / (0.8 * middle))
    envelope *= np.minimum(t / rng.uniform(0.001, 0.004), 1)  # attack, s
    envelope *= np.minimum((t[-1] - t) / 0.01, 1)  # 10 ms without a click at the end
    return (rng.standard_normal(n, dtype=np.float32) * envelope).astype(np.float32, copy=False)


def _voice(airway: Airway, n: int, rng: np.random.Generator) -> Samples:
    """A falling sawtooth under a half-ellipse, with noise for hoarseness; (n,)."""
    u = np.linspace(0, 1, n, dtype=np.float32)
    pitch = airway.f0 * np.exp(rng.normal(0, 0.06)) * (1.1 - 0.25 * u)  # falls by a quarter
    phase = np.cumsum(pitch) / SOURCE_RATE
    saw = 2 * (phase % 1) - 1
    noise = rng.standard_normal(n, dtype=np.float32)
    # The sawtooth's power is a third of the noise's, and the voice stands out of the jet.
    mixed = (1 - airway.hoarse) * 3 * saw + airway.hoarse * noise
    hump = 2 * np.sqrt(u * (1 - u))
    voice: Samples = (mixed * hump).astype(np.float32, copy=False)
    return voice


def _tract(scale: float) -> NDArray[np.float64]:
    """The vocal tract as four resonances in cascade; second-order sections, (4, 6)."""
    f = np.array(RESONANCES) * scale
    radius = np.exp(-np.pi * np.array(BANDWIDTHS) / SOURCE_RATE)
    sections = np.zeros((len(f), 6))
    sections[:, 3] = 1
    sections[:, 4] = -2 * radius * np.cos(2 * np.pi * f / SOURCE_RATE)
    sections[:, 5] = radius**2
    # Unit gain at 0 Hz, and a zero that leaves some sound above the highest resonance.
    sections[:, 0] = (1 + sections[:, 4] + sections[:, 5]) / (1 - TRACT_ZERO)
    sections[:, 1] = -TRACT_ZERO * sections[:, 0]
    return sections


def breath_take(airway: Airway, rng: np.random.Generator) -> Samples:
    """Quiet breathing, from a random point of the cycle, for 4 to 5 s.

    Args:
        airway: Who breathes.
        rng: The take's own generator.

    Returns:
        Shape (samples,), float32 at `SOURCE_RATE`, root mean square 1.
    """
    n = round(rng.uniform(4.0, LONGEST) * SOURCE_RATE)
    out = np.zeros(n, np.float32)
    cycle = 60 / airway.breaths
    lips = rng.lognormal(-1.4, 0.7)  # a median of 0.25, a third to three times of it
    position = -rng.uniform(0, cycle)
    while position < n / SOURCE_RATE:
        length = cycle * rng.normal(1, 0.05)
        inspiration = length / (1 + airway.expiration)
        _add(out, _inspiration(airway, inspiration, lips, rng), int(position * SOURCE_RATE))
        start = position + inspiration
        _add(out, _expiration(airway, length - inspiration, lips, rng), int(start * SOURCE_RATE))
        position += length
    return _tilt(out, airway.tilt)


def _inspiration(airway: Airway, seconds: float, lips: float, rng: np.random.Generator) -> Samples:
    out = _flow(INSPIRATION_FALL * airway.tract, lips, seconds, rng)
    # From mid-inspiration on, some four times as high as the flow around them.
    for start in rng.uniform(0.3, 0.95, rng.poisson(airway.crackles)):
        kind = COARSE if rng.random() < airway.coarse else FINE
        _add(out, rng.lognormal(1.5, 0.5) * _grain(*kind, rng), int(start * len(out)))
    return out


def _expiration(airway: Airway, seconds: float, lips: float, rng: np.random.Generator) -> Samples:
    out = 0.7 * _flow(EXPIRATION_FALL * airway.tract, lips, seconds, rng)
    length = int(airway.wheeze * len(out))
    if length:
        start = int(rng.uniform(0.1, 0.35) * len(out))  # so that 60 % still fit
        _add(out, 0.9 * _whistle(airway, length, rng), start)
    return out


def _flow(fall: float, lips: float, seconds: float, rng: np.random.Generator) -> Samples:
    """Noise of power exp(-f / fall) and turbulence at the lips, under a hump; (n,)."""
    n = fft.next_fast_len(round(seconds * SOURCE_RATE), real=True)
    bins = n // 2 + 1
    f = np.linspace(0, SOURCE_RATE / 2, bins, dtype=np.float32)
    shape = np.exp(-f / (2 * fall)) + lips * (f / LIPS) * np.exp(1 - f / LIPS)
    # Makes the root mean square under the hump 1: a bin has two parts of variance 1 and
    # stands for two conjugate bins (4), and the hump halves the power.
    shape /= np.sqrt(2 * np.square(shape).sum())
    noise = rng.standard_normal(2 * bins, dtype=np.float32).view(np.complex64)
    wave: Samples = fft.irfft(noise * shape, n, norm="forward")
    return wave * np.sin(np.linspace(0, np.pi, n, dtype=np.float32))


def _whistle(airway: Airway, n: int, rng: np.random.Generator) -> Samples:
    """A wheeze: a tone with one overtone that drifts by some per cent, faded at the ends."""
    u = np.linspace(0, 1, n, dtype=np.float32)
    pitch = airway.wheeze_hz * (1 + rng.normal(0, 0.05) + rng.normal(0, 0.06) * u)
    phase = (2 * np.pi / SOURCE_RATE) * np.cumsum(pitch)
    tone = np.sin(phase) + 0.3 * np.sin(2 * phase)
    faded: Samples = (tone * np.minimum(1, 8 * np.minimum(u, 1 - u))).astype(np.float32)
    return faded


def _grain(hz: float, seconds: float, rng: np.random.Generator) -> Samples:
    """One crackle: a damped sinusoid that begins abruptly; (samples,)."""
    t = np.arange(round(seconds * SOURCE_RATE), dtype=np.float32) / SOURCE_RATE
    hz *= np.exp(rng.normal(0, 0.15))
    return np.sin(2 * np.pi * hz * t) * np.exp(-4 * t / seconds)


def _add(out: Samples, piece: Samples, start: int) -> None:
    """Add a piece in place; what lies outside the take is cut off."""
    skip = max(-start, 0)
    stop = min(start + len(piece), len(out))
    if stop > start + skip:
        out[start + skip : stop] += piece[skip : stop - start]


def _tilt(out: Samples, slope: float) -> Samples:
    """Brighten or dull by `slope` dB per octave with one first-order shelf; root mean square 1."""
    # A one-pole mix is flat far from 1 kHz and close to the slope within two octaves of it.
    pole = np.exp(-2 * np.pi * 1000 / SOURCE_RATE)
    from scipy import signal  # noqa: PLC0415

    low = signal.lfilter([1 - pole], [1, -pole], out).astype(np.float32)
    out = low * 10 ** (-slope / 10) + (out - low) * 10 ** (slope / 10)
    out /= np.sqrt(np.square(out).mean())
    return out
