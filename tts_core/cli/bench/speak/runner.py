"""Speaks one text in one way, in a process of its own: `bench speak` starts it for each way and reads its JSON line."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from tts_core.platform.system import peak_bytes

Way = Callable[[str], Iterator[float]]
"""A function that speaks a text; it yields the length of each piece of sound as it comes, seconds."""
BY_LANGUAGE, ESPEAK, PACKAGE = "by_language", "espeak", "hibari_package"
VOICES = {BY_LANGUAGE: "builtin/by-language", ESPEAK: "builtin/aria"}
WAYS = (BY_LANGUAGE, ESPEAK, PACKAGE)


def main(way: str, text: str, runs: int, started: float) -> dict[str, float]:
    """Speak `runs` times. `started`: when the process was started, as time.time() says it."""
    with tempfile.TemporaryDirectory(prefix="tts-studio-bench-", ignore_cleanup_errors=True) as folder:
        speak = _package() if way == PACKAGE else _studio(folder, VOICES[way])
        takes = [_timed(speak, text, started)]
        takes += [_timed(speak, text, time.time()) for _ in range(runs)]
    lengths, firsts, walls = zip(*takes, strict=True)
    return {
        "duration_s": round(lengths[0], 3),
        "cold_process_first_audio_s": round(firsts[0], 4),
        "first_audio_s": round(statistics.median(firsts[1:]), 4),
        "rtf": round(statistics.median(length / wall for length, wall in zip(lengths[1:], walls[1:], strict=True)), 2),
        "memory_bytes": peak_bytes(os.getpid()),
    }


def _timed(speak: Way, text: str, started: float) -> tuple[float, float, float]:
    """The seconds of sound, those until its first piece, and those until its last one."""
    length_s, first_s = 0.0, 0.0
    for piece_s in speak(text):
        length_s += piece_s
        first_s = first_s or time.time() - started
    return length_s, first_s, time.time() - started


def _studio(folder: str, voice: str) -> Way:
    """The studio's own way, which also keeps the take's file."""
    from tts_core.domain.events import AudioChunk, Started  # noqa: PLC0415 - a cold start counts what it needs only
    from tts_core.domain.values import SynthesisRequest  # noqa: PLC0415
    from tts_core.platform.settings.studio import Settings  # noqa: PLC0415
    from tts_core.services import build_services  # noqa: PLC0415

    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": folder}))

    def speak(text: str) -> Iterator[float]:
        rate = 1
        for event in services.synthesis.speak(SynthesisRequest(text, voice=voice, language="en", seed=1)):
            if isinstance(event, Started):
                rate = event.sample_rate
            elif isinstance(event, AudioChunk):
                yield len(event.samples) / rate

    return speak


def _package() -> Way:
    """The package hibari-tts alone, as its documentation uses it; sentence by sentence."""
    from hibari import Hibari  # noqa: PLC0415 - see _studio

    voice = Hibari(threads=1)
    return lambda text: (len(samples) / 24_000 for samples in voice.stream(text, seed=1))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
