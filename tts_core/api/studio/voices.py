"""Routes about saved voices: keep, look, change, prepare, listen, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from tts_core.api.context import UseServices, UseVisitor, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.faults import BodyTooLarge, NotForGuests
from tts_core.api.schemas import Success
from tts_core.api.studio.voice_schemas import (
    CheckForm,
    CloneStatus,
    CompareBody,
    DesignBody,
    DuplicateBody,
    GuestVoice,
    Preview,
    PreviewBody,
    RecordingReport,
    RemovedVoice,
    RoleBody,
    StartedJob,
    UploadForm,
    VoiceChanges,
    VoiceLikeness,
    VoiceObject,
)
from tts_core.api.uploads import kept_upload
from tts_core.audio.faults import AudioUnreadable, RecordingSilent, RecordingTooLong
from tts_core.audio.judging import examine
from tts_core.audio.reading import MAX_RECORDING_S, MAX_REFERENCE_S, Clip, read_recording
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import (
    CloneNotSupported,
    EngineFailed,
    ModelNotReady,
    QueueFull,
    ReferenceRequired,
    UnknownLanguage,
    UnknownModelKey,
    UnknownVoice,
)
from tts_core.engines.yourtts.faults import YourTtsMissing
from tts_core.services import Services
from tts_core.speech.faults import UnknownTake
from tts_core.voices.faults import LibraryBusy, LibraryUnwritable, VoiceNotReady
from tts_core.voices.public import public_voice, public_voices
from tts_core.voices.record import SavedVoice

router = APIRouter(prefix="/api/tts/qwen3/voices", tags=["voices"], responses=failures())

_WRITE_FAILURES = (LibraryBusy, LibraryUnwritable)
_NEW_FAILURES = (UnknownModelKey, CloneNotSupported, UnknownLanguage, *_WRITE_FAILURES)
_CHECK_FAILURES = (AudioUnreadable, RecordingTooLong, BodyTooLarge)
_UPLOAD_FAILURES = (*_CHECK_FAILURES, RecordingSilent)


@router.get("", response_model=Success[list[VoiceObject]] | Success[list[GuestVoice]])
def list_voices(services: UseServices, visitor: UseVisitor, search: str = "", deleted: bool = False) -> Response:
    """The library: favourites first, then the newest. `search` looks in names, tags and languages; `deleted` shows
    those that can be restored instead. Guests are told id, name, kind and language, and nothing of deleted voices.
    """
    if visitor.is_guest:
        if deleted:
            raise NotForGuests
        shown = public_voices(services.voices.voices(), search)
        return _as_it_is([GuestVoice.of(voice) for voice in shown], f"{len(shown)} voices.")
    found = services.voices.voices(search=search, deleted=deleted)
    fault = services.voices.fault
    message = f"{len(found)} voices." + (f" {fault.message}" if fault else "")
    return _as_it_is([VoiceObject.of(voice) for voice in found], message)


@router.get("/{voice_id}", response_model=Success[VoiceObject] | Success[GuestVoice], responses=failures(UnknownVoice))
def get_voice(voice_id: str, services: UseServices, visitor: UseVisitor) -> Response:
    """Read one voice as it is now. Guests are told id, name, kind and language."""
    voice, message = present(services, voice_id), "This is the voice."
    if visitor.is_guest:
        return _as_it_is(GuestVoice.of(public_voice(voice)), message)
    return _as_it_is(VoiceObject.of(voice), message)


@router.post("/upload", responses=failures(*_NEW_FAILURES, *_UPLOAD_FAILURES))
async def upload_voice(
    body: Annotated[UploadForm, Form(media_type="multipart/form-data")], services: UseServices, workers: UseWorkers
) -> Success[VoiceObject]:
    """Keep a recording as a voice, not yet prepared: `POST /voices/{id}/clone` comes next. The upload is kept as it
    is, whatever happens later. Without a consent field the voice is shown as not confirmed.
    """
    voice, lost_s = await workers.decode(lambda: _kept(services, body))
    damage = f" {lost_s:.1f} s of it are damaged and left out." if lost_s else ""
    return _answer(voice, f"The recording is kept as a voice.{damage}")


@router.post("/check", responses=failures(*_CHECK_FAILURES))
async def check_recording(
    body: Annotated[CheckForm, Form(media_type="multipart/form-data")], workers: UseWorkers
) -> Success[RecordingReport]:
    """Report how good a recording is as a model for a voice, and what would make it better. Nothing is kept."""
    report = await workers.decode(lambda: _examined(body))
    return Success(data=report, message=f"{len(report.findings)} findings.")


@router.post("/custom-role", responses=failures(*_NEW_FAILURES, UnknownVoice))
def add_role(body: RoleBody, services: UseServices) -> Success[VoiceObject]:
    """Keep a preset speaker with a style of its own as a voice; it speaks at once."""
    return _answer(services.voices.add_role(body.new()), "The role is kept as a voice.")


@router.post("/design-clone", responses=failures(*_NEW_FAILURES, ModelNotReady, YourTtsMissing))
def design_voice(body: DesignBody, services: UseServices) -> Success[StartedJob]:
    """Make a voice from a description and keep it; the job is told at `/api/jobs`, `/ws` and `clone-status`."""
    services.voice_models.ready(body.voice_design_model_key)
    services.voice_models.ready(body.model_key)
    voice, job = services.voices.add_design(body.new(), body.voice_design_model_key)
    return Success(data=StartedJob(voice_id=voice.id, job_id=job.key), message="The voice is being made.")


@router.patch("/{voice_id}", responses=failures(UnknownVoice, *_NEW_FAILURES))
def change_voice(voice_id: str, body: VoiceChanges, services: UseServices) -> Success[VoiceObject]:
    """Change some fields. What was prepared from them is prepared anew when the voice speaks next."""
    voice = present(services, voice_id)
    if body.consent is not None:
        voice = services.voices.confirm(voice.id, body.consent.to_domain())
    if changes := body.changes():
        voice = services.voices.change(voice.id, changes)
    return _answer(voice, "The voice is changed.")


@router.delete("/{voice_id}", responses=failures(UnknownVoice, *_WRITE_FAILURES))
def delete_voice(voice_id: str, services: UseServices, remove_files: bool = False) -> Success[RemovedVoice]:
    """Take a voice out of the library. Its files are kept and `POST /voices/{id}/restore` brings it back, unless
    `remove_files=1`: then both are gone for good, also those of a voice that was deleted before.
    """
    if remove_files:
        names = services.voices.remove(voice_id, files=True)
        message = "The voice and its files are removed."
    else:
        names = ()
        services.voices.delete(present(services, voice_id).id)
        message = "The voice is deleted; its files are kept."
    data = RemovedVoice(id=voice_id, removed_files=remove_files, removed_file_names=list(names))
    return Success(data=data, message=message)


@router.post("/{voice_id}/restore", responses=failures(UnknownVoice, *_WRITE_FAILURES))
def restore_voice(voice_id: str, services: UseServices) -> Success[VoiceObject]:
    """Bring back a voice that was deleted without its files. One that was not deleted stays as it is."""
    return _answer(services.voices.restore(voice_id), "The voice is back.")


@router.post("/{voice_id}/duplicate", responses=failures(UnknownVoice, *_WRITE_FAILURES))
def duplicate_voice(voice_id: str, services: UseServices, body: DuplicateBody | None = None) -> Success[VoiceObject]:
    """Make a copy of a voice with files of its own."""
    voice = present(services, voice_id)
    name = (body.name if body else None) or f"{voice.name} 2"
    return _answer(services.voices.duplicate(voice.id, name), "The voice is copied.")


@router.post("/{voice_id}/clone", responses=failures(UnknownVoice, ModelNotReady, YourTtsMissing, UnknownModelKey))
def prepare_voice(voice_id: str, services: UseServices) -> Success[StartedJob]:
    """Start the job that makes a voice ready; one that is on its way is joined. A job that fails loses nothing."""
    voice = present(services, voice_id)
    services.voice_models.ready(voice.model_key)
    job = services.voices.prepare(voice.id)
    return Success(data=StartedJob(voice_id=voice.id, job_id=job.key), message="The voice is being prepared.")


@router.get("/{voice_id}/clone-status", responses=failures(UnknownVoice))
def clone_status(voice_id: str, services: UseServices) -> Success[CloneStatus]:
    """Report where the preparation of a voice stands."""
    voice = present(services, voice_id)
    job = services.jobs.newest_of(voice.id)
    data = CloneStatus(
        voice_id=voice.id,
        status=voice.status,
        progress=voice.progress,
        last_error=voice.last_error,
        ref_audio_path=voice.ref_audio_path,
        ref_audio_url=voice.ref_audio_url,
        job_id=None if job is None else job.key,
    )
    return Success(data=data, message=voice.last_error or f"The voice is {voice.status.value}.")


@router.post(
    "/{voice_id}/preview",
    responses=failures(UnknownVoice, ModelNotReady, VoiceNotReady, QueueFull, EngineFailed, *_WRITE_FAILURES),
)
async def preview_voice(
    voice_id: str, request: Request, services: UseServices, workers: UseWorkers, body: PreviewBody | None = None
) -> Success[Preview]:
    """Let a voice speak a sentence and keep the sound with it. Closing the connection stops the work."""
    text = (body.text if body else None) or ""
    voice = present(services, voice_id)

    def spoken(gone: CancelCheck) -> Clip:
        path = services.voices.preview(voice.id, text, cancelled=gone)
        return read_recording(path, max_seconds=MAX_RECORDING_S)

    clip = await workers.run(request, spoken)
    root = request.scope.get("root_path", "")
    data = Preview(
        url=f"{root}{router.prefix}/{voice.id}/audio?kind=preview",
        sample_rate=clip.sample_rate,
        duration_seconds=round(clip.duration_s, 3),
    )
    return Success(data=data, message=f"{voice.name} spoke {clip.duration_s:.1f} s.")


@router.post(
    "/{voice_id}/compare",
    responses=failures(UnknownVoice, UnknownTake, ReferenceRequired, ModelNotReady, CloneNotSupported, EngineFailed),
)
async def compare_voice(
    voice_id: str, body: CompareBody, request: Request, services: UseServices, workers: UseWorkers
) -> Success[VoiceLikeness]:
    """How like the voice's recording a take sounds, and whether its start repeats the recording's end."""
    voice = present(services, voice_id)
    take = services.outputs.find(body.take.rpartition("/")[2])
    reference = services.voices.reference(voice.id)
    if reference is None:
        raise ReferenceRequired(voice=voice.name)
    found = await workers.run(request, lambda _gone: services.voice_check.compare(take, reference, voice.model_key))
    return Success(data=VoiceLikeness.of(found), message=f"Similarity {found.similarity:.2f}.")


def present(services: Services, voice_id: str) -> SavedVoice:
    """The voice with that id, if it was not deleted. Raises UnknownVoice."""
    voice = services.voices.voice(voice_id)
    if voice.is_deleted:
        raise UnknownVoice(voice=voice_id)
    return voice


def _as_it_is(data: object, message: str) -> Response:
    """An answer with data that is complete already. The framework would check each of ten thousand voices once more,
    and choose among the shapes by itself."""
    return Response(Success(data=data, message=message).model_dump_json(), media_type="application/json")


def _answer(voice: SavedVoice, message: str) -> Success[VoiceObject]:
    return Success(data=VoiceObject.of(voice), message=message)


def _kept(services: Services, body: UploadForm) -> tuple[SavedVoice, float]:
    """The new voice, and the seconds of its recording that are damaged."""
    with kept_upload(body.file.file) as upload:
        services.voices.check(body.new())  # cheap, so before the decoding
        clip = read_recording(upload, max_seconds=MAX_REFERENCE_S)
        named = upload.rename(upload.with_suffix(f".{clip.container}"))
        voice = services.voices.add_clone(named, body.new(), body.consent(), clip=clip, strict=False)
        return voice, clip.lost_s


def _examined(body: CheckForm) -> RecordingReport:
    with kept_upload(body.file.file) as upload:
        clip = read_recording(upload, max_seconds=MAX_RECORDING_S)
    return RecordingReport.of(clip, examine(clip.samples, clip.sample_rate, lost_s=clip.lost_s))
