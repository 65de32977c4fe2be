"""The recorded outputs of the published package on the formula checkpoints, and the requests that made them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tts_core.domain.values import TextMode
from tts_core.engines.qwen.talker.prompt import (
    DesignedVoice,
    InContextClone,
    PresetSpeaker,
    PromptRequest,
    VoicePrompt,
    XVectorClone,
)

Arrays = Mapping[str, npt.NDArray[Any]]

TEXT = "hello world"
SECOND_TEXT = "the quick brown fox jumps over a lazy dog"
MAX_NEW_TOKENS = 24
CASES = tuple(
    (name, mode)
    for name in (
        "custom_english",
        "custom_auto",
        "custom_dialect",
        "custom_instruct",
        "design",
        "clone_icl",
        "clone_xvector",
    )
    for mode in TextMode
    if (name, mode) != ("design", TextMode.STREAM)
)


@cache
def golden(geometry: str) -> Arrays:
    with np.load(Path(__file__).parent / "data" / f"golden-{geometry}.npz") as arrays:
        return dict(arrays)


def kind_of(case: str) -> str:
    return {"custom": "custom_voice", "design": "voice_design", "clone": "base"}[case.split("_", maxsplit=1)[0]]


def request_of(case: str, mode: TextMode, geometry: str) -> PromptRequest:
    voice, language, instruct = _voices(geometry)[case]
    return PromptRequest(TEXT, voice, language, instruct, mode)


def second_of_batch() -> PromptRequest:
    return PromptRequest(SECOND_TEXT, PresetSpeaker("serena"))


def _voices(geometry: str) -> dict[str, tuple[VoicePrompt, str, str]]:
    embedding = torch.from_numpy(golden(geometry)["clone/speaker_embedding"])
    codes = torch.from_numpy(golden(geometry)["clone/ref_codes"])
    return {
        "custom_english": (PresetSpeaker("ryan"), "English", ""),
        "custom_auto": (PresetSpeaker("Vivian"), "Auto", ""),
        "custom_dialect": (PresetSpeaker("dylan"), "Chinese", ""),
        "custom_instruct": (PresetSpeaker("serena"), "German", "speak brown fox"),
        "design": (DesignedVoice(), "French", "a lazy dog voice"),
        "clone_icl": (InContextClone(embedding, codes, "over a lazy dog"), "English", ""),
        "clone_xvector": (XVectorClone(embedding), "Auto", ""),
    }
