"""Measures how a model serves many at once: time to the first sound, underruns, seconds of sound a second together."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

from tts_core.cli import progress
from tts_core.cli.bench.hearing import Playback, hear
from tts_core.platform.settings.studio import Settings
from tts_core.platform.system import peak_bytes

if TYPE_CHECKING:
    from tts_core.engines.qwen.speech_model import QwenModel, SpeechRequest

TEXT = "The quick brown fox jumps over the lazy dog. It does so every morning, and nobody knows why."


def measure(folder: Path, settings: Settings, *, clients: int, frames: int, runs: int) -> dict[str, Any]:
    """Load the model, then let `clients` ask at the same moment, `runs` times. Raises what loading raises."""
    from tts_core.cli.bench import timing  # noqa: PLC0415 - torch: only this subject needs it
    from tts_core.engines.qwen.speech_model import QwenModel  # noqa: PLC0415

    model = QwenModel.load(folder, device=settings.device, precision=settings.precision, threads=settings.threads)
    started = time.perf_counter()
    wait_until_warm(model)
    warm_s = time.perf_counter() - started
    report = {
        "settings": {
            "model": folder.name,
            "kind": model.config.kind,
            "size": model.config.size,
            "device": model.device,
            "precision": model.choice.precision,
            "threads": timing.threads(),
            "slots": model.slots,
            "clients": clients,
            "frames": frames,
            "runs": runs,
        },
        "warm_up_s": round(warm_s, 1),
        **serve(model, clients, frames, runs),
        "memory": {
            "weights_bytes": model.memory_bytes,
            "peak_bytes": peak_bytes(os.getpid()),
            "gpu_peak_bytes": timing.gpu_peak_bytes(),
        },
    }
    model.close()
    return report


def serve(model: QwenModel, clients: int, frames: int, runs: int) -> dict[str, Any]:
    """Let `clients` ask a loaded model at the same moment, `runs` times after one round to warm up."""
    playbacks: list[Playback] = []
    wall_s = 0.0
    for number in range(runs + 1):
        progress.show(f"Round {number} of {runs}, {clients} at once")
        round_playbacks, round_s = _round(model, clients, frames)
        if number:
            playbacks += round_playbacks
            wall_s += round_s
    progress.clear()
    return {
        "clients": clients,
        "first_byte_s": _percentiles([one.first_byte_s for one in playbacks]),
        "first_audible_s": _percentiles([one.first_audible_s for one in playbacks]),
        "rtf_of_one": _percentiles([one.rtf for one in playbacks]),
        "audio_s_per_s": round(sum(one.audio_s for one in playbacks) / wall_s, 3),
        "frame_ms": round(1000 * wall_s / (runs * frames), 3),
        "underruns": sum(one.underruns for one in playbacks),
    }


def words(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people."""
    first = report["first_byte_s"]
    yield (
        f"{report['clients']} at once: {report['audio_s_per_s']:.1f} s of sound a second, {report['frame_ms']:.2f} ms "
        f"a frame; first sound after {1000 * first['p50']:.0f} ms (median), {1000 * first['p95']:.0f} ms (95 %); "
        f"{report['underruns']} chunks came too late"
    )


def wait_until_warm(model: QwenModel) -> None:
    """Wait until everything usual is recorded; on a CPU there is nothing to wait for."""
    model.scheduler.wait_until_warm(lambda done, of_all: progress.show(f"{done} of {of_all} recordings"))
    progress.clear()


def _round(model: QwenModel, clients: int, frames: int) -> tuple[list[Playback], float]:
    requests = _requests(model, clients, frames)
    together = Barrier(clients + 1)

    def client(request: SpeechRequest) -> Playback:
        together.wait()
        return hear(model.stream(request), model.sample_rate)

    with ThreadPoolExecutor(clients) as threads:
        playbacks = [threads.submit(client, request) for request in requests]
        together.wait()
        started = time.perf_counter()
    return [one.result() for one in playbacks], time.perf_counter() - started


def _percentiles(values: list[float]) -> dict[str, float]:
    """The median, and the value that 95 % of them don't exceed."""
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 4),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 4),
    }


def _requests(model: QwenModel, clients: int, frames: int) -> list[SpeechRequest]:
    from tts_core.cli.bench.timing import any_voice  # noqa: PLC0415
    from tts_core.engines.qwen.speech_model import SpeechRequest  # noqa: PLC0415
    from tts_core.engines.qwen.talker.prompt import PromptRequest  # noqa: PLC0415 - see measure

    prompt = PromptRequest(TEXT, any_voice(model))
    return [SpeechRequest(prompt, seed=seed, max_frames=frames + 1) for seed in range(clients)]
