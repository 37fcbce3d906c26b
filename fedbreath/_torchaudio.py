"""torchaudio's mel filter bank, importable beside a CPU-only torch.

The wheels of torchaudio 2.11 on the package index link CUDA libraries; beside a CPU
build of torch the compiled extension cannot be loaded and ``import torchaudio`` fails
with ``OSError: libc10_cuda.so``. Nothing that fedbreath uses needs the extension, so it
is replaced by an empty stand-in when, and only when, the plain import fails.
"""

import importlib
import sys
import types
from typing import Any


def load() -> Any:
    """Import ``torchaudio``, without its compiled extension where that cannot be loaded."""
    try:
        return importlib.import_module("torchaudio")
    except OSError:
        for name in [n for n in sys.modules if n.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _stand_in()
        return importlib.import_module("torchaudio")


def _stand_in() -> types.ModuleType:
    module = types.ModuleType("torchaudio._extension")

    def unavailable(function: Any) -> Any:
        return function

    module._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    module._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    module._check_cuda_version = lambda: None  # type: ignore[attr-defined]
    module.fail_if_no_align = unavailable  # type: ignore[attr-defined]
    return module
