"""How a model serves many at once: time to the first sound, underruns, seconds of sound per second together."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

from tts_core.cli import progress
from tts_core.events import AudioChunk
from tts_core.settings import Settings

if TYPE_CHECKING:
    from tts_core.engine.speech_model import QwenModel, SpeechRequest

TEXT = "The quick brown fox jumps over the lazy dog. It does so every morning, and nobody knows why."


@dataclass(frozen=True, slots=True)
class _Heard:
    first_audio_s: float
    audio_s: float
    underruns: int
    """Chunks that came after a listener who began with the first one had heard all before."""


def measure(folder: Path, settings: Settings, *, clients: int, frames: int, runs: int) -> dict[str, Any]:
    """Load the model, then let `clients` ask at the same moment, `runs` times. Raises what loading raises."""
    from tts_core.engine.speech_model import QwenModel  # noqa: PLC0415 - torch: only this subject needs it

    model = QwenModel.load(folder, device=settings.device, precision=settings.precision)
    started = time.perf_counter()
    wait_until_warm(model)
    warm_s = time.perf_counter() - started
    report = {"model": str(folder), "device": model.choice.device, "precision": model.choice.precision}
    return {**report, "slots": model.slots, "warm_up_s": round(warm_s, 1), **serve(model, clients, frames, runs)}


def serve(model: QwenModel, clients: int, frames: int, runs: int) -> dict[str, Any]:
    """The same with a loaded model, after one round to warm up."""
    heard: list[_Heard] = []
    wall_s = 0.0
    for number in range(runs + 1):
        progress.show(f"Round {number} of {runs}, {clients} at once")
        round_heard, round_s = _round(model, clients, frames)
        if number:
            heard += round_heard
            wall_s += round_s
    progress.clear()
    firsts = sorted(one.first_audio_s for one in heard)
    return {
        "clients": clients,
        "frames": frames,
        "runs": runs,
        "first_audio_p50_s": round(statistics.median(firsts), 4),
        "first_audio_p95_s": round(firsts[min(len(firsts) - 1, int(0.95 * len(firsts)))], 4),
        "audio_s_per_s": round(sum(one.audio_s for one in heard) / wall_s, 3),
        "frame_ms": round(1000 * wall_s / (runs * frames), 3),
        "underruns": sum(one.underruns for one in heard),
    }


def words(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people."""
    yield (
        f"{report['clients']} at once: {report['audio_s_per_s']:.1f} s of sound a second, {report['frame_ms']:.2f} ms "
        f"a frame; first sound after {1000 * report['first_audio_p50_s']:.0f} ms (median), "
        f"{1000 * report['first_audio_p95_s']:.0f} ms (95 %); {report['underruns']} chunks came too late"
    )


def wait_until_warm(model: QwenModel) -> None:
    """Until everything usual is recorded; nothing to wait for on a CPU."""
    model.scheduler.wait_until_warm(lambda done, of_all: progress.show(f"{done} of {of_all} recordings"))
    progress.clear()


def _round(model: QwenModel, clients: int, frames: int) -> tuple[list[_Heard], float]:
    requests = _requests(model, clients, frames)
    together = Barrier(clients + 1)
    heard: list[_Heard] = []

    def client(request: SpeechRequest) -> None:
        together.wait()
        heard.append(_hear(model, request))

    threads = [Thread(target=client, args=(request,), daemon=True) for request in requests]
    for thread in threads:
        thread.start()
    together.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return heard, time.perf_counter() - started


def _requests(model: QwenModel, clients: int, frames: int) -> list[SpeechRequest]:
    from tts_core.engine.prompt import PromptRequest  # noqa: PLC0415 - see measure
    from tts_core.engine.speech_model import SpeechRequest  # noqa: PLC0415
    from tts_core.engine.timing import any_voice  # noqa: PLC0415

    prompt = PromptRequest(TEXT, any_voice(model))
    return [SpeechRequest(prompt, seed=seed, max_frames=frames + 1) for seed in range(clients)]


def _hear(model: QwenModel, request: SpeechRequest) -> _Heard:
    asked = time.perf_counter()
    first, audio_s, underruns = 0.0, 0.0, 0
    for event in model.stream(request):
        if isinstance(event, AudioChunk):
            now = time.perf_counter()
            first = first or now
            underruns += now > first + audio_s and audio_s > 0
            audio_s += len(event.samples) / model.sample_rate
    return _Heard(first - asked, audio_s, underruns)
