"""Voice prompts of the published qwen-tts package, as its demo and scripts save them with `torch.save`.

A file holds one `VoiceClonePromptItem`, or several in a list, or either in {"items": …}; an item is an object of that
class or a dict of its fields: ref_code, ref_spk_embedding, x_vector_only_mode, icl_mode, ref_text. The items' lists
may also stand in one dict, as the model takes them. Written is the demo's form: {"items": [one dict]}.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tts_core.domain.errors import VoicePromptInvalid
from tts_core.domain.values import PreparedVoice
from tts_core.voices.exchange.archive import DAMAGE
from tts_core.voices.exchange.torch_file import (
    MAX_FILE_BYTES,
    ClassName,
    NotUnderstood,
    Tensor,
    TorchFile,
    read_torch_file,
)
from tts_core.voices.exchange.torch_writing import write_torch_file

MAX_ITEMS = 16
CODES_PER_FRAME = 16
_CLASS, _MODULE = "VoiceClonePromptItem", "qwen3_tts_model"
_CODES, _EMBEDDING, _ITEMS = "ref_code", "ref_spk_embedding", "items"


def read_official_prompt(path: Path) -> tuple[PreparedVoice, ...]:
    """The voices in a prompt file. Raises VoicePromptInvalid."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise VoicePromptInvalid(path=path.name, reason="it is too large for a voice")
        file = read_torch_file(path, _is_item)
        return tuple(_prompt(file, item) for item in _items(file.value))
    except (OSError, *DAMAGE) as error:
        raise VoicePromptInvalid(path=path.name, reason="it is no voice prompt of qwen-tts") from error


def write_official_prompt(prompt: PreparedVoice, path: Path) -> None:
    """Write a voice as the package's demo saves one, and loads it. Raises OSError."""
    is_timbre_only = prompt.codes is None
    item = {
        _CODES: None if prompt.codes is None else prompt.codes.astype(np.int64),
        _EMBEDDING: prompt.vector.astype(np.float32),
        "x_vector_only_mode": is_timbre_only,
        "icl_mode": not is_timbre_only,
        "ref_text": None if is_timbre_only else prompt.transcript,
    }
    write_torch_file({_ITEMS: [item]}, path)


def _is_item(name: ClassName) -> bool:
    """Whether it is the package's class of prompts; other programs carry the package within a folder of their own."""
    return name.name == _CLASS and str(name.module).rpartition(".")[2] == _MODULE


def _items(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, dict) and _ITEMS in value:
        value = value[_ITEMS]
    if isinstance(value, dict) and isinstance(value[_EMBEDDING], list):
        value = [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list | tuple) or not 0 < len(items) <= MAX_ITEMS:
        raise NotUnderstood
    return list(items)


def _prompt(file: TorchFile, item: Mapping[str, Any]) -> PreparedVoice:
    embedding = file.array(_tensor(item[_EMBEDDING])).astype(np.float32).reshape(-1)
    if not np.isfinite(embedding).all():
        raise NotUnderstood
    transcript = item.get("ref_text")
    if item.get("x_vector_only_mode") or item.get(_CODES) is None:
        return PreparedVoice(embedding)
    codes = file.array(_tensor(item[_CODES]))
    if not isinstance(transcript, str) or codes.ndim != 2 or codes.shape[1] != CODES_PER_FRAME:
        raise NotUnderstood
    if codes.dtype.kind != "i":
        raise NotUnderstood
    return PreparedVoice(embedding, codes.astype(np.int64), transcript)


def _tensor(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise NotUnderstood
    return value
