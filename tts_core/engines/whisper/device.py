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
_LIBRARIES = ("cublas", "cublasLt", "cudnn")
"""The libraries that CTranslate2 opens by name when it first computes on a card; torch's wheels bring them."""


@dataclass(frozen=True, slots=True)
class WhisperDevice:
    device: str
    """The device in torch's words: "cpu" or "cuda:0"."""
    precision: str
    """The precision in CTranslate2's words."""
    reason: str = ""
    """The reason why it is not the card, in English; "" where there is nothing to explain."""

    @property
    def bytes_per_number(self) -> int:
        return _BYTES[self.precision]

    def on_cpu(self, reason: str) -> WhisperDevice:
        """The CPU in the place of a card that does not work."""
        logger.warning("Whisper computes on the CPU: %s can't be used (%s)", self.device, reason)
        return replace(_place(CPU), reason=reason)


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
    _open_libraries()
    return _place(f"{CUDA}:{number}")


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


def _open_libraries() -> None:
    """Open the card's libraries from the packages that bring them, so that CTranslate2 finds them opened by name."""
    for file in _library_files():
        try:
            ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            logger.info("%s can't be opened: %s", file, error)


def _library_files() -> Iterator[Path]:
    pattern = "{}64_*.dll" if sys.platform == "win32" else "lib{}.so.*"
    for folder in _library_folders():
        for name in _LIBRARIES:
            yield from sorted(folder.glob(pattern.format(name)))


def _library_folders() -> Iterator[Path]:
    """The folders of NVIDIA's own packages, and the one inside torch."""
    for package in ("nvidia", "torch"):
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            below = ("*/lib", "*/bin") if package == "nvidia" else ("lib",)
            for pattern in below:
                yield from sorted(Path(place).glob(pattern))
