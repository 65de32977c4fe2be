"""A loaded Whisper model: turns a recording into a transcript with times, by transformers, from a local folder only.

model = WhisperModel.load(folder, device="cpu")
model.transcribe(samples, 48_000).text
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.utils import logging as transformers_logging

from tts_core.audio.files import resample
from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled, InvalidRequest, is_out_of_memory
from tts_core.domain.events import Samples
from tts_core.engines.faults import (
    ModelFileMissing,
    ModelFolderInvalid,
    TranscriptionFailed,
    UnknownSpokenLanguage,
    WeightsMismatch,
    WeightsUnreadable,
)
from tts_core.engines.whisper.transcript import PLAIN, WHISPER_RATE, Segment, Transcript, TranscriptOptions, Word
from tts_core.engines.whisper.words import words_of
from tts_core.models.cached_model import LoadProgress

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
GENERATION_FILE = "generation_config.json"
FEATURES_FILE = "preprocessor_config.json"
TOKENIZER_FILE = "tokenizer.json"
WINDOW_S = 30.0
BLOCK_S = 300.0
"""Seconds handed over at once, ten windows: transformers keeps a window's scores, 20 to 90 MB, until all are done."""
_MAX_NAMES = 5
_ENGLISH = "en"
_WORDS_NOT_TIMED = "this Whisper model does not say when words are spoken, only phrases."
_LOCK_POLL_S = 0.2
# Section 4.5 of the Whisper paper (arXiv:2212.04356): when an attempt is made again with more chance in it, and when
# a window holds no speech. The compression ratio is transformers', of tokens.
_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_COMPRESSION_RATIO = 1.35
_LOG_PROBABILITY = -1.0
_NO_SPEECH = 0.6

Progress = Callable[[float, float], None]
"""A function called with the seconds of the recording that are done and all its seconds."""


def _no_progress(_done_s: float, _total_s: float) -> None:
    pass


class WhisperModel:
    """A loaded Whisper model; make it with `load`. Thread-safe; it transcribes one recording at a time."""

    def __init__(
        self,
        folder: Path,
        model: WhisperForConditionalGeneration,
        features: WhisperFeatureExtractor,
        tokenizer: Tokenizer,
    ) -> None:
        self.folder = folder
        self.device = str(model.device)
        self.memory_bytes = sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())
        self._model: WhisperForConditionalGeneration | None = model
        self._features = features
        self._tokenizer = tokenizer
        self._busy = Lock()

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu", progress: LoadProgress | None = None) -> WhisperModel:
        """Read a model's folder onto a device of torch: float32 on a CPU, float16 elsewhere. Never asks the network.

        Raises ModelFolderInvalid naming the file, or one of its kinds.
        """
        _check_files(folder)
        total = (folder / WEIGHTS_FILE).stat().st_size
        report = progress or (lambda _done, _total: None)
        report(0, total)
        model: Any = _read_model(folder, torch.float32 if device.startswith("cpu") else torch.float16)
        try:
            model.to(device)
        except (RuntimeError, AssertionError) as error:  # torch's, where the device is not there
            if is_out_of_memory(error):
                raise
            raise TranscriptionFailed(reason=_one_line(error)) from error
        report(total, total)
        return cls(folder, model.eval(), _read_features(folder), _read_tokenizer(folder))

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
        """Transcribe mono samples (n,). `language`: Whisper's code; None finds it out from the first 30 s.

        Raises Cancelled within a token of being asked to stop, UnknownSpokenLanguage, TranscriptionFailed, and
        InvalidRequest for a model that can't time words.
        """
        sound = resample(samples, sample_rate, WHISPER_RATE)
        with self._alone(cancelled) as model, _failures_typed(), torch.inference_mode(), _own_chances(model.device):
            if options.with_words and not hasattr(model.generation_config, "alignment_heads"):
                raise InvalidRequest(reason=_WORDS_NOT_TIMED, field="timestamp_granularities")
            code = self._language(model, sound, language)
            pieces: list[Segment] = []
            start_s, total_s = 0.0, len(sound) / WHISPER_RATE
            while start_s < total_s:
                block = sound[round(start_s * WHISPER_RATE) : round((start_s + BLOCK_S) * WHISPER_RATE)]
                is_last = start_s + BLOCK_S >= total_s
                watch = _Watch(start_s, total_s, cancelled, progress)
                found = self._segments(model, block, code, options, watch)
                kept, length_s = (found, BLOCK_S) if is_last else _without_cut_end(found)
                pieces += [_later(one, start_s) for one in kept]
                start_s += length_s
            progress(total_s, total_s)
        segments = tuple(_tidied(pieces, total_s))
        text = "".join(one.text for one in segments).strip()
        shown = tuple(replace(one, text=one.text.strip()) for one in segments)
        return Transcript(text, _ENGLISH if options.in_english else code, shown)

    def close(self) -> None:
        """Free the weights once no recording is being transcribed."""
        with self._busy:
            on_cuda = self._model is not None and self._model.device.type == "cuda"
            self._model = None
        if on_cuda:
            torch.cuda.empty_cache()

    @contextmanager
    def _alone(self, cancelled: CancelCheck) -> Iterator[WhisperForConditionalGeneration]:
        while not self._busy.acquire(timeout=_LOCK_POLL_S):
            if cancelled():
                raise Cancelled
        try:
            if cancelled():
                raise Cancelled
            if self._model is None:
                raise TranscriptionFailed(reason="its model is closed")
            yield self._model
        finally:
            self._busy.release()

    def _language(self, model: WhisperForConditionalGeneration, sound: Samples, wanted: str | None) -> str:
        ids = _language_ids(model)
        if not ids:
            if wanted not in (None, _ENGLISH):
                raise UnknownSpokenLanguage(model=self.folder.name, language=wanted)
            return _ENGLISH
        if wanted is not None:
            if wanted not in ids:
                raise UnknownSpokenLanguage(model=self.folder.name, language=wanted)
            return wanted
        first, _ = self._mel(model, sound[: round(WINDOW_S * WHISPER_RATE)])
        found = int(model.detect_language(input_features=first)[0])
        return next(code for code, number in ids.items() if number == found)

    def _mel(self, model: WhisperForConditionalGeneration, sound: Samples) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-mel features [1, mels, frames] of at least one window, and a mask [1, frames] of those with sound."""
        is_short = len(sound) <= WINDOW_S * WHISPER_RATE
        mel = self._features(
            sound,
            sampling_rate=WHISPER_RATE,
            truncation=False,
            padding="max_length" if is_short else "longest",
            return_attention_mask=True,
            return_tensors="pt",
        )
        return mel["input_features"].to(model.device, model.dtype), mel["attention_mask"].to(model.device)

    def _segments(
        self,
        model: WhisperForConditionalGeneration,
        sound: Samples,
        language: str,
        options: TranscriptOptions,
        watch: _Watch,
    ) -> list[Segment]:
        """The segments of one block: seconds from its start, texts with their leading spaces."""
        mel, mask = self._mel(model, sound)
        is_asked = bool(_language_ids(model))  # an English model refuses a language as argument
        answer: Any = model.generate(
            input_features=mel,
            attention_mask=mask,
            return_timestamps=True,
            return_segments=True,
            condition_on_prev_tokens=False,
            monitor_progress=watch.window,
            stopping_criteria=StoppingCriteriaList([watch]),
            language=language if is_asked else None,
            task=("translate" if options.in_english else "transcribe") if is_asked else None,
            return_token_timestamps=options.with_words,
            temperature=_TEMPERATURES,
            compression_ratio_threshold=_COMPRESSION_RATIO,
            logprob_threshold=_LOG_PROBABILITY,
            no_speech_threshold=_NO_SPEECH,
        )
        spoken = _ENGLISH if options.in_english else language
        return [self._segment(model, row, spoken, with_words=options.with_words) for row in answer["segments"][0]]

    def _segment(self, model: WhisperForConditionalGeneration, row: Any, language: str, *, with_words: bool) -> Segment:
        tokens, end_s = row["tokens"].tolist(), float(row["end"])
        words: tuple[Word, ...] = ()
        if with_words:
            starts_s = row["token_timestamps"].tolist()
            words = words_of(tokens, starts_s, end_s, lambda run: self._text(model, run), language)
        return Segment(float(row["start"]), end_s, self._text(model, tokens), words)

    def _text(self, model: WhisperForConditionalGeneration, tokens: list[int]) -> str:
        """The text of tokens. Every token from the end mark on is a mark: languages, tasks, times."""
        end: int = model.generation_config.eos_token_id
        return str(self._tokenizer.decode([token for token in tokens if token < end]))


class _Watch(StoppingCriteria):
    """Called at each window and each token: checks whether to stop, and reports the progress."""

    def __init__(self, start_s: float, total_s: float, cancelled: CancelCheck, progress: Progress) -> None:
        self._start_s = start_s
        self._total_s = total_s
        self._cancelled = cancelled
        self._progress = progress

    def window(self, places: torch.Tensor) -> None:
        """Report a new window. `places` [1, 2]: the frame (10 ms) where it begins, and the number of frames."""
        self._check()
        self._progress(min(self._start_s + int(places[0, 0]) / 100, self._total_s), self._total_s)

    def __call__(self, input_ids: torch.Tensor, scores: Any) -> torch.Tensor:
        self._check()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

    def _check(self) -> None:
        if self._cancelled():
            raise Cancelled


def _without_cut_end(found: list[Segment]) -> tuple[list[Segment], float]:
    """The phrases of a block that another follows, and where that begins (seconds into this one).

    A phrase in the last window may be cut by the block's end: the next block begins with it.
    """
    if len(found) > 1 and found[-1].end_s > BLOCK_S - WINDOW_S and found[-2].end_s > WINDOW_S:
        return found[:-1], found[-2].end_s
    return found, BLOCK_S


def _tidied(pieces: list[Segment], total_s: float) -> Iterator[Segment]:
    """Yield the phrases that are not empty; none ends after the recording does, or before it begins."""
    for one in pieces:
        end_s = min(one.end_s, total_s)
        if one.text.strip():
            words = tuple(replace(word, end_s=min(word.end_s, round(end_s, 2))) for word in one.words)
            yield Segment(round(min(one.start_s, end_s), 2), round(end_s, 2), one.text, words)


def _later(one: Segment, seconds: float) -> Segment:
    words = tuple(Word(word.start_s + seconds, word.end_s + seconds, word.text) for word in one.words)
    return Segment(one.start_s + seconds, one.end_s + seconds, one.text, words)


def _language_ids(model: WhisperForConditionalGeneration) -> Mapping[str, int]:
    """The token of each language code; empty for a model that knows English only."""
    config = model.generation_config
    if not getattr(config, "is_multilingual", True):
        return {}
    return {token.strip("<|>"): number for token, number in (getattr(config, "lang_to_id", None) or {}).items()}


@contextmanager
def _own_chances(device: torch.device) -> Iterator[None]:
    """Draw from a seed of its own at higher temperatures, so that the same recording gives the same words."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


@contextmanager
def _failures_typed() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as error:  # torch's and transformers'
        if is_out_of_memory(error):
            raise
        logger.exception("a transcription failed")
        raise TranscriptionFailed(reason=_one_line(error)) from error


def _check_files(folder: Path) -> None:
    for name in (CONFIG_FILE, WEIGHTS_FILE, GENERATION_FILE, FEATURES_FILE, TOKENIZER_FILE):
        if not (folder / name).is_file():
            raise ModelFileMissing(file=folder / name)
    for name in (CONFIG_FILE, GENERATION_FILE, FEATURES_FILE):
        _json_object(folder / name)
    if _json_object(folder / CONFIG_FILE).get("model_type") != "whisper":
        raise ModelFolderInvalid(file=folder / CONFIG_FILE, reason="it is no Whisper model's")
    if "no_timestamps_token_id" not in _json_object(folder / GENERATION_FILE):
        raise ModelFolderInvalid(file=folder / GENERATION_FILE, reason="it does not say which tokens tell the time")
    try:
        with safe_open(folder / WEIGHTS_FILE, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise WeightsUnreadable(file=folder / WEIGHTS_FILE, reason=_one_line(error)) from error


def _json_object(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFolderInvalid(file=file, reason="it is no JSON") from error
    if not isinstance(data, dict):
        raise ModelFolderInvalid(file=file, reason="it is no JSON object")
    return data


def _read_model(folder: Path, dtype: torch.dtype) -> WhisperForConditionalGeneration:
    weights = folder / WEIGHTS_FILE
    _quieten_transformers()
    try:
        read: Any = WhisperForConditionalGeneration.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported below
        )
    except (SafetensorError, OSError) as error:
        raise WeightsUnreadable(file=weights, reason=_one_line(error)) from error
    except Exception as error:  # each file is sound by itself: the config describes an impossible model
        if is_out_of_memory(error):
            raise
        logger.exception("a Whisper model can't be made")
        raise ModelFolderInvalid(file=folder / CONFIG_FILE, reason=_one_line(error)) from error
    model: WhisperForConditionalGeneration = read[0]
    found: dict[str, Any] = read[1]
    missing, misshapen = _names(found["missing_keys"]), _names(row[0] for row in found["mismatched_keys"])
    if missing or misshapen:
        unknown = _names(found["unexpected_keys"])
        raise WeightsMismatch(file=weights, missing=missing, unknown=unknown, misshapen=misshapen)
    return model


def _read_features(folder: Path) -> WhisperFeatureExtractor:
    try:
        return WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise ModelFolderInvalid(file=folder / FEATURES_FILE, reason=_one_line(error)) from error


def _read_tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    except Exception as error:  # the library raises nothing narrower
        raise ModelFolderInvalid(file=folder / TOKENIZER_FILE, reason=_one_line(error)) from error


def _quieten_transformers() -> None:
    """Keep transformers' bars and advice off the user's terminal; what matters is raised."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def _names(found: Iterable[str]) -> str:
    names = sorted(found)
    return ", ".join(names[:_MAX_NAMES]) + (", …" if len(names) > _MAX_NAMES else "")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
