"""torchaudio beside a torch without CUDA: the stand-in is the exception, not the rule."""

import importlib
import sys
from types import ModuleType

import pytest

from fedbreath import _torchaudio


@pytest.fixture
def untouched_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test does to the imported modules of torchaudio is undone."""
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)


def test_the_filter_bank_is_there() -> None:
    bank = _torchaudio.load().functional.melscale_fbanks(
        n_freqs=513, f_min=50.0, f_max=8000.0, n_mels=64, sample_rate=16_000
    )
    assert bank.shape == (513, 64)
    assert (bank.sum(dim=0) > 0).all()


def test_where_the_plain_import_works_nothing_is_replaced(
    untouched_modules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ModuleType("torchaudio")
    monkeypatch.setitem(sys.modules, "torchaudio", plain)
    assert _torchaudio.load() is plain
    assert "torchaudio._extension" not in sys.modules


def test_where_the_extension_cannot_be_loaded_only_it_is_replaced(
    untouched_modules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    second = ModuleType("torchaudio")

    def import_module(name: str) -> ModuleType:
        asked.append(name)
        if "torchaudio._extension" in sys.modules:
            return second
        sys.modules["torchaudio.half_done"] = ModuleType("torchaudio.half_done")
        raise OSError("libc10_cuda.so: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", import_module)
    assert _torchaudio.load() is second
    assert asked == ["torchaudio", "torchaudio"]
    assert "torchaudio.half_done" not in sys.modules
    monkeypatch.delitem(sys.modules, "torchaudio._extension")


def test_another_failure_is_not_hidden(
    untouched_modules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def import_module(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ModuleNotFoundError):
        _torchaudio.load()
    assert "torchaudio._extension" not in sys.modules
