"""Frame tracks: tones, noise and clicks by hand, double-precision NumPy, invariance, edges."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import digamma

from fedbreath import audio, tracks
from fedbreath.audio import FrontEnd, Sound
from fedbreath.config import load
from fedbreath.errors import ConfigError
from fedbreath.tracks import BURSTS, EDGES, NAMES, ROLL_OFFS, Grid

Doubles = NDArray[np.float64]

RATE = 16_000
FRONT_END = FrontEnd()
SECOND = np.arange(RATE) / RATE


def found(samples: Doubles, front_end: FrontEnd = FRONT_END) -> dict[str, Doubles]:
    """Each track of a sound by its name, without the frames that the reflected ends are in."""
    sound = Sound(samples.astype(np.float32), front_end.sample_rate)
    kept = audio.analyse(sound, front_end)[3:-3, front_end.mels :].astype(np.float64)
    return dict(zip(NAMES, kept.T, strict=True))


def tone(hertz: float) -> Doubles:
    return 0.3 * np.sin(2 * np.pi * hertz * SECOND)


def white(seconds: int = 4, seed: int = 0) -> Doubles:
    return np.random.default_rng(seed).normal(0, 0.1, seconds * RATE)


def click(width: int = 1) -> Doubles:
    """One pulse in the middle of a second."""
    samples = np.zeros(RATE)
    samples[RATE // 2 : RATE // 2 + width] = 0.5
    return samples


def test_every_track_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES) == 40
    assert FRONT_END.rows == 64 + 40


# -- a tone ------------------------------------------------------------------------------


@pytest.mark.parametrize("hertz", [250.0, 500.0, 1000.0])
def test_a_tone_is_where_it_is(hertz: float) -> None:
    """On a bin (of 15.625 Hz), so that its lobe is even about it."""
    told = found(tone(hertz))
    octave = np.log2(hertz / 1000)
    for name in ("centroid", *(f"roll-off {share:.0%}" for share in ROLL_OFFS)):
        # The window's lobe is two bins wide to either side.
        assert np.abs(told[name] - octave).max() < 2 * 15.625 / hertz * 1.45, name
    np.testing.assert_allclose(told["centroid"], octave, atol=0.01)
    np.testing.assert_allclose(told["roll-off 50%"], octave, atol=1e-5)


def test_a_tone_off_the_grid_is_where_it_is() -> None:
    np.testing.assert_allclose(found(tone(703.0))["centroid"], np.log2(0.703), atol=0.01)


def test_the_lobe_of_a_tone_by_hand() -> None:
    """A Hann window of 512 points in a transform of 1024: amplitudes 1, 0.8488, 0.5, 0.1698.

    Those at 0, 1, 2 and 3 bins; sidelobes are below -31 dB.
    """
    bins = np.arange(-3, 4) / 2  # in bins of the window
    with np.errstate(divide="ignore", invalid="ignore"):
        amplitude = np.sinc(bins) / (1 - bins**2)
    amplitude[np.abs(bins) == 1] = 0.5
    power = amplitude**2 / np.sum(amplitude**2)
    np.testing.assert_allclose(amplitude[3:], [1, 0.8488, 0.5, 0.1698], atol=1e-4)
    told = found(tone(1000.0))
    octaves = np.log2(1 + bins * 2 * 15.625 / 1000)
    centre = np.sum(power * octaves)
    spread = np.sqrt(np.sum(power * (octaves - centre) ** 2))
    np.testing.assert_allclose(told["centroid"], centre, atol=1e-3)
    np.testing.assert_allclose(told["spread"], spread, rtol=0.05)
    entropy = -np.sum(power * np.log(power)) / np.log(513 - 3)
    np.testing.assert_allclose(told["entropy"], entropy, atol=2e-3)
    assert told["entropy"].max() < 0.3
    # Its band, 800 to 1200 Hz, is bins 51 to 76: 26 of them.
    np.testing.assert_allclose(told["peak 800-1200 Hz"], np.log(power.max() * 26), atol=0.01)
    np.testing.assert_allclose(told["share 800-1200 Hz"], 0, atol=1e-3)
    np.testing.assert_allclose(told["flux"], 0, atol=1e-3)


@pytest.mark.parametrize("hertz", [80.0, 110.0, 160.0, 400.0])
def test_the_period_of_a_tone_is_its_lag(hertz: float) -> None:
    """A tone's multiples of a period within the lags are as good as the first."""
    told = found(tone(hertz))
    np.testing.assert_allclose(told["periodicity"], 1, atol=0.02)
    periods = 0.005 * 2 ** told["period"] * hertz
    assert periods.min() > 0.9
    np.testing.assert_allclose(periods, periods.round(), atol=0.5 * hertz / RATE + 1e-6)
    if hertz in (80.0, 110.0):  # but for these, whose second period is too long
        np.testing.assert_allclose(told["period"], np.log2(200 / hertz), atol=0.01)


def test_a_tone_crosses_zero_twice_a_period() -> None:
    for hertz in (105.0, 703.0, 2_001.0):
        crossings = found(tone(hertz))["zero crossings"] ** 2
        assert crossings.mean() == pytest.approx(2 * hertz / RATE, rel=0.02)


def test_the_crest_of_a_tone_is_the_root_of_two() -> None:
    np.testing.assert_allclose(found(tone(440.0))["crest"], np.log(2) / 2, atol=0.01)


# -- noise -------------------------------------------------------------------------------


def test_noise_is_as_flat_as_noise_can_be() -> None:
    """A bin of white noise is exponential: E ln X - ln E X is minus Euler's constant.

    The mean of few bins, which the window makes alike, varies itself: like that of n
    independent ones, whose E ln is digamma(n) - ln n and not 0.
    """
    hann = np.hanning(513)[:-1]
    alike = np.abs(np.fft.rfft(hann**2, 1024) / np.sum(hann**2)) ** 2
    told = found(white(30))
    for low, high in itertools.pairwise(EDGES):
        count = round(high / 15.625) - round(low / 15.625)
        places = np.arange(count)
        independent = 1 / alike[np.abs(places[:, None] - places)].mean()
        expected = -np.euler_gamma - (digamma(independent) - np.log(independent))
        measured = told[f"flatness {low:g}-{high:g} Hz"].mean()
        assert measured == pytest.approx(expected, abs=0.025), (low, expected)
    assert measured == pytest.approx(-np.euler_gamma, abs=0.01)


def test_the_entropy_of_noise_is_nearly_one() -> None:
    """E -p ln p of exponential shares is ln n - (1 - Euler's constant)."""
    count = 513 - 3
    expected = 1 - (1 - np.euler_gamma) / np.log(count)
    entropy = found(white())["entropy"]
    assert entropy.mean() == pytest.approx(expected, abs=0.005)
    assert entropy.max() < 1


def test_noise_fills_the_octaves_by_their_width() -> None:
    told = found(white())
    for share in ROLL_OFFS:
        hertz = 1000 * 2 ** told[f"roll-off {share:.0%}"].mean()
        assert hertz == pytest.approx(50 + share * 7_950, rel=0.03)
    for low, high in itertools.pairwise(EDGES):
        measured = np.exp(6 * told[f"share {low:g}-{high:g} Hz"]).mean()
        assert measured == pytest.approx((high - low) / 7_950, rel=0.05)


def test_noise_has_no_period_and_changes_sign_every_other_sample() -> None:
    told = found(white())
    assert told["periodicity"].max() < 0.6
    assert (told["zero crossings"] ** 2).mean() == pytest.approx(0.5, abs=0.01)
    assert np.exp(told["crest"]).mean() == pytest.approx(3.0, abs=0.3)


def test_flux_of_a_change_and_of_none() -> None:
    """Half a second each of two tones: root of two where shares have nothing in common."""
    samples = np.where(SECOND < 0.5, tone(500.0), tone(4000.0))
    flux = found(samples)["flux"]
    assert np.median(flux) < 0.01
    # Neighbouring windows overlap by half: the change takes three frames, none of them whole.
    assert 0.6 < flux.max() < np.sqrt(2)
    whole = audio.analyse(Sound(samples.astype(np.float32), RATE), FRONT_END)
    assert whole[0, 64 + NAMES.index("flux")] == 0


# -- a click -----------------------------------------------------------------------------


def test_the_crest_of_a_click_by_hand() -> None:
    """One sample of 512: the peak is root 512 times the root mean square."""
    told = found(click())
    inside = told["crest"] > 1
    assert inside.sum() == 2  # the windows overlap by half
    np.testing.assert_allclose(told["crest"][inside], np.log(512) / 2, atol=0.001)
    assert told["entropy"][inside].min() > 0.999
    np.testing.assert_allclose(told["flatness 2000-4000 Hz"][inside], 0, atol=0.001)


def test_the_bursts_of_a_click_by_hand() -> None:
    """A pulse of 1 ms is one of 32, 16 and 8 means; steps are up once, down once, else 0."""
    samples = np.zeros(RATE)
    # Hops are 256 samples and windows start there: so do the means of 16, 32 and 64.
    start = 31 * 256 - 256 + 128
    samples[start : start + 16] = 0.5
    told = found(samples)
    inside = told["crest"] > 1
    assert inside.sum() == 2
    for times in BURSTS:
        steps = np.zeros(32 // times - 1)
        steps[3:5] = np.array([1, -1]) / times
        # The root mean square of 16 in 512 samples is the root of 1/32 of their height.
        expected = np.log(np.std(steps, ddof=1) * np.sqrt(32) + 1e-3)
        np.testing.assert_allclose(told[f"bursts {times} ms"][inside], expected, atol=0.02)


def test_a_steady_tone_has_no_bursts_and_a_click_train_has() -> None:
    train = np.zeros(RATE)
    train[::160] = 0.5
    for times in BURSTS[:2]:
        name = f"bursts {times} ms"
        assert found(tone(4000.0))[name].max() < -2 < found(train)[name].min()


# -- double precision, written another way -------------------------------------------------


def reference(samples: Doubles) -> dict[str, Doubles]:
    """Some of the tracks in double precision, frame by frame, as their definitions say."""
    samples = samples.astype(np.float32).astype(np.float64)
    samples = samples / np.sqrt(np.mean(samples**2))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    hertz = np.arange(513) * RATE / 1024
    used = (hertz > 46) & (hertz <= 8000)
    octaves = np.log2(hertz[used] / 1000)
    lags = np.arange(round(0.002 * RATE), round(0.014 * RATE))
    own = np.array([np.sum(hann[lag:] * hann[: len(hann) - lag]) for lag in lags]) / np.sum(hann**2)
    told: dict[str, list[float]] = {}

    def tell(name: str, value: float) -> None:
        told.setdefault(name, []).append(value)

    # A frame's window stands around a multiple of the hop.
    for middle in range(3 * 256, len(samples) - 2 * 256, 256):
        frame = samples[middle - 256 : middle + 256]
        windowed = frame * hann
        power = np.abs(np.fft.rfft(windowed, 1024)) ** 2
        band = power[used] + 1e-7 / used.sum()
        share = band / band.sum()
        mean = np.sum(share * octaves)
        spread = np.sqrt(np.sum(share * (octaves - mean) ** 2))
        tell("energy", np.log(band.sum()) / 6)
        tell("centroid", mean)
        tell("spread", spread)
        tell("skewness", np.sum(share * ((octaves - mean) / spread) ** 3))
        tell("kurtosis", np.log1p(np.sum(share * ((octaves - mean) / spread) ** 4)))
        tell("entropy", -np.sum(share * np.log(share)) / np.log(used.sum()))
        for low, high in ((400, 800), (4000, 8000)):
            last = 8001 if high == 8000 else high - 7.8125
            part = share[(hertz[used] >= low - 7.8125) & (hertz[used] < last)]
            tell(f"share {low}-{high} Hz", np.log(part.sum()) / 6)
            tell(f"flatness {low}-{high} Hz", np.mean(np.log(part)) - np.log(part.mean()))
            tell(f"peak {low}-{high} Hz", np.log(part.max() / part.mean()))
        correlation = [np.sum(windowed[lag:] * windowed[: 512 - lag]) for lag in lags]
        height = np.array(correlation) / np.sum(windowed**2) / own
        tell("periodicity", height.max())
        tell("period", np.log2(lags[height.argmax()] / RATE / 0.005))
        tell("zero crossings", np.sqrt(np.mean(frame[1:] * frame[:-1] < 0)))
        rms = np.sqrt(np.mean(frame**2))
        tell("crest", np.log(np.abs(frame).max() / rms + 1e-3))
        for times in BURSTS:
            means = np.abs(frame).reshape(-1, 16 * times).mean(axis=1) / rms
            deviation = np.std(np.diff(means), ddof=1)
            tell(f"bursts {times} ms", np.log(deviation + 1e-3))
    return {name: np.array(values) for name, values in told.items()}


def test_the_tracks_are_their_definitions_in_double_precision() -> None:
    """On sound with a line, noise, level changes and a click."""
    rng = np.random.default_rng(3)
    swell = 0.2 + np.sin(2 * np.pi * 1.5 * SECOND) ** 2
    samples = 0.1 * rng.normal(0, 1, RATE).cumsum() * 0.02 + rng.normal(0, 0.05, RATE)
    samples = samples * swell + 0.1 * np.sin(2 * np.pi * 330 * SECOND) + click(8)
    expected, told = reference(samples), found(samples)
    assert len(expected) == 19
    for name, values in expected.items():
        count = min(len(values), len(told[name]))
        assert count > 50
        np.testing.assert_allclose(
            told[name][:count], values[:count], rtol=1e-3, atol=1e-3, err_msg=name
        )


# -- invariance --------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [0.01, 0.3, 2.0])
def test_loudness_is_nothing_after_levelling(gain: float) -> None:
    samples = white(1) + tone(300.0)
    before, after = found(samples), found(gain * samples)
    for name in NAMES:
        np.testing.assert_allclose(after[name], before[name], atol=2e-3, err_msg=name)


def test_a_sign_is_nothing() -> None:
    samples = white(1) + tone(300.0)
    before, after = found(samples), found(-samples)
    assert all(np.array_equal(after[name], before[name]) for name in NAMES)


def test_a_frame_depends_on_itself_and_the_one_before() -> None:
    grid = FRONT_END.grid
    frames = torch.randn(6, 512, generator=torch.Generator().manual_seed(0))
    power = torch.fft.rfft(frames * torch.hann_window(512), 1024).abs().square()
    whole = tracks.of(frames, power, grid)
    pair = tracks.of(frames[3:5], power[3:5], grid)
    torch.testing.assert_close(pair[1], whole[4])
    flux = NAMES.index("flux")
    others = [i for i in range(len(NAMES)) if i != flux]
    torch.testing.assert_close(pair[0, others], whole[3, others])
    assert pair[0, flux] == 0


def test_blocks_of_frames_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Sound(white(2).astype(np.float32), RATE)
    whole = audio.analyse(sound, FRONT_END)
    for size in (1, 7, 10_000):
        monkeypatch.setattr(audio, "_TRACKED", size)
        np.testing.assert_allclose(audio.analyse(sound, FRONT_END), whole, rtol=1e-4, atol=1e-4)


def test_the_log_mels_are_those_without_tracks() -> None:
    sound = Sound(white(1).astype(np.float32), RATE)
    kept, alone = audio.analyse(sound, FRONT_END), audio.analyse(sound, FrontEnd(tracks=False))
    assert kept.shape == (63, 104)
    assert alone.shape == (63, 64)
    np.testing.assert_array_equal(kept[:, :64], alone)
    np.testing.assert_array_equal(alone, audio.log_mel(sound, FRONT_END))


# -- edges -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE),
        np.ones(RATE),
        click(),
        np.full(RATE, 1e-20),
        1e9 * white(1),
        np.eye(1, RATE)[0],
    ],
    ids=["silence", "constant", "click", "nearly silence", "huge", "first sample"],
)
def test_everything_is_finite(samples: Doubles) -> None:
    level = FrontEnd(level="none" if not samples.any() else "rms")
    sound = Sound(samples.astype(np.float32), RATE)
    kept = audio.analyse(sound, level)
    assert np.isfinite(kept).all()
    assert np.isfinite(kept.astype(np.float16)).all()


def test_silence_by_hand() -> None:
    told = found(np.zeros(RATE), FrontEnd(level="none"))
    np.testing.assert_allclose(told["entropy"], 1, atol=1e-5)
    for name in ("flux", "flatness 50-200 Hz", "peak 50-200 Hz", "periodicity", "zero crossings"):
        np.testing.assert_allclose(told[name], 0, atol=1e-4)
    # 510 of 513 bins of the least energy.
    np.testing.assert_allclose(told["energy"], np.log(1e-7) / 6, atol=0.01)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("sample_rate=8000 front_end.high=4000 front_end.fft=2048 front_end.min_seconds=0.5",
         "need sample_rate >= 16000 Hz, got 8000"),
        ("window=0.02", r"need window >= 0.028 s, got 0.02"),
        ("fft=512", "need fft >= 736 points, got 512"),
        ("sample_rate=48000 front_end.fft=1920", "need fft >= 2208 points, got 1920"),
    ],
)  # fmt: skip
def test_what_tracks_cannot_be_made_from_says_what_to_set(override: str, sentence: str) -> None:
    told = f"front_end.tracks {sentence}; or set front_end.tracks=false$"
    with pytest.raises(ConfigError, match=told):
        load(f"front_end.{override}")
    load(f"front_end.{override} front_end.tracks=false")


def test_another_rate_has_the_same_bands() -> None:
    """48 kHz: what is above 8 kHz enters nothing of the spectrum."""
    wide = FrontEnd(sample_rate=48_000, fft=3072)
    samples = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000)
    high = 0.5 * np.sin(2 * np.pi * 12_000 * np.arange(48_000) / 48_000)
    alone, both = found(samples, wide), found(samples + high, wide)
    for name in ("centroid", "roll-off 90%", "entropy", "share 800-1200 Hz"):
        np.testing.assert_allclose(both[name], alone[name], atol=1e-3)
        np.testing.assert_allclose(alone[name], found(tone(1000.0))[name][0], atol=0.02)


def test_a_grid_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="sample_rate >= 16000 Hz, got 15999"):
        Grid(15_999, 1024, 512)
    Grid(16_000, 736, 512)
