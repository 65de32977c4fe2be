"""Prepared voices on disk: `<name>.safetensors` holds the numbers, `<name>.json` what they are. No pickles, no code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from tts_core.domain.errors import VoicePromptInvalid
from tts_core.engines.qwen.talker.config import TalkerConfig
from tts_core.engines.qwen.talker.prompt import InContextClone, XVectorClone
from tts_core.platform.whole_files import open_private

FORMAT = 1
_X_VECTOR, _IN_CONTEXT = "x_vector", "in_context"
_CODES_PER_FRAME = 16
_MAX_JSON_BYTES = 1_000_000

ClonePrompt = XVectorClone | InContextClone


def save_prompt(prompt: ClonePrompt, path: Path) -> None:
    """Write both files; `path` is that of the safetensors file. Raises OSError."""
    tensors = {"embedding": prompt.embedding.detach().float().cpu().contiguous()}
    facts: dict[str, object] = {"format": FORMAT, "kind": _X_VECTOR}
    if isinstance(prompt, InContextClone):
        tensors["codes"] = prompt.codes.to(torch.int64).cpu().contiguous()
        facts |= {"kind": _IN_CONTEXT, "transcript": prompt.transcript}
    with open_private(path, "wb") as file:
        file.write(save(tensors))  # save_file hides what the disk says
    with open_private(path.with_suffix(".json"), "w") as file:
        json.dump(facts, file, ensure_ascii=False, indent=1)


def prompt_of(embedding: npt.NDArray[np.float32], codes: npt.NDArray[np.int64] | None, transcript: str) -> ClonePrompt:
    """From plain numbers: (D,) and (frames, 16); without codes only the timbre is taken over."""
    if codes is None:
        return XVectorClone(torch.from_numpy(embedding))
    return InContextClone(torch.from_numpy(embedding), torch.from_numpy(codes), transcript)


def load_prompt(path: Path) -> ClonePrompt:
    """The inverse of `save_prompt`. Raises VoicePromptInvalid."""
    facts = _facts(path.with_suffix(".json"))
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise VoicePromptInvalid(path=path, reason=str(error)) from error
    embedding = tensors.pop("embedding", torch.empty(0))
    if embedding.ndim != 1 or not embedding.numel() or not embedding.isfinite().all():
        raise VoicePromptInvalid(path=path, reason="it has no speaker embedding")
    if facts.get("kind") == _X_VECTOR and not tensors:
        return XVectorClone(embedding)
    transcript = facts.get("transcript")
    if facts.get("kind") != _IN_CONTEXT or not isinstance(transcript, str) or tensors.keys() != {"codes"}:
        raise VoicePromptInvalid(path=path, reason="its two files don't belong together")
    return InContextClone(embedding, _checked(tensors["codes"], path), transcript)


def require_fit(prompt: ClonePrompt, config: TalkerConfig, name: str) -> None:
    """Raises VoicePromptInvalid for a prompt that was made with another model, or by somebody who means harm."""
    if prompt.embedding.numel() != config.transformer.hidden_size:
        raise VoicePromptInvalid(path=name, reason="it was made with a model of another size")
    if isinstance(prompt, InContextClone):
        first, others = prompt.codes[:, 0], prompt.codes[:, 1:]
        if (
            prompt.codes.min() < 0
            or first.max() >= config.vocab_size
            or others.max() >= config.code_predictor.vocab_size
        ):
            raise VoicePromptInvalid(path=name, reason="it holds codes that the model does not know")


def _facts(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as stream:
            facts = json.loads(stream.read(_MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise VoicePromptInvalid(path=path, reason="it can't be read as JSON") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise VoicePromptInvalid(path=path, reason=f"it is not of format {FORMAT}")
    return facts


def _checked(codes: Tensor, path: Path) -> Tensor:
    if codes.ndim != 2 or codes.shape[1] != _CODES_PER_FRAME or codes.is_floating_point() or not codes.numel():
        raise VoicePromptInvalid(path=path, reason="its codes don't have 16 columns of whole numbers")
    return codes
