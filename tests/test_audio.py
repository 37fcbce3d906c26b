"""The front end: against torchaudio, its invariances, and every file that is not fit."""

import functools
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedbreath import _torchaudio, audio, soundfiles
from fedbreath.audio import FrontEnd, Sound, log_mel
from fedbreath.errors import AudioError
from fedbreath.recording import Recording

Floats = NDArray[np.float32]

#: Hz of the files that are written here.
RATE = 8000

#: A second of noise that fades in, so that it differs from its own reverse and shift.
NOISE = (np.random.default_rng(0).normal(0, 0.1, RATE) * np.linspace(0.2, 1, RATE)).astype("f4")


def read(path: Path) -> Sound:
    return audio.read(Recording(path.name, path, "demo", None, "cough"))


def heard(samples: Floats, rate: int) -> Sound:
    """What the front end takes from samples of shape (channels, samples)."""
    return audio.read(Recording("x", lambda: (samples, rate), "demo", None, "cough"))


def tone(hertz: float, rate: int, seconds: float = 1.0) -> Floats:
    time = np.arange(round(rate * seconds)) / rate
    wave: Floats = (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
    return wave


def wav(
    path: Path, samples: Floats = NOISE, rate: int = RATE, subtype: str = "PCM_16"
) -> bytearray:
    soundfile.write(path, samples, rate, subtype=subtype)
    return bytearray(path.read_bytes())


# -- log-mel ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "front_end",
    [
        FrontEnd(level="none"),
        FrontEnd(level="none", window=0.064, hop=0.01, fft=2048, mels=40, low=0, high=4000),
        FrontEnd(level="none", floor=1e-2),
        FrontEnd(level="none", window=0.0311, hop=0.0071, fft=625, mels=17, tracks=False),
        FrontEnd(level="none", window=0.064, low=1000, high=1200, mels=40, tracks=False),
    ],
    ids=["default", "other", "floor", "odd", "empty bands"],
)
@pytest.mark.filterwarnings("ignore:At least one mel filterbank")
def test_log_mel_is_torchaudios(front_end: FrontEnd) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    reference = _torchaudio.load().transforms.MelSpectrogram(
        sample_rate=front_end.sample_rate,
        n_fft=front_end.fft,
        win_length=front_end.window_samples,
        hop_length=front_end.hop_samples,
        f_min=front_end.low,
        f_max=front_end.high,
        n_mels=front_end.mels,
        power=2.0,
    )(torch.from_numpy(samples))
    expected = reference.clamp_min(front_end.floor).log().T.numpy()
    found = log_mel(Sound(samples, 16_000), front_end)
    np.testing.assert_allclose(np.exp(found), np.exp(expected), rtol=1e-5)


def test_power_is_of_the_levelled_samples() -> None:
    """Of each frame of 512 samples under a Hann window, by a transform in double precision."""
    samples = np.random.default_rng(2).normal(0, 0.01, 50_000)
    levelled = np.pad(samples / np.sqrt(np.mean(samples**2)), 256, "reflect")
    frames = np.lib.stride_tricks.sliding_window_view(levelled, 512)[::256]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    expected = np.abs(np.fft.rfft(frames * hann, 1024)) ** 2
    sound, front_end = Sound(samples.astype(np.float32), 16_000), FrontEnd()
    found = audio.power_of(*audio.frames_of(sound, front_end), front_end)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("samples", [3200, 3327, 3328, 16_000, 16_001])
def test_frames_are_one_and_one_for_each_hop(samples: int) -> None:
    sound = Sound(np.resize(NOISE, samples), 16_000)
    found = log_mel(sound, FrontEnd())
    assert found.shape == (1 + samples // 256, 64)
    assert found.dtype == np.float32


@pytest.mark.parametrize("gain", [0.1, 0.5, 8.0])
def test_level_takes_loudness_away_and_none_leaves_it(gain: float) -> None:
    quiet, loud = Sound(NOISE, RATE), Sound(NOISE * np.float32(gain), RATE)
    levelled, plain = FrontEnd(), FrontEnd(level="none", floor=1e-20)
    before, after = (np.exp(log_mel(sound, levelled)) for sound in (quiet, loud))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-5)
    moved = np.median(log_mel(loud, plain) - log_mel(quiet, plain))
    assert moved == pytest.approx(2 * np.log(gain), abs=1e-3)


def test_a_levelled_recording_has_unit_power_whatever_its_rate() -> None:
    for rate in (8000, 16_000, 44_100):
        energy = np.exp(log_mel(Sound(tone(1000, rate), rate), FrontEnd()))[5:-5].sum(axis=1)
        # A tone of unit power under a Hann window: sum |X|^2 over bins = fft sum(w^2) / 2.
        assert np.median(energy) == pytest.approx(1024 * 192 / 2, rel=0.05)


# -- resampling and channels --------------------------------------------------------------


@pytest.mark.parametrize("rate", [4000, 8000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_a_tone_where_it_is(rate: int) -> None:
    front_end = FrontEnd(mels=128)
    of_itself = log_mel(Sound(tone(1000, 16_000), 16_000), front_end)[10:-10].mean(axis=0)
    resampled = log_mel(Sound(tone(1000, rate), rate), front_end)[10:-10].mean(axis=0)
    assert resampled.argmax() == of_itself.argmax()
    assert resampled.max() == pytest.approx(of_itself.max(), abs=0.02)


@pytest.mark.parametrize("hertz", [9000, 11_000, 15_000])
def test_resampling_rejects_an_alias_by_60_db(hertz: int) -> None:
    """A tone above the new band's edge would come back at 16 kHz less its frequency."""
    front_end = FrontEnd(level="none", floor=1e-20)
    alias, kept = (
        np.exp(log_mel(Sound(tone(f, 44_100), 44_100), front_end))[10:-10].sum(axis=1).mean()
        for f in (hertz, 16_000 - hertz)
    )
    assert 10 * np.log10(kept / alias) > 60


def test_a_tone_beyond_hearing_leaves_finite_features() -> None:
    assert np.isfinite(log_mel(Sound(tone(30_000, 96_000), 96_000), FrontEnd())).all()


def test_the_louder_channel_is_taken_as_it_is() -> None:
    left, right = tone(440, RATE), NOISE
    for channels in (np.stack([left, right]), np.stack([right, left])):
        np.testing.assert_array_equal(heard(channels, RATE).samples, left)
    opposite = np.stack([left, -left])  # an average would be silence
    np.testing.assert_array_equal(heard(opposite, RATE).samples, left)


def test_a_quiet_channel_with_nan_is_refused() -> None:
    broken = NOISE * np.float32(0.01)
    broken[100] = np.nan
    with pytest.raises(AudioError, match="not finite"):
        heard(np.stack([NOISE, broken]), RATE)


# -- decoding -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [
        ("a.wav", "PCM_16", 4e-5),
        ("a.wav", "PCM_24", 2e-7),
        ("a.wav", "FLOAT", 0),
        ("a.wav", "PCM_U8", 2e-2),
        ("a.aiff", "PCM_16", 4e-5),
        ("a.flac", "PCM_16", 4e-5),
    ],
)
def test_lossless_files_give_back_their_samples(
    name: str, subtype: str, error: float, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / name, NOISE, RATE, subtype=subtype)
    sound = read(tmp_path / name)
    assert (sound.sample_rate, sound.seconds) == (RATE, 1.0)
    np.testing.assert_allclose(sound.samples, NOISE, rtol=0, atol=error)


def write_with_ffmpeg(path: Path, codec: str, samples: Floats, rate: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        for start in range(0, len(samples), 960):
            block = np.ascontiguousarray(samples[None, start : start + 960])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.ogg", ""),
        ("a.mp3", ""),
        ("a.m4a", "aac"),
        ("a.webm", "libopus"),
        ("a.opus", "libopus"),
        ("a.mka", "flac"),
    ],
)
def test_lossy_and_phone_formats_keep_tone_and_length(
    name: str, codec: str, tmp_path: Path
) -> None:
    rate, path = 48_000, tmp_path / name
    if codec == "flac":
        soundfile.write(tmp_path / "plain.flac", tone(1000, rate), rate)
        with av.open(str(tmp_path / "plain.flac")) as source, av.open(str(path), "w") as out:
            stream = out.add_stream_from_template(source.streams.audio[0])
            for packet in source.demux(source.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
    elif codec:
        write_with_ffmpeg(path, codec, tone(1000, rate), rate)
    else:
        soundfile.write(path, tone(1000, rate), rate)
    sound = read(path)
    assert sound.sample_rate == rate
    assert sound.seconds == pytest.approx(1.0, abs=0.06)  # codecs pad to whole frames
    middle = sound.samples[rate // 4 : rate // 4 + rate // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * 2 == pytest.approx(1000, abs=2)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_a_flac_whose_encoder_could_not_know_the_length_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", NOISE, RATE)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[18:26] = (int.from_bytes(content[18:26]) >> 36 << 36).to_bytes(8)
    (tmp_path / "a.flac").write_bytes(content)
    np.testing.assert_allclose(read(tmp_path / "a.flac").samples, NOISE, rtol=0, atol=2e-5)


# -- headers that are odd and no harm, and files that are not fit --------------------------


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000])
def test_a_wav_written_to_a_pipe_is_read(size: int, tmp_path: Path) -> None:
    content = wav(tmp_path / "a.wav")
    at = content.index(b"data") + 4
    content[at : at + 4] = content[4:8] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(content)
    assert len(read(tmp_path / "a.wav").samples) == len(NOISE)


@pytest.mark.parametrize("claimed", [RATE, 4 * RATE])
def test_a_wrong_byte_rate_is_no_truncation(claimed: int, tmp_path: Path) -> None:
    """Some recorders leave it; libsndfile logs "Bytes/sec : 8000 (should be 16000)"."""
    content = wav(tmp_path / "a.wav")
    content[28:32] = struct.pack("<I", claimed)
    (tmp_path / "a.wav").write_bytes(content)
    assert "should be" in soundfile.info(tmp_path / "a.wav").extra_info
    assert len(read(tmp_path / "a.wav").samples) == len(NOISE)


def cut(name: str, share: float = 0.6) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        soundfile.write(path, NOISE, RATE)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return make


def holding(samples: Floats, rate: int = RATE) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        wav(folder / "a.wav", samples, rate, "FLOAT")
        return folder / "a.wav"

    return make


def containing(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def claiming(rate: int, channels: int, samples: int) -> Callable[[Path], Path]:
    """A small FLAC file whose header claims any length."""

    def make(folder: Path) -> Path:
        soundfile.write(folder / "a.flac", NOISE, RATE)
        content = bytearray((folder / "a.flac").read_bytes())
        claim = rate << 44 | channels - 1 << 41 | 15 << 36 | samples
        content[18:26] = claim.to_bytes(8)
        (folder / "a.flac").write_bytes(content)
        return folder / "a.flac"

    return make


def video(folder: Path) -> Path:
    with av.open(str(folder / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 16
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return folder / "a.mp4"


#: Kind of file, how it is made, and what the reason must say.
UNFIT: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "a.wav", "missing: no such file"),
    "a folder": (lambda folder: folder, "no such file"),
    "zero bytes": (containing("a.wav", b""), "empty: the file has no bytes"),
    "text": (containing("a.wav", b"not found\n" * 50), "not audio"),
    "a web page": (containing("a.mp3", b"<html><body>404</body></html>"), "not audio"),
    "half a wav": (cut("a.wav"), "truncated"),
    "a wav without its last byte": (cut("a.wav", 0.99999), "truncated"),
    "half an aiff": (cut("a.aiff"), "truncated"),
    "half a flac": (cut("a.flac"), "broken"),
    "half an mp3": (cut("a.mp3"), "truncated"),
    "half an ogg": (cut("a.ogg"), "truncated: an Ogg stream"),
    "a header": (containing("a.wav", b"RIFF\x04\0\0\0WAVE"), "not audio"),
    "no samples": (holding(NOISE[:0]), "empty: no samples"),
    "NaN": (holding(np.where(NOISE > 0.2, np.float32(np.nan), NOISE)), "not finite"),
    "infinity": (holding(np.where(NOISE > 0.2, np.float32(np.inf), NOISE)), "not finite"),
    "silence": (holding(0 * NOISE), "silent: peak below -80 dB"),
    "hardly a sound": (holding(NOISE * np.float32(1e-5)), "silent"),
    "one sample": (holding(NOISE[-1:] + 1), "too short: 0.000 s, at least 0.2 s"),
    "50 ms": (holding(NOISE[-400:]), "too short: 0.050 s"),
    "two hours claimed": (claiming(8000, 1, 2 * 3600 * 8000), "too long: more than 60 min"),
    "15 GB claimed": (claiming(192_000, 8, 192_000 * 3500), "too large"),
    "an hour claimed": (claiming(8000, 1, 3599 * 8000), "broken|truncated"),
    "75 GB claimed": (claiming(655_350, 8, 655_350 * 3599), "sample rate: 655350 Hz"),
    "two hours": (holding(np.resize(NOISE, 7_300_000), 1000), "too long: more than 60 min"),
    "far beyond full scale": (holding(np.sign(NOISE) * np.float32(3.4e38)), "too loud"),
    "a film without sound": (video, "no audio stream"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_file_that_is_not_fit_says_why(kind: str, tmp_path: Path) -> None:
    make, reason = UNFIT[kind]
    path = make(tmp_path)
    with pytest.raises(AudioError, match=reason):
        log_mel(read(path), FrontEnd())


@functools.cache
def small_files() -> list[tuple[str, bytes]]:
    """One valid file of each format, half a second long or less."""
    short = np.resize(NOISE, 4000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("wav", "aiff", "flac", "ogg", "mp3"):
            soundfile.write(folder / f"a.{kind}", short, RATE)
        wav(folder / "float.wav", short, RATE, "FLOAT")
        write_with_ffmpeg(folder / "a.m4a", "aac", np.resize(NOISE, 9600), 48_000)
        write_with_ffmpeg(folder / "a.webm", "libopus", np.resize(NOISE, 9600), 48_000)
        written = [(p.name, p.read_bytes()) for p in sorted(folder.iterdir())]
    assert len(written) == 8
    return written


@settings(max_examples=200, deadline=None, database=None)
@given(
    which=st.integers(0, 7),
    changes=st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(0, 255)), max_size=8),
    in_header=st.booleans(),
    keep=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_no_damage_is_more_than_an_audio_error(
    which: int,
    changes: list[tuple[float, int]],
    in_header: bool,
    keep: float,
) -> None:
    name, content = small_files()[which]
    damaged = bytearray(content)
    reach = min(len(damaged), 200) if in_header else len(damaged)
    for place, value in changes:
        damaged[min(int(place * reach), reach - 1)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(damaged[: int(len(damaged) * keep)])
        try:
            found = log_mel(read(path), FrontEnd())
        except AudioError:
            return
    assert np.isfinite(found).all()


# -- condition ----------------------------------------------------------------------------


def test_condition_of_a_tone() -> None:
    found = audio.examine(Sound(tone(440, RATE), RATE))
    assert (found.seconds, found.sample_rate, found.clipped) == (1.0, RATE, 0.0)
    assert found.level == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)


def test_the_power_of_a_long_sound_is_exact() -> None:
    """A sum of sixteen million squares in single precision alone is off by 6e-5."""
    found = audio._power(np.resize(NOISE, RATE * 2001))
    assert found == pytest.approx(np.mean(NOISE.astype(np.float64) ** 2), rel=1e-6)


@pytest.mark.parametrize("limit", [0.99, 0.6, 0.3])
def test_clipping_is_counted(limit: float) -> None:
    """A tone of amplitude 1 is above the limit for 1 - 2 asin(limit) / pi of the time."""
    clipped = np.clip(2 * tone(20, 48_000), -limit, limit)
    found = audio.examine(Sound(clipped, 48_000)).clipped
    if limit < 0.5:
        assert found == 0, "below half of full scale nothing was clipped"
    else:
        # Within 0.1 % of the limit counts as at the limit.
        exact = 1 - 2 * np.arcsin(limit * 0.999) / np.pi
        assert found == pytest.approx(exact, abs=0.002)


def test_one_full_sample_is_no_clipping() -> None:
    peaked = NOISE.copy()
    peaked[[10, 20, 21, 900]] = 1
    assert audio.examine(Sound(peaked, RATE)).clipped == 0
    peaked[[22, 23]] = 1
    assert audio.examine(Sound(peaked, RATE)).clipped == pytest.approx(4 / RATE, abs=1e-5)


def test_digest_is_of_the_samples(tmp_path: Path) -> None:
    whole = np.round(NOISE * 32_768).astype(np.int16)
    for name, subtype, rate in (
        ("a.wav", "PCM_16", 8000),
        ("b.flac", "PCM_16", 8000),
        ("c.wav", "PCM_16", 16_000),
        ("d.wav", "PCM_24", 8000),
    ):
        soundfile.write(tmp_path / name, whole, rate, subtype=subtype)
    soundfile.write(tmp_path / "e.wav", np.stack([whole, whole // 2], axis=1), RATE)
    soundfile.write(tmp_path / "f.wav", whole[1:], RATE)
    digests = [audio.examine(read(p)).digest for p in sorted(tmp_path.iterdir())]
    same = [digest == digests[0] for digest in digests]
    assert same == [True, True, True, True, True, False]


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_whole_numbers_are_libsndfiles_floats(name: str, subtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(-(2**31), 2**31, (900, 2), dtype=np.int32)
    soundfile.write(tmp_path / name, whole, RATE, subtype=subtype)
    expected, _ = soundfile.read(tmp_path / name, dtype="float32", always_2d=True)
    found, _ = soundfiles.decode(tmp_path / name)
    np.testing.assert_array_equal(found, expected.T)
    assert found.dtype == np.float32
