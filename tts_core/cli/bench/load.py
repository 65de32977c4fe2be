"""Measures how long a model takes to load, and its memory: from the disk and from the system's cache, in turn.

Each load is a process of its own: `python -m tts_core.cli.bench.load DIR DEVICE PRECISION` loads once and prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tts_core.cli import progress
from tts_core.cli.bench.report import spread
from tts_core.cli.faults import MeasurementFailed
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.settings.studio import Settings
from tts_core.platform.system import peak_bytes, process_bytes

_SPREADS = ("load_s", "import_s")
_FACTS = ("weights_bytes", "memory_bytes", "peak_bytes", "gpu_peak_bytes")


def measure(folder: Path, settings: Settings, *, runs: int) -> dict[str, Any]:
    """Load `runs` times cold, where the system lets files leave its cache, and warm.

    Raises what loading raises; MeasurementFailed where a process ends without an answer.
    """
    from tts_core.engines.qwen.placing import choose  # noqa: PLC0415 - torch: seconds, and only this subject needs it
    from tts_core.engines.qwen.talker.config import read_model_config  # noqa: PLC0415

    choice, config = choose(settings.device, settings.precision), read_model_config(folder)
    progress.show("First load")
    _load(folder, choice.device, choice.precision)  # whatever has to be compiled is now, and the cache is warm
    cold, warm = [], []
    for number in range(runs):
        progress.show(f"Run {number + 1} of {runs}")
        if _leave_cache(folder):
            cold.append(_load(folder, choice.device, choice.precision))
        warm.append(_load(folder, choice.device, choice.precision))
    progress.clear()
    return {
        "settings": {
            "model": folder.name,
            "kind": config.kind,
            "size": config.size,
            "device": choice.device,
            "precision": choice.precision,
            "runs": runs,
        },
        "cold": {name: spread([one[name] for one in cold]) for name in _SPREADS} if cold else None,
        "warm": {name: spread([one[name] for one in warm]) for name in _SPREADS},
        "memory": {name: warm[-1][name] for name in _FACTS},
    }


def words(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people."""
    settings, memory = report["settings"], report["memory"]
    yield f"{settings['model']} on {settings['device']} in {settings['precision']}"
    for title, times in (("from the disk", report["cold"]), ("from the cache", report["warm"])):
        if times is not None:
            load = times["load_s"]
            yield f"{title:<14} {load['median']:6.2f} s   ({load['min']:.2f} to {load['max']:.2f})"
    imports = report["warm"]["import_s"]["median"]
    yield f"{'import torch':<14} {imports:6.2f} s   before that, once"
    yield (
        f"weights {memory['weights_bytes'] / 1e6:.0f} MB; memory {memory['memory_bytes'] / 1e6:.0f} MB, "
        f"at most {memory['peak_bytes'] / 1e6:.0f} MB"
    )


def _load(folder: Path, device: str, precision: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tts_core.cli.bench.load", str(folder.resolve()), device, precision]
    process = subprocess.run(command, cwd=ROOT_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    if process.returncode != 0:
        last_words = process.stderr.strip().splitlines()[-1:] or [f"it ended with status {process.returncode}"]
        raise MeasurementFailed(subject=folder, reason=last_words[0][:300])
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


def _leave_cache(folder: Path) -> bool:
    """Drop the files from the system's cache; False where it does not allow that.

    The next reader gets them from the disk, or from what caches it: a host, a controller.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    for file in folder.rglob("*.safetensors"):
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def _load_once(folder: str, device: str, precision: str) -> None:
    started = time.perf_counter()
    from tts_core.cli.bench.timing import gpu_peak_bytes  # noqa: PLC0415
    from tts_core.engines.qwen.speech_model import QwenModel  # noqa: PLC0415 - timed

    imported = time.perf_counter()
    model = QwenModel.load(Path(folder), device=device, precision=precision)
    loaded = time.perf_counter()
    answer = {
        "import_s": imported - started,
        "load_s": loaded - imported,
        "weights_bytes": model.memory_bytes,
        "memory_bytes": process_bytes(os.getpid()),
        "peak_bytes": peak_bytes(os.getpid()),
        "gpu_peak_bytes": gpu_peak_bytes(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    _load_once(*sys.argv[1:])
