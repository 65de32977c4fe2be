"""Routes for the files of saved voices: sound to hear, archives to take elsewhere. No path comes from a caller."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import FileResponse, Response

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.faults import BodyTooLarge
from tts_core.api.schemas import Success
from tts_core.api.studio.voice_schemas import ImportForm, VoiceObject
from tts_core.api.studio.voices import present
from tts_core.api.uploads import PassingFile, kept_upload, new_folder
from tts_core.domain.errors import CloneNotSupported, UnknownModelKey, UnknownVoice, VoicePromptInvalid
from tts_core.services import Services
from tts_core.speech.faults import UnknownTake
from tts_core.voices.exchange.transfer import archive_name
from tts_core.voices.faults import ConsentMissing, LibraryBusy, LibraryUnwritable, VoiceArchiveInvalid
from tts_core.voices.record import SavedVoice

router = APIRouter(prefix="/api/tts/qwen3/voices", tags=["voices"], responses=failures())

ZIP = "application/zip"
_ANY = "application/octet-stream"
MIMES: Mapping[str, str] = MappingProxyType(
    {
        ".wav": "audio/wav",
        ".flac": "audio/flac",
        ".mp3": "audio/mpeg",
        ".ogg": "audio/ogg",
        ".opus": "audio/ogg",
        ".m4a": "audio/mp4",
        ".webm": "audio/webm",
        ".aac": "audio/aac",
        ".aiff": "audio/aiff",
    }
)
"""The types of files that are played in the browser; any other file is only saved."""
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class AudioKind(str, Enum):
    REFERENCE = "reference"
    PREVIEW = "preview"
    ORIGINAL = "original"


@router.head("/{voice_id}/audio", include_in_schema=False)
@router.get(
    "/{voice_id}/audio",
    response_class=FileResponse,
    responses={
        200: {"content": dict.fromkeys(MIMES.values(), _BINARY), "description": "The file"},
        **failures(UnknownVoice, UnknownTake),
    },
)
def voice_audio(voice_id: str, services: UseServices, kind: AudioKind = AudioKind.REFERENCE) -> Response:
    """A voice's sound: the recording as the model hears it, the last preview, or the upload as it came. Understands
    `Range`, so players can seek.
    """
    voice = present(services, voice_id)
    find: Callable[[str], Path | None] = {
        AudioKind.REFERENCE: services.voices.reference,
        AudioKind.PREVIEW: services.voices.preview_file,
        AudioKind.ORIGINAL: services.voices.original,
    }[kind]
    path = find(voice.id)
    if path is None:
        raise UnknownTake
    mime = MIMES.get(path.suffix.lower(), _ANY)
    return FileResponse(
        path,
        media_type=mime,
        filename=f"{kind.value}-{voice.id}{path.suffix}",
        content_disposition_type="attachment" if mime == _ANY else "inline",
        headers={"Cache-Control": "no-cache"},
    )


@router.get(
    "/{voice_id}/export",
    response_class=FileResponse,
    responses={200: {"content": {ZIP: _BINARY}, "description": "The archive"}, **failures(UnknownVoice)},
)
async def export_voice(voice_id: str, request: Request, services: UseServices, workers: UseWorkers) -> Response:
    """Download a zip with everything about a voice: record, recordings, transcript, prepared prompts, preview,
    checksums."""
    voice = present(services, voice_id)
    path = await workers.run(request, lambda _gone: _exported(services, voice))
    return PassingFile(path, media_type=ZIP, filename=path.name, headers={"Cache-Control": "no-store"})


@router.post(
    "/import",
    responses=failures(
        *(VoiceArchiveInvalid, VoicePromptInvalid, ConsentMissing, UnknownModelKey, CloneNotSupported),
        *(BodyTooLarge, LibraryBusy, LibraryUnwritable),
    ),
)
async def import_voice(
    body: Annotated[ImportForm, Form(media_type="multipart/form-data")], services: UseServices, workers: UseWorkers
) -> Success[list[VoiceObject]]:
    """Take over a voice that was exported here or elsewhere, or the prompts of the official demo (these with `name`,
    `model_key` and a consent). The result is always new voices; nothing is replaced."""
    voices = await workers.decode(lambda: _imported(services, body))
    return Success(data=[VoiceObject.of(voice) for voice in voices], message=f"{len(voices)} voices were taken over.")


def _exported(services: Services, voice: SavedVoice) -> Path:
    folder = new_folder()
    try:
        return services.voice_transfer.export(voice.id, folder / archive_name(voice))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _imported(services: Services, body: ImportForm) -> tuple[SavedVoice, ...]:
    with kept_upload(body.file.file) as upload:
        return services.voice_transfer.import_file(upload, body.new(), body.consent())
