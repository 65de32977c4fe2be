"""The device and the precision that CTranslate2 computes in, and why; on NVIDIA cards with the libraries of torch."""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import ctranslate2

from tts_core.engines.faults import DeviceUnavailable

logger = logging.getLogger(__name__)

AUTO, CPU, CUDA = "auto", "cpu", "cuda"
_PRECISIONS = {CPU: ("int8", "float32"), CUDA: ("float16", "float32")}
"""The precisions by device, the one to prefer first."""
_BYTES = {"int8": 1, "float16": 2, "float32": 4}
_LIBRARIES = (
    ("cublasLt64_12.dll", "cublas64_12.dll") if sys.platform == "win32" else ("libcublasLt.so.12", "libcublas.so.12")
)
"""Libraries of CUDA 12 that CTranslate2 opens by name when it first computes; each after what it needs."""
_INSTALL = "Install what it needs of CUDA 12: pip install nvidia-cublas-cu12"


@dataclass(frozen=True, slots=True)
class WhisperDevice:
    device: str
    """The device in torch's words: "cpu" or "cuda:0"."""
    precision: str
    """The precision in CTranslate2's words."""
    reason: str = ""
    """The reason why it is not the card, in English; "" where there is nothing to explain."""
    advice: str = ""
    """The way to make a card work whose libraries were not found, in English."""

    @property
    def bytes_per_number(self) -> int:
        return _BYTES[self.precision]

    def on_cpu(self, reason: str) -> WhisperDevice:
        """The CPU in the place of a card that does not work."""
        logger.warning("Whisper computes on the CPU: %s can't be used (%s)", self.device, reason)
        return replace(_place(CPU), reason=f"{reason} {self.advice}".strip())


def choose(device: str = AUTO) -> WhisperDevice:
    """The place for "auto" or torch's name of a device. Raises DeviceUnavailable.

    Cards of other makers are torch's alone; Whisper computes on the CPU beside them.
    """
    kind, _, index = device.partition(":")
    if kind not in (AUTO, CUDA):
        return _place(CPU)
    cards = _cards()
    if kind == AUTO and not cards:
        return _place(CPU)
    number = int(index) if index.isdecimal() else 0
    if number >= cards:
        raise DeviceUnavailable(device=device, reason=f"CTranslate2 finds {cards} CUDA cards")
    is_whole = _open_libraries()
    return replace(_place(f"{CUDA}:{number}"), advice="" if is_whole else _INSTALL)


def _cards() -> int:
    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError as error:  # a driver that is too old
        logger.warning("CTranslate2 can't ask for CUDA cards: %s", error)
        return 0


def _place(device: str) -> WhisperDevice:
    kind, _, index = device.partition(":")
    able = ctranslate2.get_supported_compute_types(kind, int(index or 0))
    return WhisperDevice(device, next((name for name in _PRECISIONS[kind] if name in able), "float32"))


def _open_libraries() -> bool:
    """Open the card's libraries from the packages that bring them, so that CTranslate2 finds them opened by name.

    False where one of them is neither there nor anywhere else.
    """
    folders = (*_library_folders(), None)
    return all(any(_opened(name, folder) for folder in folders) for name in _LIBRARIES)


def _opened(name: str, folder: Path | None) -> bool:
    """Whether a library could be opened from that folder; None for wherever the system finds it."""
    if folder is not None and not (folder / name).is_file():
        return False
    try:
        ctypes.CDLL(name if folder is None else str(folder / name), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        logger.info("%s can't be opened: %s", name, error)
        return False
    return True


def _library_folders() -> Iterator[Path]:
    """The folders of NVIDIA's own packages, and the one inside torch."""
    for package in ("nvidia", "torch"):
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            below = ("*/lib", "*/bin") if package == "nvidia" else ("lib",)
            for pattern in below:
                yield from sorted(Path(place).glob(pattern))
