"""A models folder with a scripted Whisper model in it, and the catalogue that knows it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engines.whisper.scripted_whisper import HELLO, write_whisper

KEY = "mine"


def whisper_studio(root: Path, script: tuple[str, ...] = HELLO) -> dict[str, str]:
    """Variables for the app; the models folder is `root/models`."""
    folder = write_whisper(root / "models" / KEY, script)
    files = {path.name: {"size": path.stat().st_size} for path in folder.iterdir()}
    catalogue = root / "catalogue.json"
    catalogue.write_text(json.dumps({KEY: {"kind": "whisper", "local": KEY, "files": files}}), encoding="utf-8")
    return {
        "QWEN_TTS_MODELS_DIR": str(root / "models"),
        "TTS_STUDIO_CATALOG": str(catalogue),
        "TTS_STUDIO_DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
    }
