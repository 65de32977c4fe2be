"""The built-in voice in English beside espeak-ng and the bare package of its network, each in a fresh process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from tts_core.cli import progress
from tts_core.cli.bench.speak.runner import PACKAGE, WAYS
from tts_core.cli.faults import MeasurementFailed
from tts_core.platform.paths import ROOT_DIR

_TITLES = dict(zip(WAYS, ("built-in, English", "espeak-ng", "hibari-tts alone"), strict=True))


def measure(text: str, runs: int) -> dict[str, dict[str, float]]:
    """Let every way speak the text in turn; answers the medians of `runs` processes by way. Raises
    MeasurementFailed."""
    ways = [way for way in WAYS if way != PACKAGE or find_spec("hibari") is not None]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(runs):
        for way in ways:
            progress.show(f"{_TITLES[way]}, process {number + 1} of {runs}")
            found[way].append(_run(way, text, runs))
    progress.clear()
    return {
        way: {name: statistics.median(one[name] for one in several) for name in several[0]}
        for way, several in found.items()
    }


def words(report: dict[str, dict[str, float]]) -> Iterator[str]:
    """The report in lines for people."""
    for way, numbers in report.items():
        yield (
            f"{_TITLES[way]:<18} first audio {numbers['cold_process_first_audio_s']:.2f} s after the process's start, "
            f"then after {numbers['first_audio_s'] * 1000:.0f} ms; {numbers['rtf']:.0f} times real time; "
            f"{numbers['memory_bytes'] / 1e6:.0f} MB"
        )


def _run(way: str, text: str, runs: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tts_core.cli.bench.speak.runner", way, text, str(runs), repr(time.time())]
    done = subprocess.run(  # noqa: S603 - our own code
        command, cwd=ROOT_DIR, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise MeasurementFailed(subject=_TITLES[way], reason=reason)
    numbers: dict[str, Any] = json.loads(done.stdout)
    return numbers
