"""A recording that came over the network is transcribed at once, and nothing of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

from tts_core.audio.reading import Clip
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import QueueFull
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.whisper.transcriber import MAX_WAITING_UPLOADS
from tts_core.engines.whisper.transcript import PLAIN, Transcript, TranscriptOptions
from tts_core.platform.job import JobKind
from tts_core.services import Services


@dataclass(frozen=True, slots=True)
class WantedTranscript:
    model_key: str
    language: str = AUTO_LANGUAGE
    options: TranscriptOptions = PLAIN


def listen_as_job(
    services: Services, clip: Clip, wanted: WantedTranscript, subject: str, gone: CancelCheck
) -> Transcript:
    """Transcribe as a job that everybody sees and that can be cancelled; the text goes to the caller alone.

    `subject` is the job's, where the recording has no name that means anything here. Raises QueueFull, and what
    `Transcriber.transcribe` raises.
    """
    jobs, stop = services.jobs, Event()
    waiting = [job for job in jobs.jobs() if job.kind is JobKind.TRANSCRIPTION and not job.state.is_over]
    if len(waiting) >= MAX_WAITING_UPLOADS:
        raise QueueFull(waiting=len(waiting))
    with jobs.watch(JobKind.TRANSCRIPTION, subject, stop) as run:
        transcript = services.transcriber.transcribe(
            clip,
            language=wanted.language,
            model_key=wanted.model_key,
            options=wanted.options,
            cancelled=lambda: gone() or stop.is_set(),
            say=run.say,
        )
        run.result = {"language": transcript.language, "model_key": wanted.model_key}
    return transcript
