"""Measures how fast a model speaks: takes as a listener gets them, a frame's parts, memory, also beside a peer."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts_core.cli import progress
from tts_core.cli.bench import peer as bench_peer
from tts_core.cli.bench.hearing import Playback, hear
from tts_core.cli.bench.peer import Peer, PeerChoice, Task
from tts_core.cli.bench.report import spread
from tts_core.cli.bench.serve import TEXT, wait_until_warm
from tts_core.platform.settings.studio import Settings
from tts_core.platform.system import peak_bytes

if TYPE_CHECKING:
    from tts_core.cli.bench.timing import FrameTimes
    from tts_core.engines.qwen.speech_model import QwenModel

_MOST_TRIES = 5
"""Takes that may end early, one after the other, until one has all its frames."""


def measure(folder: Path, settings: Settings, *, runs: int, frames: int, peer: PeerChoice | None) -> dict[str, Any]:
    """Make `runs` takes of `frames` frames, in turn with the peer's where there is one.

    Raises what loading raises, and MeasurementFailed where the peer does not answer.
    """
    from tts_core.cli.bench import timing  # noqa: PLC0415 - torch: seconds, and only this subject needs it
    from tts_core.engines.qwen.placing import choose, use_few_threads  # noqa: PLC0415
    from tts_core.engines.qwen.speech_model import QwenModel  # noqa: PLC0415

    choice = choose(settings.device, settings.precision)
    use_few_threads(settings.threads)
    task = Task(folder, choice.device, timing.threads(), frames, TEXT)
    with nullcontext(None) if peer is None else bench_peer.start(peer, task) as other:
        model = QwenModel.load(
            folder, device=choice.device, precision=choice.precision, threads=settings.threads, progress=_show
        )
        wait_until_warm(model)
        own_takes, peer_takes = _takes(model, other, runs, frames)
        peer_report = None if other is None else _peer_report(other, peer_takes)
    progress.show("A frame's parts")
    parts = timing.FrameTimer(model).times(TEXT, frames, runs)
    progress.clear()
    report = {
        "settings": {
            "model": folder.name,
            "kind": model.config.kind,
            "size": model.config.size,
            "device": model.device,
            "precision": model.choice.precision,
            "threads": task.threads,
            "prompt_positions": _prompt_positions(model),
            "frames": frames,
            "runs": runs,
        },
        **_summary(own_takes),
        "frame_ms": _frame_ms(parts),
        "memory": {
            "weights_bytes": model.memory_bytes,
            "peak_bytes": peak_bytes(os.getpid()),
            "gpu_peak_bytes": timing.gpu_peak_bytes(),
        },
    }
    model.close()
    if peer_report is not None:
        report |= {"peer": peer_report, "ratio": ratios(own_takes, peer_takes)}
    return report


def words(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people."""
    settings, parts, memory = report["settings"], report["frame_ms"], report["memory"]
    names = ("prefill", "talker", "code_predictor", "codec", "host")
    split = ", ".join(f"{name.replace('_', ' ')} {parts[name]:.1f}" for name in names)
    work = f"{settings['frames']} frames after a prompt of {settings['prompt_positions']}"
    computes = f"on {settings['device']} in {settings['precision']}, {settings['threads']} threads"
    yield f"{settings['model']} {computes}; {work}"
    yield _speed_words("TTS Studio", report)
    yield f"  a frame (80 ms of sound), part by part: {parts['total']:.1f} ms: {split}"
    yield f"  weights {memory['weights_bytes'] / 1e6:.0f} MB, {_memory_words(memory)}"
    if "peer" in report:
        peer, ratio = report["peer"], report["ratio"]
        yield _speed_words(f"{peer['name']} {peer['versions'][peer['name']]} in {peer['precision']}", peer)
        yield f"  {_memory_words(peer['memory'])}"
        faster, sooner = ratio["rtf"]["median"], ratio["first_byte"]["median"]
        yield f"TTS Studio is {faster:.2f} times as fast, its first sound comes {sooner:.1f} times as soon"


def ratios(ours: Sequence[Playback], theirs: Sequence[Playback]) -> dict[str, dict[str, float]]:
    """How many times better our takes are than the peer's, by pairs that were made right after each other."""
    pairs = list(zip(ours, theirs, strict=True))
    return {
        "rtf": spread([own.rtf / other.rtf for own, other in pairs], 3),
        "first_byte": spread([other.first_byte_s / own.first_byte_s for own, other in pairs], 3),
        "first_audible": spread([other.first_audible_s / own.first_audible_s for own, other in pairs], 3),
    }


def _takes(model: QwenModel, peer: Peer | None, runs: int, frames: int) -> tuple[list[Playback], list[Playback]]:
    """Make our takes and the peer's in turn. Both warm up with a take that does not count."""
    own_takes, peer_takes = [], []
    for number in range(runs + 1):
        progress.show(f"Run {number} of {runs}")
        own_takes.append(_take(model, number, frames))
        if peer is not None:
            progress.show(f"Run {number} of {runs}: {peer.choice.name}")
            peer_takes.append(peer.speak(number))
    progress.clear()
    return own_takes[1:], peer_takes[1:]


def _take(model: QwenModel, number: int, frames: int) -> Playback:
    """Make a take; a model may end it early, then it is made again with another seed."""
    from tts_core.cli.bench.timing import any_voice  # noqa: PLC0415
    from tts_core.engines.qwen.speech_model import SpeechRequest  # noqa: PLC0415
    from tts_core.engines.qwen.talker.prompt import PromptRequest  # noqa: PLC0415 - torch

    prompt = PromptRequest(TEXT, any_voice(model))
    for seed in range(number * _MOST_TRIES, (number + 1) * _MOST_TRIES):
        playback = hear(model.stream(SpeechRequest(prompt, seed=seed, max_frames=frames + 1)), model.sample_rate)
        if playback.frames == frames:
            break
    return playback


def _prompt_positions(model: QwenModel) -> int:
    """The prompt's length. Random weights have a vocabulary of few words, so their prompts are longer than usual."""
    from tts_core.cli.bench.timing import any_voice  # noqa: PLC0415
    from tts_core.engines.qwen.talker.prompt import PromptRequest  # noqa: PLC0415 - torch

    return int(model.build_prompt(PromptRequest(TEXT, any_voice(model))).embeddings.shape[1])


def _summary(takes: Sequence[Playback]) -> dict[str, Any]:
    return {
        "frames": min(take.frames for take in takes),
        "rtf": spread([take.rtf for take in takes]),
        "first_byte_s": spread([take.first_byte_s for take in takes]),
        "first_audible_s": spread([take.first_audible_s for take in takes]),
    }


def _peer_report(peer: Peer, takes: Sequence[Playback]) -> dict[str, Any]:
    return {
        "name": peer.choice.name,
        "versions": peer.versions,
        "precision": peer.precision,
        "load_s": round(peer.load_s, 3),
        **_summary(takes),
        "memory": {"peak_bytes": peer.peak_bytes, "gpu_peak_bytes": peer.gpu_peak_bytes},
    }


def _frame_ms(parts: Sequence[FrameTimes]) -> dict[str, float]:
    """The medians over the takes; the prompt's time is shared by all frames."""
    names = ("prefill", "talker", "code_predictor", "codec", "host", "total")
    return {name: round(1000 * statistics.median(getattr(one, f"{name}_s") for one in parts), 3) for name in names}


def _speed_words(title: str, summary: dict[str, Any]) -> str:
    rtf, first, audible = (summary[name] for name in ("rtf", "first_byte_s", "first_audible_s"))
    return (
        f"{title}: {rtf['median']:.2f} times real time ({rtf['min']:.2f} to {rtf['max']:.2f}), first sound after "
        f"{1000 * first['median']:.0f} ms, first audible sample after {1000 * audible['median']:.0f} ms"
    )


def _memory_words(memory: dict[str, Any]) -> str:
    gpu = memory["gpu_peak_bytes"]
    on_card = "" if gpu is None else f", {gpu / 1e6:.0f} MB on the graphics card"
    return f"at most {memory['peak_bytes'] / 1e6:.0f} MB of memory{on_card}"


def _show(done_bytes: int, total_bytes: int) -> None:
    progress.show(f"{done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB loaded")
