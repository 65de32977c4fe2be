"""The device that models compute on and the reasons, as values. The probe that finds them is handed to SystemInfo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "cuda_ready": "Models run on the graphics card {name}.",
        "mps_ready": "Models run on the Apple graphics processor.",
        "no_gpu": "PyTorch {torch} sees no graphics card, so models run on the CPU, which is slower.",
        "torch_without_gpu": "PyTorch {torch} is a CPU-only build, so models run on the CPU, which is slower.",
        "gpu_unusable": "PyTorch {torch} can't compute on the graphics card it sees, so models run on the CPU: {error}",
        "torch_missing": "PyTorch is not installed: run pip install -r requirements.txt. The built-in voice works.",
        "torch_broken": "PyTorch can't be loaded, so only the built-in voice works: {error}",
        "device_asked": "The device was set to {device}.",
        "precision_asked": "The precision was set to {precision}.",
        "cpu_float32": "On a CPU models compute in float32: exact, and slow. With --precision int8, or by one click in "
        "the System tab, they are more than three times as fast.",
        "gpu_bfloat16": "The graphics processor computes in bfloat16: half the memory, the same sound.",
        "gpu_float32": "This graphics processor has no fast bfloat16, so models compute in float32.",
        "probe_timeout": "PyTorch did not load within {seconds} s, so the device is not known yet.",
    }
)
"""The English sentence of each reason code. Frontends translate by code."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason why the device was chosen: a code of REASONS and the parameters of its sentence."""

    code: str
    params: Mapping[str, str | int]

    @property
    def message(self) -> str:
        """The reason as an English sentence."""
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
class ProcessorAbilities:
    """The CPU's abilities that matter to models."""

    threads: int = 1
    """The number of threads that compute unless a setting says otherwise."""
    whole_numbers: tuple[str, ...] = ()
    """The precisions among "int8" and "int4" that it can compute in."""
    compiler_problem: str = ""
    """The reason why it can't compute in whole numbers, in English; "" if it can."""
    fast_bfloat16: bool = False


@dataclass(frozen=True, slots=True)
class Acceleration:
    """The device that models run on and the reasons for it."""

    supported: bool
    """Whether a graphics processor computes."""
    preferred_device: str
    """torch's own name of the device: "cuda:0", "mps" or "cpu"."""
    backend: str
    """The kind of device: "cuda", "rocm", "mps" or "cpu"."""
    reasons: tuple[Reason, ...]
    gpu: Gpu | None = None
    """The CUDA or ROCm card; None elsewhere."""
    torch_version: str | None = None
    """torch's version; None when it can't be loaded."""
    processor: ProcessorAbilities = field(default_factory=ProcessorAbilities)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Acceleration:
        """The inverse of `dataclasses.asdict`; raises KeyError or TypeError on another shape."""
        fields = dict(data)
        fields["reasons"] = tuple(Reason(**reason) for reason in data["reasons"])
        processor = data["processor"]
        fields["processor"] = ProcessorAbilities(**{**processor, "whole_numbers": tuple(processor["whole_numbers"])})
        if data["gpu"] is not None:
            capability = ComputeCapability(**data["gpu"]["compute_capability"])
            fields["gpu"] = Gpu(**{**data["gpu"], "compute_capability": capability})
        return cls(**fields)


def on_cpu(reason: Reason, *, torch_version: str | None = None) -> Acceleration:
    """The CPU as the device to compute on, for that reason."""
    return Acceleration(False, "cpu", "cpu", (reason,), torch_version=torch_version)
