"""The processor's offer to models: threads, small whole numbers, bfloat16. Loads torch only when asked.

A container may have fewer processors than the machine; more threads than processors make them wait for each other.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import psutil

MAX_THREADS = 8
"""Most threads that are used. One row of a transformer waits for memory, not for arithmetic: more threads gain little
and disturb others."""
_QUOTA_FILES = (Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))
_PERIOD_FILE = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def best_threads() -> int:
    """The number of threads that help: the cores that this process may use, at most MAX_THREADS."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, min(cores, _processors(), MAX_THREADS))


def whole_numbers() -> tuple[str, ...]:
    """The precisions that compiled loops offer here: "int8", and "int4" where 4 bits are faster than 8."""
    try:
        from tts_core.engines.qwen.kernels.native_vectors import DOT  # noqa: PLC0415 - loads a compiler, which may be missing
    except ImportError:
        return ()
    return ("int8", "int4") if DOT else ("int8",)


def compiler_problem() -> str:
    """Try to compile for this processor; answers in English why that fails, "" where it works."""
    try:
        from tts_core.engines.qwen.kernels.native_vectors import try_compiler  # noqa: PLC0415 - may be missing

        try_compiler()
    except Exception as error:  # noqa: BLE001 - a broken compiler fails in any way; it is reported as the reason
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return ""


def has_fast_bfloat16() -> bool:
    """Whether this processor has instructions for products of bfloat16 (AMX, AVX512-BF16).

    Without them these products take ten times as long.
    """
    import torch  # noqa: PLC0415 - seconds

    questions = [getattr(torch.cpu, name, None) for name in _BFLOAT16_QUESTIONS] if hasattr(torch, "cpu") else []
    return any(ask() for ask in questions if ask is not None)


_BFLOAT16_QUESTIONS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def _processors() -> int:
    """The number of processors that the system lets this process use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, _quota() or allowed)


def _quota() -> int | None:
    """Processors that the container's time is worth, rounded up; None where nothing limits it."""
    for file in _QUOTA_FILES:
        try:
            words = file.read_text(encoding="ascii").split()
            period = words[1] if len(words) > 1 else _PERIOD_FILE.read_text(encoding="ascii")
            share = int(words[0]) / int(period)
        except (OSError, ValueError, IndexError, ZeroDivisionError):
            continue
        return math.ceil(share) if share > 0 else None
    return None
