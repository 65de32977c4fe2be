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

from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import CloneNotSupported, EngineFailed
from tts_core.domain.events import EngineEvent
from tts_core.domain.values import Sampling
from tts_core.engines.qwen.cloning.reference import analyse
from tts_core.engines.qwen.cloning.speaker import SpeakerEncoder
from tts_core.engines.qwen.cloning.voice_prompt import ClonePrompt
from tts_core.engines.qwen.codec.codec import Codec
from tts_core.engines.qwen.codec.slots import CodecSlots
from tts_core.engines.qwen.generation.compiled_blocks import CompiledTalker, can_compile
from tts_core.engines.qwen.generation.frame_step import FrameStep, affordable_slots
from tts_core.engines.qwen.generation.generate import GenerationRequest
from tts_core.engines.qwen.generation.guards import FRAMES_PER_SECOND, FrameLimit, limit_from_text
from tts_core.engines.qwen.generation.scheduler import Scheduler
from tts_core.engines.qwen.generation.sound_queue import SoundQueue
from tts_core.engines.qwen.generation.take import TakeInProgress
from tts_core.engines.qwen.kernels.graphs import Graphs
from tts_core.engines.qwen.placing import AUTO, Choice, choose, codec_dtype, use_few_threads
from tts_core.engines.qwen.talker.config import SPEECH_TOKENIZER_FOLDER, WEIGHTS_FILE, read_model_config
from tts_core.engines.qwen.talker.prompt import InContextClone, Prompt, PromptRequest, XVectorClone
from tts_core.engines.qwen.talker.sampling import Draws
from tts_core.engines.qwen.talker.talker import Talker
from tts_core.engines.qwen.talker.weights import weight_bytes
from tts_core.engines.qwen.talker_model import TalkerModel, whole_number_workers
from tts_core.models.cached_model import LoadProgress


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A request for one take."""

    prompt: PromptRequest
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    greedy: bool = False
    max_frames: int | None = None
    """The published package's max_new_tokens: without an end the take has one frame less. None: the text limits it."""
    max_seconds: float | None = None
    """Longest sound to make."""
    chunk_frames: int | None = None
    """Frames of every chunk; None starts with one and grows."""


_MAX_SLOTS = 32
_MAX_WAITING = 64
"""Takes that may wait for a slot."""


class QwenModel:
    """A loaded model; make it with `load`. Takes may be asked for and received in any threads; `slots` of them are made
    at once.
    """

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
        self.slots = affordable_slots(talker.talker, _MAX_SLOTS)
        self._scheduler: Scheduler | None = self._schedule()

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = AUTO,
        precision: str = AUTO,
        threads: int | None = None,
        progress: LoadProgress | None = None,
    ) -> QwenModel:
        """Read a model's folder. `device` is "auto" or torch's name of one, `precision` "auto" or one of PRECISIONS;
        `threads` is how many compute on a CPU, None for as many as help.

        Raises DeviceUnavailable, PrecisionNotSupported, or a ModelFolderInvalid that names the file.
        """
        choice = choose(device, precision)
        use_few_threads(threads)
        config = read_model_config(folder)
        talker_file = folder / WEIGHTS_FILE
        codec_folder = folder / SPEECH_TOKENIZER_FOLDER
        steps = _Steps([talker_file, codec_folder / WEIGHTS_FILE], progress)
        workers = whole_number_workers() if choice.placement.uses_loops else None
        dtype = codec_dtype(choice.placement)
        codec = Codec.load(codec_folder, choice.placement.device, dtype=dtype, progress=steps.of(1))
        fuses = workers is not None and dtype == torch.float32  # the talker needs the compiler anyway
        if fuses and codec.decoder.gains_by_fusing:
            codec.decoder.fuse(workers)
        speaker = None
        if config.speaker_encoder is not None:
            speaker = SpeakerEncoder.load(talker_file, config.speaker_encoder, choice.placement.device)
        talker = TalkerModel.load(folder, choice.placement, workers=workers, progress=steps.of(0))
        model = cls(folder, choice, talker, codec, speaker)
        model.scheduler.warm_up()
        return model

    @property
    def codec(self) -> Codec:
        if self._codec is None:
            raise EngineFailed(engine="Qwen3-TTS", reason="its model is closed")
        return self._codec

    @property
    def scheduler(self) -> Scheduler:
        if self._scheduler is None:
            raise EngineFailed(engine="Qwen3-TTS", reason="its model is closed")
        return self._scheduler

    @property
    def device(self) -> str:
        """torch's own name of the device that the model computes on."""
        return self.choice.device

    @property
    def warming(self) -> tuple[int, int] | None:
        """How many recordings of work the background has made, and of how many; None once all are made."""
        scheduler = self._scheduler
        return None if scheduler is None or scheduler.is_warm else scheduler.warmed

    @property
    def sample_rate(self) -> int:
        """Hertz of every chunk."""
        return self.codec.sample_rate

    @property
    def talker(self) -> Talker:
        return self._talker.talker

    def build_prompt(self, request: PromptRequest) -> Prompt:
        """The prompt that the talker reads. Raises UnknownLanguage or UnknownVoice."""
        return self._talker.build_prompt(request)

    def stream(self, request: SpeechRequest, *, cancelled: CancelCheck = never) -> Iterator[EngineEvent]:
        """Sound as it is made, then one Finished. Raises UnknownLanguage or UnknownVoice at the call."""
        prompt = self.build_prompt(request.prompt)
        if prompt.embeddings.is_cuda:
            torch.cuda.current_stream().synchronize()  # the scheduler reads it on a stream of its own
        limit = self._limit(request, prompt.text_ids)
        draws = Draws(request.sampling, request.seed, request.greedy)
        voice = request.prompt.voice
        reference = voice.codes if isinstance(voice, InContextClone) else None
        generation = GenerationRequest(prompt, draws, limit, cancelled)
        speech = TakeInProgress(generation, reference=reference, chunk_frames=request.chunk_frames)
        return self.scheduler.speak(speech)

    def prepare_voice(
        self, samples: npt.NDArray[np.floating], sample_rate: int, transcript: str | None = None
    ) -> ClonePrompt:
        """Make a voice for `PromptRequest.voice`, reusable and savable, of a recording [N] or [N, channels].

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
        if self._scheduler is not None:
            self._scheduler.close()
        self._codec = self._speaker = self._scheduler = None
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

    def _schedule(self) -> Scheduler:
        """Build the scheduler. On CUDA work is recorded, and one lock lets one thread record at a time."""
        device, recording = self.choice.placement.device, Lock()
        records = device.type == "cuda"
        compiled = CompiledTalker(self.talker) if records and can_compile(device) else None
        step = FrameStep(self.talker, self.slots, Graphs(recording) if records else None, compiled)
        voices = 2 * self.slots if records else 1  # a take leaves its slot with its last codes, before their sound
        codec = CodecSlots(self.codec.decoder, device, voices, Graphs(recording) if records else None)
        self.memory_bytes += step.memory_bytes
        if records:
            torch.cuda.synchronize(device)  # the threads work on streams of their own
        return Scheduler(step, SoundQueue(codec, voices, pads=records), device, max_waiting=_MAX_WAITING)


class _Steps:
    """The progress of several files, reported as one."""

    def __init__(self, files: list[Path], progress: LoadProgress | None) -> None:
        self._sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
        self._done = [0] * len(files)
        self._progress = progress

    def of(self, place: int) -> LoadProgress | None:
        """The function that the loader of file number `place` reports to."""
        progress = self._progress
        if progress is None:
            return None

        def report(done_bytes: int, total_bytes: int) -> None:
            self._done[place], self._sizes[place] = done_bytes, total_bytes  # a part of the file may be left aside
            progress(sum(self._done), sum(self._sizes))

        return report


def _bytes_of(talker: TalkerModel, codec: Codec, speaker: SpeakerEncoder | None) -> int:
    return sum(weight_bytes(module) for module in (talker.talker, codec.decoder, speaker) if module is not None)
