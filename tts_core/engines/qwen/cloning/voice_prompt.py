"""Converts prepared voices between the model's own form and plain numbers."""

from __future__ import annotations

import numpy as np
import torch

from tts_core.domain.errors import VoicePromptInvalid
from tts_core.domain.values import PreparedVoice
from tts_core.engines.qwen.talker.config import TalkerConfig
from tts_core.engines.qwen.talker.prompt import InContextClone, XVectorClone

ClonePrompt = XVectorClone | InContextClone


def prepared_voice(prompt: ClonePrompt) -> PreparedVoice:
    """The prompt as a voice in plain numbers."""
    vector = prompt.embedding.detach().float().cpu().numpy()
    if isinstance(prompt, XVectorClone):
        return PreparedVoice(vector)
    return PreparedVoice(vector, prompt.codes.cpu().numpy().astype(np.int64), prompt.transcript)


def clone_prompt(voice: PreparedVoice, config: TalkerConfig) -> ClonePrompt:
    """The voice as the talker reads it.

    Raises VoicePromptInvalid for a voice that was prepared with another model, or made up to do harm.
    """
    if len(voice.vector) != config.transformer.hidden_size:
        raise VoicePromptInvalid(path=voice.name, reason="it was made with a model of another size")
    vector = torch.from_numpy(voice.vector.astype(np.float32))
    if voice.codes is None:
        return XVectorClone(vector)
    first, others = voice.codes[:, 0], voice.codes[:, 1:]
    if voice.codes.min() < 0 or first.max() >= config.vocab_size or others.max() >= config.code_predictor.vocab_size:
        raise VoicePromptInvalid(path=voice.name, reason="it holds codes that the model does not know")
    return InContextClone(vector, torch.from_numpy(voice.codes), voice.transcript)
