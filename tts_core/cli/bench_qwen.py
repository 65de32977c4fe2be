"""How fast a model is on this machine: loading, memory, a frame's parts, time to first sound, speed."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts_core.cli import progress
from tts_core.settings import Settings
from tts_core.system import process_bytes

if TYPE_CHECKING:
    from tts_core.engine.timing import FrameTimes

TEXT = "The quick brown fox jumps over the lazy dog. It does so every morning, and nobody knows why."


def measure(folder: Path, settings: Settings, *, runs: int, frames: int) -> dict[str, Any]:
    """Load the model and make `runs` takes of `frames` frames. Raises what loading raises."""
    from tts_core.engine.speech_model import QwenModel  # noqa: PLC0415 - torch: only this subject needs it
    from tts_core.engine.timing import time_take  # noqa: PLC0415

    before = process_bytes(os.getpid())
    started = time.perf_counter()
    model = QwenModel.load(
        folder, device=settings.device, precision=settings.precision, threads=settings.threads, progress=_show
    )
    load_s = time.perf_counter() - started
    memory = process_bytes(os.getpid())
    times = []
    for number in range(runs):
        progress.show(f"Run {number + 1} of {runs}")
        times.append(time_take(model, TEXT, frames))
    progress.clear()
    return {
        "model": str(folder),
        "device": model.choice.device,
        "precision": model.choice.precision,
        "reasons": [reason.code for reason in model.choice.reasons],
        "runs": runs,
        "frames": frames,
        "load_s": round(load_s, 3),
        "weights_bytes": model.memory_bytes,
        "memory_bytes": memory,
        "memory_growth_bytes": memory - before,
        **_summary(times),
    }


def words(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people."""
    parts = report["frame_ms"]
    yield f"{report['model']} on {report['device']} in {report['precision']}"
    yield f"loaded in {report['load_s']:.1f} s, weights {report['weights_bytes'] / 1e6:.0f} MB"
    yield (
        f"a frame (80 ms of sound): {parts['total']:.1f} ms; talker {parts['talker']:.1f}, "
        f"code predictor {parts['code_predictor']:.1f}, codec {parts['codec']:.1f}"
    )
    yield f"first sound after {report['first_audio_s'] * 1000:.0f} ms, {report['rtf']:.2f} times real time"


def _summary(times: list[FrameTimes]) -> dict[str, Any]:
    """Medians over the runs."""

    def median(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in times))

    parts = {name: round(1000 * median(f"{name}_s"), 3) for name in ("total", "talker", "code_predictor", "codec")}
    return {"frame_ms": parts, "first_audio_s": round(median("first_audio_s"), 4), "rtf": round(median("rtf"), 3)}


def _show(done_bytes: int, total_bytes: int) -> None:
    progress.show(f"{done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB loaded")
