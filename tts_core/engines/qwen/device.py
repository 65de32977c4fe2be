"""Which device torch can really compute on, and why. Knows torch; knows nothing of models.

Run as `python -m tts_core.engines.qwen.device` it prints one JSON line. The studio asks that way, in another process,
because torch takes seconds and hundreds of megabytes to load and a broken install must not take the studio with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from tts_core.engines.qwen.kernels.processor import best_threads, compiler_problem, has_fast_bfloat16, whole_numbers

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "cuda_ready": "The graphics card {name} computes.",
        "mps_ready": "The Apple graphics processor computes.",
        "no_gpu": "PyTorch {torch} sees no graphics card, so models run on the CPU, which is slower.",
        "torch_without_gpu": "PyTorch {torch} is a CPU-only build, so models run on the CPU, which is slower.",
        "gpu_unusable": "PyTorch {torch} can't compute on the graphics card it sees, so models run on the CPU: {error}",
        "torch_missing": "PyTorch is not installed: run pip install -r requirements.txt. The built-in voice works.",
        "torch_broken": "PyTorch can't be loaded, so only the built-in voice works: {error}",
        "device_asked": "The device {device} was asked for.",
        "precision_asked": "The precision {precision} was asked for.",
        "cpu_float32": "On a CPU models compute in float32: exact, and slow. With --precision int8, or by one click in "
        "the System tab, they are more than three times as fast.",
        "gpu_bfloat16": "The graphics processor computes in bfloat16: half the memory, the same sound.",
        "gpu_float32": "This graphics processor has no fast bfloat16, so models compute in float32.",
        "probe_timeout": "PyTorch did not load within {seconds} s, so the device is not known yet.",
    }
)
"""Reason code to English sentence. Frontends translate by code."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the device was chosen: a code of REASONS and what fills its sentence in."""

    code: str
    params: Mapping[str, str | int]

    @property
    def message(self) -> str:
        """English sentence."""
        return REASONS[self.code].format(**self.params)


@dataclass(frozen=True, slots=True)
class ComputeCapability:
    major: int
    minor: int


@dataclass(frozen=True, slots=True)
class Gpu:
    index: int
    name: str
    total_memory_bytes: int
    compute_capability: ComputeCapability


@dataclass(frozen=True, slots=True)
class Processor:
    """What the CPU offers to models."""

    threads: int = 1
    """That compute where nobody says how many."""
    whole_numbers: tuple[str, ...] = ()
    """Which of "int8" and "int4" can be computed."""
    compiler_problem: str = ""
    """English: why whole numbers can't be; "" if they can."""
    fast_bfloat16: bool = False


@dataclass(frozen=True, slots=True)
class Acceleration:
    """The device that models run on and why."""

    supported: bool
    """A graphics processor computes."""
    preferred_device: str
    """torch's own name: "cuda:0", "mps" or "cpu"."""
    backend: str
    """"cuda", "rocm", "mps" or "cpu"."""
    reasons: tuple[Reason, ...]
    gpu: Gpu | None = None
    """The CUDA or ROCm card; None elsewhere."""
    torch_version: str | None = None
    """None when torch can't be loaded."""
    processor: Processor = field(default_factory=Processor)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Acceleration:
        """The inverse of `dataclasses.asdict`; raises KeyError or TypeError on another shape."""
        fields = dict(data)
        fields["reasons"] = tuple(Reason(**reason) for reason in data["reasons"])
        processor = data["processor"]
        fields["processor"] = Processor(**{**processor, "whole_numbers": tuple(processor["whole_numbers"])})
        if data["gpu"] is not None:
            capability = ComputeCapability(**data["gpu"]["compute_capability"])
            fields["gpu"] = Gpu(**{**data["gpu"], "compute_capability": capability})
        return cls(**fields)


def on_cpu(reason: Reason, *, torch_version: str | None = None) -> Acceleration:
    """The CPU, for that reason."""
    return Acceleration(False, "cpu", "cpu", (reason,), torch_version=torch_version)


def probe() -> Acceleration:
    """Load torch and compute a little on each device, best first. Never raises: what fails becomes the reason."""
    try:
        import torch  # noqa: PLC0415 - seconds and hundreds of megabytes; only this process pays them
    except ModuleNotFoundError as error:
        if error.name == "torch":
            return on_cpu(Reason("torch_missing", {}))
        return on_cpu(Reason("torch_broken", {"error": _one_line(error)}))
    except Exception as error:  # noqa: BLE001 - a broken install fails in any way; it is reported as the reason
        return on_cpu(Reason("torch_broken", {"error": _one_line(error)}))
    return replace(_best_device(torch), processor=_processor())


def _processor() -> Processor:
    problem = compiler_problem()
    able = () if problem else whole_numbers()
    return Processor(best_threads(), able, problem, has_fast_bfloat16())


def _best_device(torch: Any) -> Acceleration:
    version = str(torch.__version__)
    candidates: tuple[tuple[Callable[[], bool], Callable[[Any], Acceleration]], ...] = (
        (torch.cuda.is_available, _cuda),
        (torch.backends.mps.is_available, _mps),
    )
    for is_available, describe in candidates:
        try:
            if is_available():
                return describe(torch)
        except Exception as error:  # noqa: BLE001 - drivers fail in any way; it is reported as the reason
            return on_cpu(Reason("gpu_unusable", {"torch": version, "error": _one_line(error)}), torch_version=version)
    has_gpu_code = torch.version.cuda or getattr(torch.version, "hip", None) or torch.backends.mps.is_built()
    code = "no_gpu" if has_gpu_code else "torch_without_gpu"
    return on_cpu(Reason(code, {"torch": version}), torch_version=version)


def _cuda(torch: Any) -> Acceleration:
    """The CUDA card with the most memory; raises what torch raises when it can't compute there."""
    count = torch.cuda.device_count()
    index = max(range(count), key=lambda number: torch.cuda.get_device_properties(number).total_memory)
    _compute_on(torch, f"cuda:{index}")
    card = torch.cuda.get_device_properties(index)
    gpu = Gpu(index, card.name, card.total_memory, ComputeCapability(card.major, card.minor))
    backend = "rocm" if getattr(torch.version, "hip", None) else "cuda"
    reasons = (Reason("cuda_ready", {"name": card.name}),)
    return Acceleration(True, f"cuda:{index}", backend, reasons, gpu, str(torch.__version__))


def _mps(torch: Any) -> Acceleration:
    _compute_on(torch, "mps")
    return Acceleration(True, "mps", "mps", (Reason("mps_ready", {}),), torch_version=str(torch.__version__))


def _compute_on(torch: Any, device: str) -> None:
    """A card too old for this build is still "available"; only computing shows it."""
    total = torch.ones(8, device=device).sum().item()
    if total != 8:
        raise ArithmeticError(f"{device} counted {total} instead of 8")


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(probe())) + "\n")
