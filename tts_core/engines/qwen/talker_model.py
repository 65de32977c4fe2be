"""A loaded speaking model: config, text tokenizer and talker. Knows nothing of audio, which the codec adds."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from tts_core.domain.errors import EngineFailed
from tts_core.engines.faults import ModelConfigInvalid
from tts_core.engines.qwen.quantised.rounding import expect_rounded
from tts_core.engines.qwen.talker.config import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    GenerationConfig,
    SpeechModelConfig,
    read_generation_config,
    read_model_config,
)
from tts_core.engines.qwen.talker.expected import SPEAKER_ENCODER, TOO_FEW_IDS, check_weights
from tts_core.engines.qwen.talker.prompt import Prompt, PromptBuilder, PromptRequest
from tts_core.engines.qwen.talker.stored import read_header
from tts_core.engines.qwen.talker.talker import Talker
from tts_core.engines.qwen.talker.text_tokenizer import TextTokenizer
from tts_core.engines.qwen.talker.weights import Placement, build_on_meta, load_weights
from tts_core.models.cached_model import LoadProgress

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from tts_core.engines.qwen.kernels.workers import Workers

_SMALLEST = 4
"""The fewest bits that a weight can have."""


class TalkerModel:
    """A talker, its config and tokenizer. `TalkerModel.load(folder, placement)` makes one; `close` frees weights."""

    def __init__(
        self, config: SpeechModelConfig, generation: GenerationConfig, tokenizer: TextTokenizer, talker: Talker
    ) -> None:
        self.config = config
        self.generation = generation
        self.tokenizer = tokenizer
        self._talker: Talker | None = talker

    @classmethod
    def load(
        cls,
        folder: Path,
        placement: Placement,
        *,
        speaker_encoder: nn.Module | None = None,
        workers: Workers | None = None,
        progress: LoadProgress | None = None,
    ) -> TalkerModel:
        """Read a model's folder. Raises a ModelFolderInvalid that names the file.

        workers: the threads that compute whole numbers; None starts new ones.
        speaker_encoder: built on the meta device, filled from the same file; without it a Base model's is left aside.
        """
        config = read_model_config(folder)
        weights = folder / WEIGHTS_FILE
        if left_aside := check_weights(config, read_header(weights), weights):
            logger.info("%s: %d weights are left aside: %s", folder.name, len(left_aside), left_aside[0])
        generation = read_generation_config(folder)
        tokenizer = TextTokenizer(folder)
        if tokenizer.largest_id >= config.talker.text_vocab_size:
            raise ModelConfigInvalid(file=str(folder / CONFIG_FILE), reason=TOO_FEW_IDS)
        talker = build_on_meta(lambda: Talker(config.talker))
        if placement.weight_bits and not placement.uses_loops:
            expect_rounded(talker)
        elif placement.weight_bits:
            from tts_core.engines.qwen.quantised.int4 import expect_int4  # noqa: PLC0415 - loads a compiler
            from tts_core.engines.qwen.quantised.int8 import expect_int8, fuse_int8  # noqa: PLC0415

            workers = workers or whole_number_workers()
            (expect_int4 if placement.weight_bits == _SMALLEST else expect_int8)(talker, workers)
        root = nn.ModuleDict({"talker": talker})
        skip: Collection[str] = (SPEAKER_ENCODER,)
        if speaker_encoder is not None:
            root[SPEAKER_ENCODER.rstrip(".")], skip = speaker_encoder, ()
        load_weights(root, folder / WEIGHTS_FILE, placement, skip=skip, progress=progress)
        if workers is not None:
            fuse_int8(talker, workers)
        return cls(config, generation, tokenizer, talker)

    @property
    def talker(self) -> Talker:
        if self._talker is None:
            raise EngineFailed(engine="Qwen3-TTS", reason="its model is closed")
        return self._talker

    @property
    def device(self) -> torch.device:
        return self.talker.device

    def build_prompt(self, request: PromptRequest) -> Prompt:
        """The prompt that the talker reads. Raises UnknownLanguage or UnknownVoice."""
        return PromptBuilder(self.config, self.talker, self.tokenizer).build(request)

    def close(self) -> None:
        """Free the weights. Takes in progress keep them until they end."""
        self._talker = None


def whole_number_workers() -> Workers:
    """Threads that compute whole numbers, for all parts of a model: as many as torch has."""
    from tts_core.engines.qwen.kernels.workers import Workers  # noqa: PLC0415 - loads a compiler

    return Workers(torch.get_num_threads())
