"""The report of every benchmark: words for people on stderr, then one JSON line on stdout."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import tts_core
from tts_core.engines.qwen.device import probe
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.system import processor
from tts_core.services import Services


def print_report(subject: str, report: dict[str, Any], words: Iterable[str], services: Services) -> None:
    """Print words and report. The machine, the versions and the commit are added to the report's own numbers."""
    for line in words:
        print(line, file=sys.stderr)
    about = {"machine": machine(services), "versions": services.system.versions(), "commit": commit()}
    print(json.dumps({"bench": subject, **report, **about}))


def machine(services: Services) -> dict[str, Any]:
    """The machine that the numbers depend on. `load` is the last minute's: how busy it was with all that runs on it."""
    found = probe() if "torch" in sys.modules else services.system.acceleration()
    return {
        "system": platform.platform(),
        "cpu": asdict(processor()),
        "memory_bytes": services.system.memory().total,
        "gpu": None if found.gpu is None else asdict(found.gpu),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def commit() -> str:
    """The commit of the code that runs, "-dirty" if it was changed since; without a repository the app's version."""
    if (ROOT_DIR / ".git").exists():
        command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        try:
            answer = subprocess.run(command, cwd=ROOT_DIR, capture_output=True, text=True, check=False)  # noqa: S603
        except OSError:  # git is not installed
            return tts_core.__version__
        return answer.stdout.strip() or tts_core.__version__
    return tts_core.__version__


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """The median, the least and the greatest of the values."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }
