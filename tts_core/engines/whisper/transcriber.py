"""Use case: transcribe a recording by the best Whisper model that is ready, or check it against the wanted text.

transcript = services.transcriber.transcribe(path, language="Chinese")
check = services.transcriber.check(take.path, "你好。", language=take.language)
job = services.transcriber.start(services.jobs, path, subject=voice_id)
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts_core.audio.reading import MAX_RECORDING_S, Clip, read_recording
from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled, InvalidRequest, QueueFull
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.faults import TranscriberMissing, TranscriptionFailed, UnknownSpokenLanguage
from tts_core.engines.qwen.kernels.processor import best_threads
from tts_core.engines.whisper.error_rate import ErrorRate, compare
from tts_core.engines.whisper.languages import spoken_language
from tts_core.engines.whisper.transcript import PLAIN, WHISPER_RATE, Transcript, TranscriptOptions
from tts_core.models.cached_model import LoadProgress
from tts_core.models.catalogue import WHISPER_WEIGHTS_FILE, ModelEntry, ModelKind
from tts_core.models.memory import ModelCache
from tts_core.models.of_kind import ModelsOfKind
from tts_core.models.status import ModelStatus, ModelStatuses
from tts_core.platform.job import Job, JobKind, JobRun
from tts_core.platform.jobs import Jobs
from tts_core.platform.whole_files import make_private

if TYPE_CHECKING:
    from tts_core.engines.whisper.model import WhisperModel

WHISPER = "whisper"
"""The kind of these models in memory."""
SUGGESTED = "whisper_small"
"""The model to suggest where none is ready: it understands most languages well, and a CPU can bear it."""
READING, LOADING, TRANSCRIBING = "read_audio", "load_model", "transcribe"
"""The phases of a transcription, in this order."""
MAX_WAITING_UPLOADS = 16
_NO_TRANSLATORS = ("large-v3-turbo",)
"""The sizes of models that write down what is said in its own language, also where a translation is asked for."""
_READ, _LOADED = 2.0, 20.0
"""Percent when these phases are over; the rest is transcribing."""

Say = Callable[[str, float], None]
"""A function called with a phase and the percent of the whole."""


@dataclass(frozen=True, slots=True)
class SpokenCheck:
    """A transcript and how far it is from the wanted text."""

    transcript: Transcript
    error_rate: ErrorRate


def say_nothing(_phase: str, _percent: float) -> None:
    pass


def read_speech(recording: Path) -> Clip:
    """A recording to transcribe, a long one at the models' own rate. Raises the errors of `read_recording`."""
    return read_recording(recording, max_seconds=MAX_RECORDING_S, long_rate=WHISPER_RATE)


class Transcriber:
    """Transcribes recordings. Thread-safe. Whisper models lie in memory under their keys."""

    def __init__(self, models: ModelStatuses, cache: ModelCache[WhisperModel], uploads: Path) -> None:
        """`uploads`: a folder for recordings that only their job needs. One whose job failed stays a day for another
        try."""
        self._models = models
        self._whispers = ModelsOfKind(models, ModelKind.WHISPER)
        self._cache = cache
        self._uploads = uploads

    def ready(self) -> tuple[ModelStatus, ...]:
        """The Whisper models that can be used now, best first."""
        return tuple(sorted(self._whispers.ready(), key=_size, reverse=True))

    def suggestion(self) -> ModelEntry:
        """The model to download where none is ready."""
        return self._models.entry(SUGGESTED)

    def choose(self, model_key: str = "") -> ModelStatus:
        """The model of that key, "" for the best one. Raises TranscriberMissing, UnknownModelKey, ModelNotReady."""
        return self._whispers.chosen(model_key, self.ready(), SUGGESTED, TranscriberMissing)

    def choose_translator(self, model_key: str = "") -> ModelStatus:
        """The model of that key, "" for the best one, for translating into English, which the turbo models were not
        trained for. Raises what `choose` raises, and InvalidRequest for such a model."""
        able = [status for status in self.ready() if status.entry.size not in _NO_TRANSLATORS]
        if not model_key and able:
            return able[0]
        chosen = self.choose(model_key)
        if chosen.entry.size in _NO_TRANSLATORS:
            raise InvalidRequest(reason=f"{chosen.entry.display_name} does not translate.", field="model")
        return chosen

    def transcribe(
        self,
        recording: Path | Clip,
        *,
        language: str = AUTO_LANGUAGE,
        model_key: str = "",
        options: TranscriptOptions = PLAIN,
        cancelled: CancelCheck = never,
        say: Say = say_nothing,
    ) -> Transcript:
        """Transcribe at most half an hour of sound. `language`: name or code, "auto" to find it out.

        Raises what `choose` raises, UnknownSpokenLanguage, AudioUnreadable, RecordingTooLong, Cancelled,
        MemoryBudgetFull and EngineFailed.
        """
        status = self.choose(model_key)
        code = spoken_language(language)
        say(READING, 0.0)
        clip = read_speech(recording) if isinstance(recording, Path) else recording
        with self._cache.begin(status.key) as lease:
            for done_bytes, total_bytes in lease.progress():
                if cancelled():
                    raise Cancelled
                say(LOADING, _READ + (_LOADED - _READ) * (done_bytes / total_bytes if total_bytes else 0.0))
            return lease.model().transcribe(
                clip.samples,
                clip.sample_rate,
                language=code,
                options=options,
                cancelled=cancelled,
                progress=lambda done_s, total_s: say(TRANSCRIBING, _LOADED + (100.0 - _LOADED) * done_s / total_s),
            )

    def check(
        self,
        recording: Path | Clip,
        wanted: str,
        *,
        language: str = AUTO_LANGUAGE,
        model_key: str = "",
        cancelled: CancelCheck = never,
        say: Say = say_nothing,
    ) -> SpokenCheck:
        """Measure how far a recording is from the text that it was made of, in that voice's language.

        Raises what `transcribe` raises.
        """
        transcript = self.transcribe(
            recording, language=_asked_or_auto(language), model_key=model_key, cancelled=cancelled, say=say
        )
        return SpokenCheck(transcript, compare(wanted, transcript.text, transcript.language))

    def start(
        self,
        jobs: Jobs,
        recording: Path,
        *,
        subject: str = "",
        language: str = AUTO_LANGUAGE,
        model_key: str = "",
    ) -> Job:
        """Transcribe as a job, whose result is `Transcript.as_json()` and "model_key"; the file must stay until then.

        `subject` is what people know the recording by, e.g. a voice's id. Raises what `choose` raises and
        UnknownSpokenLanguage at once, not in the job.
        """
        self.choose(model_key)
        spoken_language(language)
        inputs = {"path": str(recording), "language": language, "model_key": model_key}
        return jobs.submit(JobKind.TRANSCRIPTION, subject or recording.name, inputs)

    def start_upload(self, jobs: Jobs, upload: Path, *, language: str = AUTO_LANGUAGE, model_key: str = "") -> Job:
        """Transcribe an uploaded file as a job, as `start` does: the file is taken over, and deleted once transcribed.

        Raises QueueFull and TranscriptionFailed (no room on the disk), too.
        """
        waiting = [job for job in jobs.jobs() if job.kind is JobKind.TRANSCRIPTION and not job.state.is_over]
        if len(waiting) >= MAX_WAITING_UPLOADS:
            raise QueueFull(waiting=len(waiting))
        self.choose(model_key)
        spoken_language(language)
        recording = self._uploads / f"heard-{secrets.token_hex(8)}"
        try:
            make_private(self._uploads)
            shutil.move(upload, recording)
        except OSError as error:
            recording.unlink(missing_ok=True)
            raise TranscriptionFailed(reason=error.strerror or "the disk refuses it") from error
        return self.start(jobs, recording, language=language, model_key=model_key)

    def do(self, run: JobRun) -> Mapping[str, Any]:
        """Do the work of a job that `start` has queued."""
        model_key = self.choose(run.inputs["model_key"]).key
        recording = Path(run.inputs["path"])
        transcript = self.transcribe(
            recording,
            language=run.inputs["language"],
            model_key=model_key,
            cancelled=run.cancelled,
            say=run.say,
        )
        if recording.parent == self._uploads:
            recording.unlink(missing_ok=True)
        return {**transcript.as_json(), "model_key": model_key}


def load_transcriber(folder: Path, device: str, threads: int | None, progress: LoadProgress) -> WhisperModel:
    """Read a Whisper model's folder; a second. `device` is "auto" or torch's name of one. Raises EngineFailed.

    threads: how many compute on a CPU; None for as many as help.
    """
    from tts_core.engines.whisper.model import WhisperModel  # noqa: PLC0415 - a second, and memory

    return WhisperModel.load(folder, device=device, threads=threads or best_threads(), progress=progress)


def weights_bytes(folder: Path) -> int:
    """The memory that the model takes, about: the size of its weights on the disk."""
    return sum(file.stat().st_size for file in folder.glob(WHISPER_WEIGHTS_FILE))


def _size(status: ModelStatus) -> int:
    """The size by which models are compared: the larger a Whisper model, the fewer its mistakes."""
    return status.entry.total_bytes


def _asked_or_auto(language: str) -> str:
    """The language, or "auto" where Whisper does not know it: then it is taken for what it resembles most."""
    try:
        spoken_language(language)
    except UnknownSpokenLanguage:
        return AUTO_LANGUAGE
    return language
