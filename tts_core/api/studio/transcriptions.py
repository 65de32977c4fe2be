"""The route that writes down what is said in a recording, as a job."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.context import UseServices, UseVisitor, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.faults import BodyTooLarge
from tts_core.api.protection.counting import place_of
from tts_core.api.schemas import Success
from tts_core.api.uploads import kept_upload
from tts_core.audio.faults import AudioUnreadable, RecordingTooLong
from tts_core.domain.errors import ModelNotReady, QueueFull, UnknownModelKey
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.faults import TranscriberMissing, TranscriptionFailed, UnknownSpokenLanguage
from tts_core.engines.whisper.transcriber import read_speech
from tts_core.platform.job import Job
from tts_core.services import Services
from tts_core.voices.faults import LibraryUnwritable

router = APIRouter(prefix="/api/tts/qwen3/transcriptions", tags=["transcription"], responses=failures())

_UPLOAD_FAILURES = (AudioUnreadable, RecordingTooLong, BodyTooLarge, LibraryUnwritable, QueueFull, TranscriptionFailed)


class TranscriptionForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    file: UploadFile = Field(description="The recording: WAV, FLAC, MP3, OGG, M4A or WebM, half an hour at most.")
    language: str = Field(AUTO_LANGUAGE, description='Name or code; "auto" finds it out.', examples=["Chinese"])
    model_key: str = Field(
        "", description="A Whisper model; none is the best that is ready.", examples=["whisper_small"]
    )


class StartedTranscription(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"job_id": "5f0c9a1be2d34c77"}]})

    job_id: str = Field(description="`GET /api/jobs/{job_id}`: its `result` holds `text`, `language`, `segments`.")


@router.post(
    "", responses=failures(TranscriberMissing, ModelNotReady, UnknownModelKey, UnknownSpokenLanguage, *_UPLOAD_FAILURES)
)
async def transcribe(
    request: Request,
    body: Annotated[TranscriptionForm, Form(media_type="multipart/form-data")],
    services: UseServices,
    workers: UseWorkers,
    visitor: UseVisitor,
) -> Success[StartedTranscription]:
    """Start the job that writes down what is said. When it is done, its `result` is `{"text", "language" (Whisper's
    code), "segments": [{"start_s", "end_s", "text"}], "model_key"}`, and the recording is removed; after a failure it
    is kept for a day, for `POST /api/jobs/{job_id}/retry`.
    """
    job = await workers.decode(lambda: _started(services, body))
    services.login.quotas.keep(visitor, body.file.size or 0)
    services.jobs.when_over(job.key, place_of(request).pop_all().close)
    return Success(data=StartedTranscription(job_id=job.key), message="The recording is being transcribed.")


def _started(services: Services, body: TranscriptionForm) -> Job:
    services.transcriber.choose(body.model_key)  # cheap, so before the decoding
    with kept_upload(body.file.file) as upload:
        read_speech(upload)
        return services.transcriber.start_upload(
            services.jobs, upload, language=body.language, model_key=body.model_key
        )
