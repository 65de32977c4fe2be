"""Makes the talker's input of text and voice. Knows the published template; knows nothing of audio or of decoding.

B is 1 throughout, T positions, H the talker's hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tts_core.domain.errors import UnknownLanguage, UnknownVoice
from tts_core.domain.values import TextMode
from tts_core.engines.qwen.talker.config import CodecIds, SpeechModelConfig
from tts_core.engines.qwen.talker.talker import Talker
from tts_core.engines.qwen.talker.text_tokenizer import TextTokenizer

AUTO = "auto"
_CHINESE = "chinese"
_ROLE_IDS = 3
"""Ids of the template before the text."""
_TAIL_IDS = 5
"""Ids of the template after the text."""
_TRANSCRIPT_TAIL_IDS = 2


@dataclass(frozen=True, slots=True)
class PresetSpeaker:
    """A speaker that a custom voice model was trained with."""

    name: str


@dataclass(frozen=True, slots=True)
class DesignedVoice:
    """No speaker at all: the instruction describes the voice."""


@dataclass(frozen=True, slots=True)
class XVectorClone:
    """A voice given by its speaker embedding."""

    embedding: Tensor
    """The speaker embedding, (H,)."""


@dataclass(frozen=True, slots=True)
class InContextClone:
    """A voice given by its speaker embedding and by speech that is continued."""

    embedding: Tensor
    """The speaker embedding, (H,)."""
    codes: Tensor
    """The codes of that speech, (F, 16) whole numbers."""
    transcript: str


VoicePrompt = PresetSpeaker | DesignedVoice | XVectorClone | InContextClone


@dataclass(frozen=True, slots=True)
class PromptRequest:
    text: str
    voice: VoicePrompt
    language: str = AUTO
    """A name of the checkpoint ("english") or "auto"; case does not matter."""
    instruct: str = ""
    """Left out, as published, for models that don't obey it (SpeechModelConfig.obeys_instruct)."""
    text_mode: TextMode = TextMode.FULL
    """STREAM gives the model one text id along with each frame."""


@dataclass(frozen=True, slots=True)
class Prompt:
    embeddings: Tensor
    """(1, T, H): the talker's input before the first frame."""
    trailing: Tensor
    """(1, S, H): the text that is added to its input along with the frames, one position each."""
    pad: Tensor
    """(1, 1, H): the pad that is added once `trailing` is used up."""
    text_ids: int
    """Ids of the text to be spoken, for bounding its length."""


class PromptBuilder:
    def __init__(self, config: SpeechModelConfig, talker: Talker, tokenizer: TextTokenizer) -> None:
        self._config = config
        self._talker = talker
        self._tokenizer = tokenizer
        self._codec: CodecIds = config.talker.codec_ids

    @torch.inference_mode()
    def build(self, request: PromptRequest) -> Prompt:
        """The prompt of a request. Raises UnknownLanguage or UnknownVoice."""
        language_id = self._language_id(request)
        speaker = self._speaker(request.voice)
        ids = self.template_ids(request.text)
        text_ids = ids[_ROLE_IDS:-_TAIL_IDS]
        bos, eos, pad = self._text([self._config.tts_bos_id, self._config.tts_eos_id, self._config.tts_pad_id]).chunk(
            3, dim=1
        )
        tags = self._tags(language_id, speaker)
        parts = [
            *self._instruction(request.instruct),
            self._text(ids[:_ROLE_IDS]),
            torch.cat((pad.expand(-1, tags.shape[1] - 1, -1), bos), dim=1) + tags,
        ]
        if isinstance(request.voice, InContextClone):
            text_ids_and_transcript = [*self._transcript_ids(request.voice), *text_ids]
            text = torch.cat((self._text(text_ids_and_transcript), eos), dim=1)
            body, trailing = self._continue_speech(text, request.voice.codes, pad, request.text_mode)
        else:
            body, trailing = self._speak(torch.cat((self._text(text_ids), eos), dim=1), pad, request.text_mode)
        return Prompt(torch.cat((*parts, body), dim=1), trailing, pad, len(text_ids))

    def template_ids(self, text: str) -> list[int]:
        """The ids of the whole template around a text to be spoken."""
        return self._tokenizer.encode(f"<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>assistant\n")

    def _speak(self, text: Tensor, pad: Tensor, mode: TextMode) -> tuple[Tensor, Tensor]:
        """The prompt's body and what trails it. text: with its end, (1, N, H)."""
        begin = self._codec_ids([self._codec.bos])
        if mode is TextMode.FULL:
            return torch.cat((text + self._codec_ids([self._codec.pad]), pad + begin), dim=1), pad
        return text[:, :1] + begin, text[:, 1:]

    def _continue_speech(self, text: Tensor, codes: Tensor, pad: Tensor, mode: TextMode) -> tuple[Tensor, Tensor]:
        """The prompt's body and what trails it, where a reference's speech goes on.

        text: transcript, text and end, (1, N, H); codes: the reference's, (F, 16).
        """
        frames = self._talker.embed_frames(codes.to(self._talker.device).long()[None])
        speech = torch.cat((self._codec_ids([self._codec.bos]), frames), dim=1)
        if mode is TextMode.FULL:
            return torch.cat((text + self._codec_ids([self._codec.pad]), speech + pad), dim=1), pad
        missing = speech.shape[1] - text.shape[1]
        if missing < 0:
            return text[:, :missing] + speech, text[:, missing:]
        return torch.cat((text, pad.expand(-1, missing, -1)), dim=1) + speech, pad

    def _tags(self, language_id: int | None, speaker: Tensor | None) -> Tensor:
        """Codec embeddings that say language and speaker, and the pad after them."""
        codec = self._codec
        if language_id is None:
            thought = [codec.nothink, codec.think_bos, codec.think_eos]
        else:
            thought = [codec.think, codec.think_bos, language_id, codec.think_eos]
        parts = [self._codec_ids(thought), *([] if speaker is None else [speaker]), self._codec_ids([codec.pad])]
        return torch.cat(parts, dim=1)

    def _language_id(self, request: PromptRequest) -> int | None:
        """The codec id of the language that is spoken; None lets the model decide."""
        talker, language = self._config.talker, request.language.lower()
        if language != AUTO and language not in self._config.languages:
            raise UnknownLanguage(language=request.language)
        if isinstance(request.voice, PresetSpeaker) and language in (AUTO, _CHINESE):
            language = talker.speaker_dialects.get(request.voice.name.lower(), language)
        return None if language == AUTO else talker.language_ids[language]

    def _speaker(self, voice: VoicePrompt) -> Tensor | None:
        """The voice's embedding (1, 1, H); None where the instruction describes the voice."""
        match voice:
            case PresetSpeaker(name):
                number = self._config.talker.speaker_id(name)
                if number is None:
                    raise UnknownVoice(voice=name)
                return self._codec_ids([number])
            case XVectorClone() | InContextClone():
                return voice.embedding.to(self._talker.device, self._talker.dtype).view(1, 1, -1)
            case DesignedVoice():
                return None

    def _instruction(self, instruct: str) -> list[Tensor]:
        if not instruct or not self._config.obeys_instruct:
            return []
        return [self._text(self._tokenizer.encode(f"<|im_start|>user\n{instruct}<|im_end|>\n"))]

    def _transcript_ids(self, voice: InContextClone) -> list[int]:
        ids = self._tokenizer.encode(f"<|im_start|>assistant\n{voice.transcript}<|im_end|>\n")
        return ids[_ROLE_IDS:-_TRANSCRIPT_TAIL_IDS]

    def _text(self, ids: Sequence[int]) -> Tensor:
        return self._talker.embed_text(torch.tensor([ids], dtype=torch.long, device=self._talker.device))

    def _codec_ids(self, ids: Sequence[int]) -> Tensor:
        return self._talker.embed_codec(torch.tensor([ids], dtype=torch.long, device=self._talker.device))
