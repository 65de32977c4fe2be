"""Where a model computes and in which precision, chosen by itself or as asked, with the reasons as data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

import torch

from tts_core.engine.device import Reason, probe
from tts_core.engine.weights import Placement
from tts_core.errors import DeviceUnavailable, PrecisionNotSupported

AUTO = "auto"
PRECISIONS = ("float32", "bfloat16", "float16", "int8")
"""int8: whole-number weights in the transformers' products, float32 for everything else; on CPUs only."""
_MAX_THREADS = 8
"""One row of a transformer waits for memory, not for arithmetic: more threads gain little and disturb others."""
_BFLOAT16_SINCE = 8
"""Major compute capability from which cards compute in bfloat16."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Device and precision, and why."""

    placement: Placement
    reasons: tuple[Reason, ...]

    @property
    def device(self) -> str:
        """torch's own name: "cuda:0", "mps" or "cpu"."""
        return str(self.placement.device)

    @property
    def precision(self) -> str:
        return "int8" if self.placement.int8 else str(self.placement.dtype).removeprefix("torch.")


def choose(device: str = AUTO, precision: str = AUTO) -> Choice:
    """`device` is "auto" or torch's name of one; `precision` "auto" or one of PRECISIONS.

    Raises DeviceUnavailable or PrecisionNotSupported.
    """
    if precision not in (AUTO, *PRECISIONS):
        raise PrecisionNotSupported(precision=precision, choices=", ".join((AUTO, *PRECISIONS)))
    if device == AUTO:
        found = probe()
        place, reasons = torch.device(found.preferred_device), found.reasons
    else:
        place, reasons = _asked(device), (Reason("device_asked", {"device": device}),)
    if precision != AUTO:
        chosen, reason = precision, Reason("precision_asked", {"precision": precision})
    else:
        chosen, reason = _best_precision(place)
    if chosen == "int8":
        check_int8(place)
        return Choice(Placement(place, torch.float32, int8=True), (*reasons, reason))
    return Choice(Placement(place, getattr(torch, chosen)), (*reasons, reason))


def use_few_threads() -> None:
    """Let torch compute on the CPU with as many threads as help."""
    torch.set_num_threads(min(torch.get_num_threads(), _MAX_THREADS))


def _asked(device: str) -> torch.device:
    try:
        place = torch.device(device)
        torch.ones(1, device=place).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch raises any of them
        reason = " ".join(str(error).split())[:200]
        raise DeviceUnavailable(device=device, reason=reason) from error
    if place.type == "meta":
        raise DeviceUnavailable(device=device, reason="it holds no numbers")
    if place.type == "cuda" and place.index is None:
        place = torch.device("cuda", torch.cuda.current_device())
    return place


def check_int8(place: torch.device) -> None:
    """Raises PrecisionNotSupported but for a CPU for which its loops can be compiled."""
    try:
        if place.type == "cpu":
            import_module("tts_core.engine.native_blocks")
            return
    except ImportError:
        pass
    raise PrecisionNotSupported(precision="int8", choices=", ".join((AUTO, *PRECISIONS[:-1])))


def _best_precision(place: torch.device) -> tuple[str, Reason]:
    if place.type == "cpu":
        return "float32", Reason("cpu_float32", {})
    if place.type == "cuda" and torch.cuda.get_device_capability(place)[0] >= _BFLOAT16_SINCE:
        return "bfloat16", Reason("gpu_bfloat16", {})
    return "float32", Reason("gpu_float32", {})
