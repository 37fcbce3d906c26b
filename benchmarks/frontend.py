"""``python -m benchmarks.frontend``: what the way from a file to a crop costs.

One thread, one run: decoding of each format, resampling, log-mel, writing the store, and
the whole path, in multiples of real time (seconds of audio per second of processor time);
beside it the same path by librosa; two worker processes against one (wall time); and
random crops from a store of 100 hours. Files are generated in a temporary folder, which
needs 4 GB; ``--root DIR`` adds real recordings. The last line is one JSON object.

librosa is an extra: ``pip install .[bench]``; without it its row says "not run".
"""

import argparse
import importlib.util
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import simulation  # noqa: F401 - first: it sets the number of threads

# isort: split
import av
import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from fedbreath import audio, building, soundfiles
from fedbreath.audio import FrontEnd, Sound
from fedbreath.config import component
from fedbreath.decoding import Readers
from fedbreath.features import Entry, Store, stored
from fedbreath.recording import Recording, Site

#: What is asked of the path; the run fails when one is missed.
WHOLE, OVER_LIBROSA, TWO_WORKERS, CROPS, GROWTH_MB = 1500.0, 4.0, 1.8, 200_000.0, 16.0

#: s. Length of a generated recording.
SECONDS = 10.0

#: Frames of a crop: one second at a hop of 16 ms.
FRAMES = 62

REPEATS = 5

FRONT_END = FrontEnd()


def signal(seed: int, rate: int, seconds: float = SECONDS) -> NDArray[np.float32]:
    """Noise whose spectrum falls like that of breathing, at a level of -20 dB."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(round(rate * seconds)))
    spectrum *= np.exp(-np.fft.rfftfreq(round(rate * seconds), 1 / rate) / 2000)
    wave = np.fft.irfft(spectrum)
    scaled: NDArray[np.float32] = (0.1 * wave / wave.std()).clip(-1, 1).astype(np.float32)
    return scaled


def webm(path: Path, samples: NDArray[np.float32]) -> None:
    """Write Opus in WebM at 48 kHz, as a browser records."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for start in range(0, len(samples), 960):
            block = np.ascontiguousarray(samples[None, start : start + 960])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


#: Name, file name, sample rate (Hz), subtype.
FORMATS = (
    ("WAV 16 bit, 44.1 kHz", "a.wav", 44_100, "PCM_16"),
    ("WAV 24 bit, 44.1 kHz", "b.wav", 44_100, "PCM_24"),
    ("WAV 16 bit, 8 kHz", "c.wav", 8_000, "PCM_16"),
    ("FLAC, 44.1 kHz", "d.flac", 44_100, "PCM_16"),
    ("Ogg Vorbis, 44.1 kHz", "e.ogg", 44_100, None),
    ("MP3, 44.1 kHz", "f.mp3", 44_100, None),
    ("WebM Opus, 48 kHz", "g.webm", 48_000, None),
)


def generated(folder: Path) -> dict[str, Path]:
    """One file of each format."""
    files = {}
    for name, file, rate, subtype in FORMATS:
        path = folder / file
        if path.suffix == ".webm":
            webm(path, signal(0, rate))
        else:
            soundfile.write(path, signal(0, rate), rate, subtype=subtype)
        files[name] = path
    return files


def speed(work: Callable[[], object], seconds: float, repeats: int = REPEATS) -> float:
    """Seconds of audio per second of processor time: the median of `repeats`."""
    work()
    rates = []
    for _ in range(repeats):
        started = time.process_time()
        rounds = 0
        while (used := time.process_time() - started) < 0.2:
            work()
            rounds += 1
        rates.append(rounds * seconds / used)
    return float(np.median(rates))


def beside(ours: Callable[[], object], theirs: Callable[[], object]) -> dict[str, float]:
    """Two ways with the same file in turn, so that both meet the same machine."""
    pairs = [(speed(ours, SECONDS, 1), speed(theirs, SECONDS, 1)) for _ in range(3 * REPEATS)]
    return {
        "ours": float(np.median([a for a, _ in pairs])),
        "librosa": float(np.median([b for _, b in pairs])),
        "ratio": float(np.median([a / b for a, b in pairs])),
    }


def recording(path: Path) -> Recording:
    """A file as the front end meets it."""
    return Recording(path.name, path, "benchmark", None, "breath")


def whole(path: Path) -> NDArray[np.float16]:
    """The whole path of one file, as a store is built: features and condition."""
    sound = audio.read(recording(path))
    audio.examine(sound)
    return stored(audio.log_mel(sound, FRONT_END))


def with_librosa(path: Path) -> NDArray[np.float32]:
    """The same by librosa, as published code for respiratory sound does it."""
    import librosa  # noqa: PLC0415 - an extra

    samples, rate = librosa.load(path, sr=FRONT_END.sample_rate)
    samples, _ = librosa.effects.trim(samples)
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=rate,
        n_fft=FRONT_END.fft,
        hop_length=FRONT_END.hop_samples,
        win_length=FRONT_END.window_samples,
        n_mels=FRONT_END.mels,
    )
    log: NDArray[np.float32] = librosa.power_to_db(power)
    return log


def least(path: Path) -> None:
    """What no version of the path leaves out: decode, resample, one transform a frame."""
    samples, rate = soundfiles.decode(path)
    at_16 = soxr.resample(samples[0], rate, FRONT_END.sample_rate, "HQ")
    frames = torch.from_numpy(at_16).unfold(0, FRONT_END.window_samples, FRONT_END.hop_samples)
    for first in range(0, len(frames), 128):
        torch.fft.rfft(frames[first : first + 128], FRONT_END.fft)


def parts(files: dict[str, Path], folder: Path) -> dict[str, float]:
    """Every step by itself."""
    found = {f"decode {name}": speed(_reading(path), SECONDS) for name, path in files.items()}
    samples = signal(0, 44_100)
    found["resample 44.1 to 16 kHz"] = speed(
        lambda: soxr.resample(samples, 44_100, 16_000, "HQ"), SECONDS
    )
    at_16 = Sound(signal(0, 16_000), 16_000)
    found["log-mel at 16 kHz"] = speed(lambda: audio.log_mel(at_16, FRONT_END), SECONDS)
    frames = stored(audio.log_mel(at_16, FRONT_END))
    with (folder / "features").open("wb") as file:
        found["write to the store"] = speed(lambda: frames.tofile(file), SECONDS)
    return found


def _reading(path: Path) -> Callable[[], object]:
    one = recording(path)
    return lambda: audio.read(one)


def real(root: str) -> dict[str, float]:
    """The whole path over every real recording, data set by data set."""
    found = {}
    for name in ("sprsound", "icbhi2017", "coswara", "covid19_cough", "esc10", "noise_of_life"):
        (site,) = component("data", name, [f"root='{root}'"]).build().sites()
        paths = [r.source for r in site.recordings]
        seconds = sum(audio.read(recording(path)).seconds for path in paths)
        started = time.process_time()
        for path in paths:
            whole(path)
        found[name] = seconds / (time.process_time() - started)
    return found


def pooled(folder: Path, count: int) -> dict[str, float]:
    """Wall time of building a store from WAV files by one and by two workers."""
    paths = [folder / f"{n:04d}.wav" for n in range(count)]
    for n, path in enumerate(paths):
        soundfile.write(path, signal(n % 16, 44_100), 44_100, subtype="PCM_16")
    site = Site("wav", tuple(recording(path) for path in paths))
    few = Site("few", site.recordings[:64])
    found = {}
    for workers in (1, 2):
        best = []
        for repeat in range(3):
            with Readers(workers) as readers:
                # Processes start before the clock does.
                building.prepare(few, FRONT_END, folder / f"few-{workers}-{repeat}", readers)
                started = time.perf_counter()
                building.prepare(site, FRONT_END, folder / f"all-{workers}-{repeat}", readers)
                best.append(count * SECONDS / (time.perf_counter() - started))
        found[f"{workers} worker{'s' * (workers > 1)}"] = float(np.median(best))
    return found


def hours_store(folder: Path, hours: float) -> Store:
    """A store of generated features: noise, cut into recordings of ten seconds."""
    frames = FRONT_END.frames(SECONDS)
    count = round(hours * 3600 / SECONDS)
    block = np.random.default_rng(0).normal(0, 5, (frames * 360, FRONT_END.mels))
    path = folder / f"{hours:g}.f16"
    with path.open("wb") as file:
        for start in range(0, count, 360):
            block[: frames * min(360, count - start)].astype(np.float16).tofile(file)
    entries = tuple(
        Entry(recording(Path(f"{n}.wav")), n * frames, frames, SECONDS, 16_000, -20.0)
        for n in range(count)
    )
    features: NDArray[np.float16] = np.memmap(
        path, np.float16, "r", shape=(count * frames, FRONT_END.mels)
    )
    site = Site("generated", tuple(entry.recording for entry in entries))
    # As `open_store` does: slices of a memmap cost far more than those of a plain array.
    return Store(site, FRONT_END, entries, np.asarray(features))


def own_memory() -> float:
    """Memory of this process that is no file's: MB; what a memory map holds is the system's."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def crops(folder: Path, hours: float) -> dict[str, float]:
    """Random crops a CPU-second, and how much memory drawing them takes."""
    selection = hours_store(folder, hours).select()
    rng = np.random.default_rng(0)
    count = len(selection)

    def draw() -> object:
        return selection.crops(rng.integers(0, count, 64), FRAMES, rng)

    draw()
    before = own_memory()
    rate = speed(draw, 64)
    return {"crops": rate, "growth_mb": own_memory() - before}


def measure(root: str | None, files: int) -> dict[str, Any]:
    """Everything, as one tree of numbers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = generated(folder)
        wav = made[FORMATS[0][0]]
        result: dict[str, Any] = {"steps": parts(made, folder)}
        result["whole"] = {name: speed(_whole(path), SECONDS) for name, path in made.items()}
        has_librosa = importlib.util.find_spec("librosa") is not None
        result["librosa"] = result["least"] = None
        if has_librosa:
            result["librosa"] = beside(lambda: whole(wav), lambda: with_librosa(wav))
            result["least"] = beside(lambda: least(wav), lambda: with_librosa(wav))
        result["real"] = real(root) if root else None
        result["workers"] = pooled(folder, files)
        result["store"] = {f"{hours:g} h": crops(folder, hours) for hours in (1.0, 100.0)}
    whole_path, hundred = result["whole"][FORMATS[0][0]], result["store"]["100 h"]
    result["bounds"] = {
        "whole path": (whole_path, WHOLE),
        "two workers over one": (
            result["workers"]["2 workers"] / result["workers"]["1 worker"],
            TWO_WORKERS,
        ),
        "crops a CPU-second from 100 h": (hundred["crops"], CROPS),
    }
    if has_librosa:
        result["bounds"]["whole path over librosa's"] = (result["librosa"]["ratio"], OVER_LIBROSA)
    grown = hundred["growth_mb"]
    result["met"] = grown <= GROWTH_MB and all(v >= b for v, b in result["bounds"].values())
    return result


def _whole(path: Path) -> Callable[[], object]:
    return lambda: whole(path)


def show(result: dict[str, Any]) -> Table:
    """The figures as a table."""
    table = Table(title="multiples of real time, one thread (processor time)")
    table.add_column("step")
    table.add_column("x real time", justify="right")
    for name, value in result["steps"].items():
        table.add_row(name, f"{value:,.0f}")
    for name, value in result["whole"].items():
        table.add_row(f"whole path, {name}", f"{value:,.0f}")
    librosa = result["librosa"]
    said = f"{librosa['librosa']:,.0f}" if librosa else "not run: pip install .[bench]"
    table.add_row(f"librosa's path, {FORMATS[0][0]}", said)
    if librosa:
        table.add_row("whole path, in turn with librosa's", f"{librosa['ours']:,.0f}")
        ratio = f"{result['least']['ratio']:.2f} times librosa's path"
        table.add_row("decode, resample and transform alone", ratio)
    for name, value in (result["real"] or {}).items():
        table.add_row(f"whole path, real: {name}", f"{value:,.0f}")
    for name, value in result["workers"].items():
        table.add_row(f"building a store, {name} (wall time)", f"{value:,.0f}")
    for name, value in result["store"].items():
        text = f"{value['crops']:,.0f} a CPU-second, memory {value['growth_mb']:+.1f} MB"
        table.add_row(f"random crops of 62 x 64, store of {name}", text)
    for name, (value, bound) in result["bounds"].items():
        mark = "met" if value >= bound else "MISSED"
        table.add_row(f"bound: {name}", f"{value:,.2f}, at least {bound:g}: {mark}")
    return table


def main(words: Sequence[str] | None = None) -> int:
    """Print the table and the JSON line; return 1 when a bound is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.frontend",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", help="folder of the real data sets")
    parser.add_argument("--files", type=int, default=2400, help="WAV files for the workers")
    asked = parser.parse_args(words)
    torch.set_num_threads(1)
    result = measure(asked.root, asked.files)
    Console(width=120).print(show(result))
    print(json.dumps(result))
    return 0 if result["met"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
