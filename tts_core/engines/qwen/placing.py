"""The device and the precision that a model computes in, chosen automatically or as asked, with the reasons as data."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tts_core.engines.faults import DeviceUnavailable, PrecisionNotSupported
from tts_core.engines.qwen.device import probe
from tts_core.engines.qwen.kernels.processor import best_threads, has_fast_bfloat16, whole_numbers
from tts_core.engines.qwen.talker.weights import Placement
from tts_core.platform.acceleration import Reason

AUTO = "auto"
PRECISIONS = ("float32", "bfloat16", "float16", "int8", "int4")
"""int8 and int4 make the weights of the transformers' products whole numbers; everything else is float32 on CPUs and,
on cards, in the precision that "auto" chooses there."""
_BITS = {"int8": 8, "int4": 4}
_BFLOAT16_SINCE = 8
"""Major compute capability from which cards compute in bfloat16."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The device and the precision that were chosen, and why."""

    placement: Placement
    reasons: tuple[Reason, ...]

    @property
    def device(self) -> str:
        """torch's own name: "cuda:0", "mps" or "cpu"."""
        return str(self.placement.device)

    @property
    def precision(self) -> str:
        whole = {bits: name for name, bits in _BITS.items()}.get(self.placement.weight_bits)
        return whole or str(self.placement.dtype).removeprefix("torch.")


def choose(device: str = AUTO, precision: str = AUTO) -> Choice:
    """Choose device and precision. `device` is "auto" or torch's name of one; `precision` "auto" or one of PRECISIONS.

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
    if chosen in _BITS:
        check_whole_numbers(place, chosen)
        rest = getattr(torch, _best_precision(place)[0])
        return Choice(Placement(place, rest, _BITS[chosen]), (*reasons, reason))
    return Choice(Placement(place, getattr(torch, chosen)), (*reasons, reason))


def use_few_threads(asked: int | None = None) -> None:
    """Let torch compute on the CPU with `asked` threads; None means as many as help."""
    torch.set_num_threads(asked or best_threads())


def codec_dtype(placement: Placement) -> torch.dtype:
    """The codec decoder's type: bfloat16 beside whole numbers on a CPU with instructions for it, else float32."""
    shortens = placement.device.type == "cpu" and placement.weight_bits and has_fast_bfloat16()
    return torch.bfloat16 if shortens else torch.float32


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


def check_whole_numbers(place: torch.device, precision: str) -> None:
    """Check that a device computes "int8" or "int4": CPUs whose loops can be compiled do, NVIDIA cards only "int8".

    Raises PrecisionNotSupported.
    """
    able = whole_numbers() if place.type == "cpu" else ("int8",) if place.type == "cuda" else ()
    if precision not in able:
        choices = (AUTO, *(name for name in PRECISIONS if name not in _BITS), *able)
        raise PrecisionNotSupported(precision=precision, choices=", ".join(choices))


def _best_precision(place: torch.device) -> tuple[str, Reason]:
    if place.type == "cpu":
        return "float32", Reason("cpu_float32", {})
    if place.type == "cuda" and torch.cuda.get_device_capability(place)[0] >= _BFLOAT16_SINCE:
        return "bfloat16", Reason("gpu_bfloat16", {})
    return "float32", Reason("gpu_float32", {})
