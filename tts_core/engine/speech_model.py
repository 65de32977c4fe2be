"""A loaded Qwen3-TTS model: text in, sound out as it is made. Ties talker, codec and speaker encoder together.

model = QwenModel.load(folder)
for event in model.stream(SpeechRequest(PromptRequest("Hello.", PresetSpeaker("ryan")), seed=1)):
    ...
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch

from tts_core.domain import Sampling, StopReason
from tts_core.engine.chunks import ChunkDecoder
from tts_core.engine.codec import Codec
from tts_core.engine.config import SPEECH_TOKENIZER_FOLDER, WEIGHTS_FILE, read_model_config
from tts_core.engine.generate import Frame, GenerationRequest, generate, never
from tts_core.engine.guards import FRAMES_PER_SECOND, FrameLimit, limit_from_text
from tts_core.engine.model import TalkerModel
from tts_core.engine.placing import AUTO, Choice, choose, use_few_threads
from tts_core.engine.prompt import InContextClone, Prompt, PromptRequest, XVectorClone
from tts_core.engine.reference import analyse
from tts_core.engine.sampling import Draws
from tts_core.engine.speaker import SpeakerEncoder
from tts_core.engine.talker import Talker
from tts_core.engine.voice_prompt import ClonePrompt
from tts_core.engine.weights import Progress, weight_bytes
from tts_core.errors import CloneNotSupported, EngineFailed
from tts_core.events import EngineEvent, Finished
from tts_core.protocols import CancelCheck


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One take."""

    prompt: PromptRequest
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    greedy: bool = False
    max_frames: int | None = None
    """What the published package calls max_new_tokens: without an end the take has one frame less. None: by text."""
    max_seconds: float | None = None
    """Longest sound to make."""
    chunk_frames: int | None = None
    """Frames of every chunk; None starts with one and grows."""


class QwenModel:
    """Make it with `load`. Several takes may run at once, each step from any thread."""

    def __init__(
        self, folder: Path, choice: Choice, talker: TalkerModel, codec: Codec, speaker: SpeakerEncoder | None
    ) -> None:
        self.folder = folder
        self.choice = choice
        self.config = talker.config
        self.memory_bytes = _bytes_of(talker, codec, speaker)
        self._talker = talker
        self._codec: Codec | None = codec
        self._speaker = speaker
        self._preparing = Lock()

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = AUTO,
        precision: str = AUTO,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> QwenModel:
        """Read a model's folder. `device` is "auto" or torch's name of one, `precision` "auto", "float32" or so;
        `threads` compute on a CPU, None as many as help.

        Raises DeviceUnavailable, PrecisionNotSupported, or a ModelFolderInvalid that names the file.
        """
        choice = choose(device, precision)
        use_few_threads(threads)
        config = read_model_config(folder)
        talker_file = folder / WEIGHTS_FILE
        codec_folder = folder / SPEECH_TOKENIZER_FOLDER
        steps = _Steps([talker_file, codec_folder / WEIGHTS_FILE], progress)
        codec = Codec.load(codec_folder, choice.placement.device, progress=steps.of(1))
        if choice.placement.weight_bits and codec.decoder.gains_by_fusing:  # whose talker needs the compiler anyway
            codec.decoder.fuse()
        speaker = None
        if config.speaker_encoder is not None:
            speaker = SpeakerEncoder.load(talker_file, config.speaker_encoder, choice.placement.device)
        talker = TalkerModel.load(folder, choice.placement, progress=steps.of(0))
        return cls(folder, choice, talker, codec, speaker)

    @property
    def codec(self) -> Codec:
        if self._codec is None:
            raise EngineFailed(engine="Qwen3-TTS", reason="its model is closed")
        return self._codec

    @property
    def device(self) -> str:
        """torch's own name of where it computes."""
        return self.choice.device

    @property
    def sample_rate(self) -> int:
        """Hertz of every chunk."""
        return self.codec.sample_rate

    @property
    def talker(self) -> Talker:
        return self._talker.talker

    def build_prompt(self, request: PromptRequest) -> Prompt:
        """What the talker reads. Raises UnknownLanguage or UnknownVoice."""
        return self._talker.build_prompt(request)

    def stream(self, request: SpeechRequest, *, cancelled: CancelCheck = never) -> Iterator[EngineEvent]:
        """Sound as it is made, then one Finished. Raises UnknownLanguage or UnknownVoice at the call."""
        prompt = self.build_prompt(request.prompt)
        limit = self._limit(request, prompt.text_ids)
        draws = Draws(request.sampling, request.seed, request.greedy)
        generation = GenerationRequest(prompt, draws, limit, cancelled)
        chunks = ChunkDecoder(self.codec.decoder, self.codec.device, request.chunk_frames)
        return self._run(request, generation, chunks)

    def prepare_voice(
        self, samples: npt.NDArray[np.floating], sample_rate: int, transcript: str | None = None
    ) -> ClonePrompt:
        """A recording [N] or [N, channels] to a voice for `PromptRequest.voice`, reusable and savable.

        With its transcript speech goes on as in the recording; without, only the speaker's timbre is taken over.
        Raises CloneNotSupported, and InvalidRequest for a recording that can't be used.
        """
        if self._speaker is None:
            raise CloneNotSupported(voice=self.config.kind)
        with self._preparing:
            encoder = None if transcript is None else self.codec.encoder()
            found = analyse(samples, sample_rate, speaker=self._speaker, codec=encoder)
        if transcript is None or found.codes is None:
            return XVectorClone(found.speaker_embedding.cpu())
        return InContextClone(found.speaker_embedding.cpu(), found.codes.cpu(), transcript)

    def close(self) -> None:
        """Free the weights. Takes in progress keep them until they end."""
        self._talker.close()
        self._codec = self._speaker = None
        if self.choice.placement.device.type == "cuda":
            torch.cuda.empty_cache()

    def _limit(self, request: SpeechRequest, text_ids: int) -> FrameLimit:
        limit = limit_from_text(text_ids, self._talker.generation.max_new_tokens)
        if request.max_frames is not None:
            limit = FrameLimit(request.max_frames)
        if request.max_seconds is not None:
            tokens = math.ceil(request.max_seconds * FRAMES_PER_SECOND) + 1
            limit = FrameLimit(tokens) if tokens < limit.tokens else limit
        return limit

    def _run(
        self, request: SpeechRequest, generation: GenerationRequest, chunks: ChunkDecoder
    ) -> Iterator[EngineEvent]:
        if isinstance(request.prompt.voice, InContextClone):
            chunks.prime(request.prompt.voice.codes)
        reason = StopReason.COMPLETE
        for event in generate(self.talker, generation):
            if isinstance(event, Frame):
                yield from chunks.add(event.codes)
            else:
                reason = event.reason
        yield from chunks.flush()
        yield Finished(reason, None if request.greedy else request.seed)


class _Steps:
    """Several files' progress as one."""

    def __init__(self, files: list[Path], progress: Progress | None) -> None:
        self._sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
        self._done = [0] * len(files)
        self._progress = progress

    def of(self, place: int) -> Progress | None:
        """What the loader of that file reports to."""
        progress = self._progress
        if progress is None:
            return None

        def report(done_bytes: int, total_bytes: int) -> None:
            self._done[place], self._sizes[place] = done_bytes, total_bytes  # a part of the file may be left aside
            progress(sum(self._done), sum(self._sizes))

        return report


def _bytes_of(talker: TalkerModel, codec: Codec, speaker: SpeakerEncoder | None) -> int:
    return sum(weight_bytes(module) for module in (talker.talker, codec.decoder, speaker) if module is not None)
