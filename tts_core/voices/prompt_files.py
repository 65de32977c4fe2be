"""Prepared voices on disk: `<name>.safetensors` holds the numbers, `<name>.json` what they are. No pickles, no code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from tts_core.domain.errors import VoicePromptInvalid
from tts_core.domain.values import PreparedVoice
from tts_core.platform.whole_files import make_private, open_private

FORMAT = 1
_X_VECTOR, _IN_CONTEXT = "x_vector", "in_context"
_CODES_PER_FRAME = 16
_MAX_JSON_BYTES = 1_000_000


def save_prompt(voice: PreparedVoice, path: Path) -> None:
    """Write both files, whole or not at all; `path` is that of the safetensors file. Raises OSError."""
    tensors: dict[str, npt.NDArray[np.generic]] = {"embedding": np.ascontiguousarray(voice.vector, np.float32)}
    facts: dict[str, object] = {"format": FORMAT, "kind": _X_VECTOR}
    if voice.codes is not None:
        tensors["codes"] = np.ascontiguousarray(voice.codes, np.int64)
        facts |= {"kind": _IN_CONTEXT, "transcript": voice.transcript}
    make_private(path.parent)
    part = path.with_name(f".{path.name}")
    try:
        with open_private(part, "wb") as file:
            file.write(save(tensors))  # save_file hides what the disk says
        with open_private(part.with_suffix(".json"), "w") as file:
            json.dump(facts, file, ensure_ascii=False, indent=1)
        part.with_suffix(".json").replace(path.with_suffix(".json"))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        part.with_suffix(".json").unlink(missing_ok=True)


def load_prompt(path: Path) -> PreparedVoice:
    """Read what `save_prompt` wrote. Raises VoicePromptInvalid."""
    facts = _facts(path.with_suffix(".json"))
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:  # the last ones for unknown types
        raise VoicePromptInvalid(path=path, reason=str(error)) from error
    vector = tensors.pop("embedding", np.empty(0, np.float32))
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise VoicePromptInvalid(path=path, reason="it has no speaker embedding")
    if facts.get("kind") == _X_VECTOR and not tensors:
        return PreparedVoice(vector)
    transcript = facts.get("transcript")
    if facts.get("kind") != _IN_CONTEXT or not isinstance(transcript, str) or tensors.keys() != {"codes"}:
        raise VoicePromptInvalid(path=path, reason="its two files don't belong together")
    codes = tensors["codes"]
    if codes.ndim != 2 or codes.shape[1] != _CODES_PER_FRAME or codes.dtype.kind not in "iu" or not codes.size:
        raise VoicePromptInvalid(path=path, reason="its codes don't have 16 columns of whole numbers")
    return PreparedVoice(vector, codes.astype(np.int64), transcript)


def _facts(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as stream:
            facts = json.loads(stream.read(_MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise VoicePromptInvalid(path=path, reason="it can't be read as JSON") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise VoicePromptInvalid(path=path, reason=f"it is not of format {FORMAT}")
    return facts
