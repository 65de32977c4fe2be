"""The device that torch can really compute on, and why. This module knows torch and nothing of models.

Run as `python -m tts_core.engines.qwen.device` it prints one JSON line. The studio asks that way, in another process,
because torch takes seconds and hundreds of megabytes to load and a broken install must not take the studio with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from tts_core.engines.qwen.kernels.processor import best_threads, compiler_problem, has_fast_bfloat16, whole_numbers
from tts_core.platform.acceleration import Acceleration, ComputeCapability, Gpu, ProcessorAbilities, Reason, on_cpu
from tts_core.platform.paths import ROOT_DIR

PROBE_TIMEOUT_S = 120
"""Seconds that the other process may take: torch loads in 4 s from a warm disk and in a minute from a cold one."""


def probe_acceleration(*, timeout_s: float = PROBE_TIMEOUT_S, python: str = sys.executable) -> Acceleration:
    """Run `probe` in another process. Never raises: what fails becomes the reason."""
    command = [python, "-m", "tts_core.engines.qwen.device"]
    try:
        answer = subprocess.run(  # noqa: S603 - our own module
            command, cwd=ROOT_DIR, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return on_cpu(Reason("probe_timeout", {"seconds": int(timeout_s)}))
    except OSError as error:
        return on_cpu(Reason("torch_broken", {"error": str(error)}))
    try:
        return Acceleration.from_json(json.loads(answer.stdout.splitlines()[-1]))
    except (IndexError, KeyError, TypeError, ValueError):
        # A crash inside torch's own libraries ends the process without an answer.
        last_words = answer.stderr.strip().splitlines()[-1:] or [f"it ended with status {answer.returncode}"]
        return on_cpu(Reason("torch_broken", {"error": last_words[0][:300]}))


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


def _processor() -> ProcessorAbilities:
    problem = compiler_problem()
    able = () if problem else whole_numbers()
    return ProcessorAbilities(best_threads(), able, problem, has_fast_bfloat16())


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
    """Compute a little there: a card too old for this build is still "available", and only computing shows it."""
    total = torch.ones(8, device=device).sum().item()
    if total != 8:
        raise ArithmeticError(f"{device} counted {total} instead of 8")


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(probe())) + "\n")
