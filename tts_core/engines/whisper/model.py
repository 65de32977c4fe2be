"""A loaded Whisper model: turns a recording into a transcript with times, by CTranslate2, from a local folder only.

model = WhisperModel.load(folder, device="cpu")
model.transcribe(samples, 48_000).text
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

import faster_whisper
import numpy as np
import onnxruntime
from faster_whisper.vad import VadOptions, get_speech_timestamps

from tts_core.audio.files import resample
from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled, is_out_of_memory
from tts_core.domain.events import Samples
from tts_core.engines.faults import ModelFileMissing, ModelFolderInvalid, TranscriptionFailed, UnknownSpokenLanguage
from tts_core.engines.whisper.device import CPU, WhisperDevice, choose
from tts_core.engines.whisper.transcript import PLAIN, WHISPER_RATE, Segment, Transcript, TranscriptOptions, Word
from tts_core.models.cached_model import LoadProgress
from tts_core.models.catalogue import CONFIG_FILE, WHISPER_WEIGHTS_FILE
from tts_core.models.files.ctranslate2_file import parameters

logger = logging.getLogger(__name__)

TOKENIZER_FILE = "tokenizer.json"
WINDOW_S = 30.0
_ENGLISH = "en"
_POLL_S = 0.1
"""Seconds after which a request to stop is noticed."""
_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Section 4.5 of the Whisper paper (arXiv:2212.04356): a window that came out badly is tried again with more chance."""

Progress = Callable[[float, float], None]
"""A function called with the seconds of the recording that are done and all its seconds."""


def _no_progress(_done_s: float, _total_s: float) -> None:
    pass


class WhisperModel:
    """A loaded Whisper model; make it with `load`. Thread-safe; it transcribes one recording at a time."""

    def __init__(self, folder: Path, network: _Network, place: WhisperDevice) -> None:
        self.folder = folder
        self.place = place
        self.device = place.device
        self.memory_bytes = parameters(folder / WHISPER_WEIGHTS_FILE) * place.bytes_per_number
        self._network: _Network | None = network
        self._busy = Lock()

    @property
    def device_reason(self) -> str:
        return self.place.reason

    @classmethod
    def load(
        cls, folder: Path, *, device: str = CPU, threads: int = 0, progress: LoadProgress | None = None
    ) -> WhisperModel:
        """Read a model's folder. `device`: "auto" or torch's name of one; `threads`: 0 for as many as help.

        Never asks the network. A card whose libraries don't work is left for the CPU; `place` says why. Raises
        ModelFolderInvalid naming the file, or one of its kinds, and DeviceUnavailable.
        """
        _check_files(folder)
        total = (folder / WHISPER_WEIGHTS_FILE).stat().st_size
        report = progress or (lambda _done, _total: None)
        report(0, total)
        place = choose(device)
        try:
            network = _read(folder, place, threads)
        except ModelFolderInvalid:
            raise
        except (RuntimeError, ValueError) as error:  # CTranslate2's, where a library of the card is missing
            if place.device == CPU or is_out_of_memory(error):
                raise ModelFolderInvalid(file=folder / WHISPER_WEIGHTS_FILE, reason=_one_line(error)) from error
            place = place.on_cpu(_one_line(error))
            network = _read(folder, place, threads)
        report(total, total)
        return cls(folder, network, place)

    def transcribe(
        self,
        samples: Samples,
        sample_rate: int,
        *,
        language: str | None = None,
        options: TranscriptOptions = PLAIN,
        cancelled: CancelCheck = never,
        progress: Progress = _no_progress,
    ) -> Transcript:
        """Transcribe mono samples (n,). `language`: Whisper's code; None finds it out from the first 30 s of speech.

        Where nobody speaks the transcript is empty. Raises Cancelled at once when asked to stop, UnknownSpokenLanguage
        and TranscriptionFailed.
        """
        sound = np.ascontiguousarray(resample(samples, sample_rate, WHISPER_RATE), np.float32)
        with self._alone(cancelled) as work:
            if language is not None and not work.network.understands(language):
                raise UnknownSpokenLanguage(model=self.folder.name, language=language)
            return work.done(lambda: _transcript(work, sound, language, options), progress)

    def close(self) -> None:
        """Free the weights once no recording is being transcribed."""
        with self._busy:
            self._network = None

    @contextmanager
    def _alone(self, cancelled: CancelCheck) -> Iterator[_Work]:
        """Work on this model, which nobody else has until the work's thread has ended."""
        while not self._busy.acquire(timeout=_POLL_S):
            if cancelled():
                raise Cancelled
        if self._network is None:
            self._busy.release()
            raise TranscriptionFailed(reason="its model is closed")
        work = _Work(self._network, cancelled, self._busy.release)
        try:
            yield work
        finally:
            work.abandon()


class _Network(faster_whisper.WhisperModel):  # type: ignore[misc]
    """Whisper as faster-whisper runs it, which stops between two steps of a window when asked to."""

    is_stopping: Callable[[], bool] = never

    def understands(self, language: str) -> bool:
        """Whether the model knows that language; the older ones know some less."""
        if not self.model.is_multilingual:
            return language == _ENGLISH
        return self.hf_tokenizer.token_to_id(f"<|{language}|>") is not None

    def encode(self, features: Any) -> Any:
        if self.is_stopping():
            raise Cancelled
        return super().encode(features)

    def generate_with_fallback(self, encoder_output: Any, prompt: Any, tokenizer: Any, options: Any) -> Any:
        if self.is_stopping():
            raise Cancelled
        return super().generate_with_fallback(encoder_output, prompt, tokenizer, options)


class _Work:
    """A transcription in a thread of its own: CTranslate2 does not stop within a window, and its caller does not wait
    for that. The model is free for others once the thread has ended."""

    def __init__(self, network: _Network, cancelled: CancelCheck, free: Callable[[], None]) -> None:
        self.network = network
        self._cancelled = cancelled
        self._free = free
        self._stop = Event()
        self._steps: SimpleQueue[tuple[float, float] | Transcript | BaseException] = SimpleQueue()
        self._thread: Thread | None = None

    def done(self, work: Callable[[], Transcript], progress: Progress) -> Transcript:
        """Do the work. Raises Cancelled soon after being asked to stop, and TranscriptionFailed."""
        self.network.is_stopping = self._stop.is_set
        self._thread = Thread(target=self._run, args=(work,), name="whisper")
        self._thread.start()
        while True:
            if self._cancelled():
                raise Cancelled
            try:
                step = self._steps.get(timeout=_POLL_S)
            except Empty:
                continue
            if isinstance(step, Transcript):
                return step
            if isinstance(step, BaseException):
                raise step
            progress(*step)

    def report(self, done_s: float, total_s: float) -> None:
        if self._stop.is_set():
            raise Cancelled
        self._steps.put((done_s, total_s))

    def abandon(self) -> None:
        """End the work at its next step, without waiting for that."""
        self._stop.set()
        if self._thread is None:
            self._free()

    def _run(self, work: Callable[[], Transcript]) -> None:
        try:
            outcome: Transcript | BaseException = work()
        except Cancelled as error:
            outcome = error
        except (RuntimeError, ValueError, IndexError) as error:  # CTranslate2's and faster-whisper's
            outcome = error
            if not is_out_of_memory(error):
                logger.exception("a transcription failed")
                outcome = TranscriptionFailed(reason=_one_line(error))
                outcome.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
            outcome = error
        finally:
            self._free()
        self._steps.put(outcome)


def _transcript(work: _Work, sound: Samples, language: str | None, options: TranscriptOptions) -> Transcript:
    total_s = len(sound) / WHISPER_RATE
    work.report(0.0, total_s)
    if not get_speech_timestamps(sound, VadOptions()):
        work.report(total_s, total_s)
        return Transcript("", language or "", ())
    segments, found = work.network.transcribe(
        sound,
        language=language,
        task="translate" if options.in_english else "transcribe",
        temperature=options.temperature or _TEMPERATURES,
        condition_on_previous_text=False,  # one bad window must not spoil all that follow
        initial_prompt=options.prompt or None,
        word_timestamps=options.with_words,
        vad_filter=True,
    )
    pieces = []
    for one in segments:
        work.report(min(one.end, total_s), total_s)
        pieces.append(one)
    work.report(total_s, total_s)
    text = "".join(one.text for one in pieces).strip()
    return Transcript(text, _ENGLISH if options.in_english else found.language, tuple(_tidied(pieces, total_s)))


def _tidied(pieces: list[Any], total_s: float) -> Iterator[Segment]:
    """Yield the phrases that are not empty; none ends after the recording does, or before it begins."""
    for one in pieces:
        if one.text.strip():
            words = tuple(Word(*_times(word, total_s), word.word.strip()) for word in one.words or ())
            yield Segment(*_times(one, total_s), one.text.strip(), words)


def _times(one: Any, total_s: float) -> tuple[float, float]:
    end_s = min(float(one.end), total_s)
    return round(min(float(one.start), end_s), 2), round(end_s, 2)


def _check_files(folder: Path) -> None:
    for name in (CONFIG_FILE, WHISPER_WEIGHTS_FILE, TOKENIZER_FILE):
        if not (folder / name).is_file():
            raise ModelFileMissing(file=folder / name)
    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFolderInvalid(file=folder / CONFIG_FILE, reason="it is no JSON") from error
    if not isinstance(config, dict) or "suppress_ids_begin" not in config:
        raise ModelFolderInvalid(file=folder / CONFIG_FILE, reason="it is no Whisper model's for CTranslate2")
    try:
        parameters(folder / WHISPER_WEIGHTS_FILE)
    except ValueError as error:
        raise ModelFolderInvalid(file=folder / WHISPER_WEIGHTS_FILE, reason=str(error)) from error


def _read(folder: Path, place: WhisperDevice, threads: int) -> _Network:
    """Raises RuntimeError or ValueError, as CTranslate2 does, and ModelFolderInvalid for the tokenizer."""
    device, _, index = place.device.partition(":")
    onnxruntime.disable_telemetry_events()  # on Windows they are on; nothing leaves the machine
    try:
        network = _Network(
            str(folder),
            device=device,
            device_index=int(index or 0),
            compute_type=place.precision,
            cpu_threads=threads,
            local_files_only=True,
        )
    except (RuntimeError, ValueError):
        raise
    except Exception as error:  # tokenizers raises nothing narrower
        raise ModelFolderInvalid(file=folder / TOKENIZER_FILE, reason=_one_line(error)) from error
    if device != CPU:  # a missing library shows only when something is computed
        network.encode(np.zeros((network.model.n_mels, network.feature_extractor.nb_max_frames), np.float32))
    return network


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
