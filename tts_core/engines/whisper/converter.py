"""Writes a Whisper model of transformers' form down in CTranslate2's: `python -m … SOURCE TARGET VOCABULARY`.

A process of its own: transformers and torch take seconds to load and memory that would not come back, and a process
can be stopped at any moment. A folder on this machine is read; nothing is asked of the network.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ctranslate2
from ctranslate2.converters import TransformersConverter
from transformers.utils import logging as transformers_logging

COPIED = ("tokenizer.json", "preprocessor_config.json")
WRITTEN_VOCABULARY = "vocabulary.json"
MARK = {"converted_by": "TTS Studio"}
"""A note in config.json, by which the model differs from the published one, as its weights may."""


def convert(source: Path, target: Path, vocabulary: str) -> None:
    """Convert to half precision. `vocabulary`: the name of that file, .txt or .json."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    copied = [name for name in COPIED if (source / name).is_file()]
    converter = TransformersConverter(str(source), copy_files=copied, load_as_float16=True, low_cpu_mem_usage=True)
    converter.convert(str(target), quantization="float16")
    written = target / WRITTEN_VOCABULARY
    if vocabulary != WRITTEN_VOCABULARY:
        tokens = json.loads(written.read_bytes())
        (target / vocabulary).write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8", newline="\n")
        written.unlink()
    config = target / "config.json"
    config.write_text(json.dumps(json.loads(config.read_bytes()) | MARK, indent=2), encoding="utf-8")
    ctranslate2.models.Whisper(str(target), compute_type="int8")  # it can be read again


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
