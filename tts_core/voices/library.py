"""Use case: a library of voices. Whatever fails, a voice keeps its recording; what is deleted can be brought back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tts_core.audio.judging import require_speech
from tts_core.audio.reading import MAX_REFERENCE_S, Clip, read_recording
from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled, CloneNotSupported, InvalidRequest, StudioError, UnknownVoice
from tts_core.domain.sample_texts import sample_text
from tts_core.domain.text import find_name
from tts_core.domain.values import ReadAs, SplitMode, StopReason, SynthesisRequest, Take
from tts_core.platform.job import Job, JobKind, JobRun
from tts_core.platform.jobs import Jobs
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.synthesis import Synthesis, collect
from tts_core.voices.faults import ConsentMissing, LibraryBusy, LibraryUnwritable, TranscriptMissing
from tts_core.voices.folders import VoiceFolders, new_id
from tts_core.voices.models import VoiceModels
from tts_core.voices.prompts import VoicePrompts
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus, matches, now
from tts_core.voices.recordings import VoiceRecordings, disk_errors_typed
from tts_core.voices.rules import check_abilities, check_record, spoken_as
from tts_core.voices.store import VoiceStore

logger = logging.getLogger(__name__)

KEEP_DELETED_DAYS = 30
PREVIEW_MAX_S, DESIGN_MAX_S = 20.0, 30.0
"""The longest speech in seconds of a preview, and of a designed voice's first words: what is cloned may not be
longer."""
_CHANGEABLE = frozenset(
    {
        "name",
        "model_key",
        "language",
        "ref_text",
        "instruct",
        "x_vector_only_mode",
        "speaker",
        "tags",
        "favourite",
        "notes",
    }
)


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent that somebody confirmed before a voice was cloned."""

    own_voice: bool
    """True: the voice is that of the person who confirms. False: its owner agreed."""
    who: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewVoice:
    """The facts that people give about a voice that they add."""

    name: str
    model_key: str
    language: str = "auto"
    ref_text: str = ""
    instruct: str = ""
    x_vector_only: bool = False
    append_silence: bool = True
    speaker: str = ""


class VoiceLibrary:
    """The library of saved voices; thread-safe. Methods that take an id raise UnknownVoice; those that write raise
    LibraryUnwritable, LibraryBusy."""

    def __init__(
        self,
        store: VoiceStore,
        folders: VoiceFolders,
        recordings: VoiceRecordings,
        prompts: VoicePrompts,
        models: VoiceModels,
        synthesis: Synthesis,
        jobs: Jobs,
    ) -> None:
        self._store = store
        self._folders = folders
        self._recordings = recordings
        self._prompts = prompts
        self._models = models
        self._synthesis = synthesis
        self._jobs = jobs
        jobs.add_work(JobKind.CLONE_PREPARE, self._do_prepare)
        jobs.add_work(JobKind.DESIGN_CLONE, self._do_design)
        self._removed: set[str] = set()
        """Ids of voices that were removed here with their files; files that a job still makes for one are removed,
        too."""

    @property
    def fault(self) -> StudioError | None:
        """The problem of the library file that people should know of, or None."""
        return self._store.fault

    def voices(self, *, search: str = "", deleted: bool = False) -> tuple[SavedVoice, ...]:
        """The saved voices: favourites first, then newest first. `search` looks in names, tags and languages."""
        words = {*search.casefold().split()}
        found = [voice for voice in self._store.voices() if voice.is_deleted is deleted and matches(voice, words)]
        return tuple(sorted(found, key=lambda voice: not voice.is_favourite))

    def voice(self, voice_id: str) -> SavedVoice:
        return self._store.voice(voice_id)

    def reference(self, voice_id: str) -> Path | None:
        """The recording as the model hears it, if there is one. Raises AudioUnreadable, RecordingTooLong."""
        return self._recordings.reference(self.voice(voice_id))

    def has_recording(self, voice: SavedVoice) -> bool:
        return self._recordings.exists(voice)

    def preview_file(self, voice_id: str) -> Path | None:
        path = self._folders.preview(self.voice(voice_id).id)
        return path if path.is_file() else None

    def original(self, voice_id: str) -> Path | None:
        """The newest recording as it was uploaded, if there is one."""
        return self._recordings.original(self.voice(voice_id))

    def add_clone(
        self, upload: Path, new: NewVoice, consent: Consent | None, *, clip: Clip | None = None, strict: bool = True
    ) -> SavedVoice:
        """Keep a recording as a voice, not yet prepared. `clip` is the improved recording; without it the upload is
        read.

        `strict` demands consent. Raises InvalidRequest and its like, AudioUnreadable, RecordingTooLong,
        RecordingSilent.
        """
        self.check(new)
        check_abilities(_record(new, VoiceKind.CLONE, {}), self._models)
        if strict and consent is None:
            raise ConsentMissing
        clip = clip or read_recording(upload, max_seconds=MAX_REFERENCE_S)
        meta = {"append_silence": new.append_silence, "consent": consent_record(consent), "duration_s": clip.duration_s}
        return self._keep_new(_record(new, VoiceKind.CLONE, meta), upload, clip)

    def add_role(self, new: NewVoice) -> SavedVoice:
        """Keep a preset speaker with a style of its own as a voice; it speaks at once."""
        self.check(new)
        capabilities = self._models.model(new.model_key).capabilities()
        speaker = find_name(new.speaker, capabilities.speakers)
        if speaker is None:
            raise UnknownVoice(voice=f"{new.model_key}/{new.speaker}")
        if new.instruct.strip() and not capabilities.supports_instruct:
            raise InvalidRequest(reason="this model does not follow style instructions; leave the instruction empty.")
        voice = _record(replace(new, speaker=speaker), VoiceKind.CUSTOM_ROLE, {})
        check_abilities(voice, self._models)
        return self._store.put(replace(voice, status=VoiceStatus.READY, progress=100))

    def add_design(self, new: NewVoice, design_model_key: str) -> tuple[SavedVoice, Job]:
        """Make a voice from `new.instruct` by letting it say `new.ref_text`, and keep it by cloning that recording."""
        self.check(new)
        if not new.ref_text.strip() or not new.instruct.strip():
            raise InvalidRequest(reason="a designed voice needs a description and a text that it says first.")
        if not self._models.model(design_model_key).capabilities().can_design:
            raise CloneNotSupported(voice=design_model_key)
        check_abilities(_record(new, VoiceKind.DESIGN_CLONE, {}), self._models)
        voice = self._store.put(_record(new, VoiceKind.DESIGN_CLONE, {"voice_design_model_key": design_model_key}))
        return voice, self._jobs.submit(JobKind.DESIGN_CLONE, voice.id)

    def keep_design(self, recording: Path, new: NewVoice) -> SavedVoice:
        """Keep a designed voice by what it has just said; `new.ref_text` is that text."""
        self.check(new)
        check_abilities(_record(new, VoiceKind.DESIGN_CLONE, {}), self._models)
        clip = read_recording(recording, max_seconds=MAX_REFERENCE_S)
        return self._keep_new(_record(new, VoiceKind.DESIGN_CLONE, {"duration_s": clip.duration_s}), recording, clip)

    def prepare(self, voice_id: str) -> Job:
        """Start the job that makes a voice ready, or join the one that is on its way."""
        voice = self._store.voice(voice_id)
        is_silent = voice.kind is VoiceKind.DESIGN_CLONE and not self.has_recording(voice)
        return self._jobs.submit(JobKind.DESIGN_CLONE if is_silent else JobKind.CLONE_PREPARE, voice_id)

    def change(self, voice_id: str, changes: Mapping[str, Any]) -> SavedVoice:
        """Change some of the fields that people may change. The voice is prepared anew when it needs to be."""
        if unknown := sorted(changes.keys() - _CHANGEABLE):
            raise InvalidRequest(reason=f"{unknown[0]} can't be changed.")
        meta = {key: changes[key] for key in ("tags", "favourite", "notes") if key in changes}
        fields = {key: value for key, value in changes.items() if key not in meta}
        before = self._store.voice(voice_id)
        after = replace(before, **fields).with_meta(meta)
        check_record(after, self._models)
        if fields.keys() & {"model_key", "language", "speaker"}:
            check_abilities(after, self._models)
        return self._store.update(voice_id, lambda voice: replace(voice, **fields).with_meta(meta))

    def confirm(self, voice_id: str, consent: Consent) -> SavedVoice:
        """Add a consent to a voice that was kept without one."""
        return self._store.update(voice_id, lambda voice: voice.with_meta({"consent": consent_record(consent)}))

    def replace_recording(self, voice_id: str, upload: Path, *, clip: Clip | None = None) -> SavedVoice:
        """Give a voice another recording; the earlier upload stays beside it."""
        self._store.voice(voice_id)
        return self._keep_another(voice_id, upload, clip or read_recording(upload, max_seconds=MAX_REFERENCE_S))

    def duplicate(self, voice_id: str, name: str) -> SavedVoice:
        voice = self._store.voice(voice_id)
        status = VoiceStatus.UPLOADED if voice.status is VoiceStatus.CLONING else voice.status
        copy = replace(voice, id=new_id(), name=name.strip(), status=status, created_at="")
        check_record(copy, self._models)
        self._recordings.copy(voice, copy.id)
        return self.put_with_files(self._recordings.with_paths(copy))

    def delete(self, voice_id: str) -> SavedVoice:
        """Hide a voice; `restore` brings it back for KEEP_DELETED_DAYS."""
        return self._store.update(voice_id, lambda voice: voice.with_meta({"deleted_at": now()}))

    def restore(self, voice_id: str) -> SavedVoice:
        return self._store.update(voice_id, lambda voice: voice.with_meta({"deleted_at": None}))

    def remove(self, voice_id: str, *, files: bool) -> tuple[str, ...]:
        """Take the record out for good, and with `files` the files in its folder; returns the names of the removed
        files."""
        with self._folders.losing_record(voice_id) if files else nullcontext():
            self._store.remove(voice_id)
        if not files:  # they are kept on purpose, and no sweep takes them
            self._folders.unmark(voice_id)
        if files:
            self._removed.add(voice_id)
        for job in self._jobs.jobs():
            if job.subject == voice_id:
                self._jobs.cancel(job.key)
        return self._folders.remove(voice_id) if files else ()

    def expired(self) -> tuple[SavedVoice, ...]:
        """The voices that were deleted more than KEEP_DELETED_DAYS ago."""
        oldest = (datetime.now(timezone.utc) - timedelta(days=KEEP_DELETED_DAYS)).isoformat()
        return tuple(voice for voice in self.voices(deleted=True) if str(voice.meta["deleted_at"]) < oldest)

    def purge(self) -> int:
        """Remove expired voices for good; returns how many."""
        old = self.expired()
        for voice in old:
            self.remove(voice.id, files=True)
        return len(old)

    def preview(self, voice_id: str, text: str = "", *, cancelled: CancelCheck = never) -> Path:
        """Let the voice speak a sentence and keep the sound with it. Raises the errors of `sample`."""
        take = self.sample(voice_id, text, cancelled=cancelled)
        with disk_errors_typed(self._folders.folder(voice_id)):
            return self._folders.keep_preview(voice_id, take.path)

    def sample(self, voice_id: str, text: str = "", *, cancelled: CancelCheck = never) -> Take:
        """Let the voice speak a sentence. Raises the errors of `Synthesis.speak` and of `spoken_as`."""
        voice = self._store.voice(voice_id)
        ready = spoken_as(voice, self._models)
        spoken = text.strip() or sample_text(voice.language)
        request = SynthesisRequest(spoken, voice=ready, seed=0, max_seconds=PREVIEW_MAX_S)
        take = collect(speak_as_job(self._synthesis, self._jobs, request, cancelled=cancelled))
        if take.stop_reason is StopReason.CANCELLED:
            raise Cancelled
        return take

    def settle(self, unfinished: Iterable[Job]) -> None:
        """Remove files that the last run left half written. A voice that was being prepared when it ended is marked
        so."""
        with suppress(OSError):
            self._folders.sweep(self._store.recorded())
        for job in unfinished:
            with suppress(UnknownVoice, LibraryUnwritable, LibraryBusy):
                if self._store.voice(job.subject).status is VoiceStatus.CLONING:
                    self._store.update(job.subject, _interrupted)

    def check(self, new: NewVoice) -> None:
        """Check the facts about a new voice. Raises InvalidValue, UnknownModelKey."""
        check_record(_record(new, VoiceKind.CLONE, {}), self._models)

    def put_with_files(self, voice: SavedVoice) -> SavedVoice:
        """Put a new voice whose files lie in its folder; if that fails, they are removed."""
        with self._folders.gaining_record(voice.id):
            return self._store.put(voice)

    def _keep_new(self, voice: SavedVoice, upload: Path, clip: Clip) -> SavedVoice:
        require_speech(clip.samples, clip.sample_rate)
        with self._recordings.keeping(voice.id, upload, clip):
            return self._store.put(self._recordings.with_paths(voice))

    def _keep_another(self, voice_id: str, upload: Path, clip: Clip) -> SavedVoice:
        require_speech(clip.samples, clip.sample_rate)

        def renewed(voice: SavedVoice) -> SavedVoice:
            voice = self._recordings.with_paths(voice)
            voice = voice.with_meta({"duration_s": clip.duration_s, "imported_prompt": None})
            return replace(voice, status=VoiceStatus.UPLOADED, progress=0, last_error="")

        with self._recordings.keeping(voice_id, upload, clip):
            return self._store.update(voice_id, renewed)

    def _do_prepare(self, run: JobRun) -> Mapping[str, Any]:
        return self._until_ready(run, self._prepared)

    def _do_design(self, run: JobRun) -> Mapping[str, Any]:
        return self._until_ready(run, self._designed)

    def _until_ready(self, run: JobRun, step: Callable[[JobRun], None]) -> Mapping[str, Any]:
        """Run the step with the voice's status kept along; a voice whose job fails keeps everything."""
        try:
            self._mark(run, "clone_start", 2)
            step(run)
        except BaseException as error:
            why = error.message if isinstance(error, StudioError) else StudioError().message
            if run.subject in self._removed:
                self._folders.remove(run.subject)
            with suppress(LibraryUnwritable, LibraryBusy, UnknownVoice):
                self._store.update(run.subject, lambda voice: self._without_job(voice, run, why))
            raise
        self._store.update(
            run.subject, lambda voice: replace(voice, status=VoiceStatus.READY, last_error="", progress=100)
        )
        return {"voice_id": run.subject}

    def _without_job(self, voice: SavedVoice, run: JobRun, why: str) -> SavedVoice:
        """The voice as it is once its job has ended without a result."""
        if run.cancelled():
            was_ready = self._prompts.is_prepared(voice) or voice.kind is VoiceKind.CUSTOM_ROLE
            status, progress = (VoiceStatus.READY, 100) if was_ready else (VoiceStatus.UPLOADED, 0)
            return replace(voice, status=status, last_error="", progress=progress)
        return replace(voice, status=VoiceStatus.FAILED, last_error=why, progress=0)

    def _mark(self, run: JobRun, phase: str, progress: int) -> None:
        run.say(phase, progress)
        self._store.update(
            run.subject, lambda voice: replace(voice, status=VoiceStatus.CLONING, progress=progress, last_error="")
        )

    def _prepared(self, run: JobRun) -> None:
        voice = self._store.voice(run.subject)
        if voice.kind is VoiceKind.CUSTOM_ROLE:  # nothing to prepare; its model may lack the speaker
            check_abilities(voice, self._models)
            return
        if not voice.ref_text.strip() and not self._prompts.is_timbre_only(voice):
            raise TranscriptMissing
        self._mark(run, "load_audio", 60 if voice.kind is VoiceKind.DESIGN_CLONE else 20)
        for _loading in self._prompts.prepare(voice, cancelled=run.cancelled):
            pass
        self._mark(run, "write_wav", 90)

    def _designed(self, run: JobRun) -> None:
        voice = self._store.voice(run.subject)
        self._mark(run, "design_generate", 10)
        request = SynthesisRequest(
            voice.ref_text,
            voice=f"{voice.design_model_key}/design",
            language=voice.language,
            instruct=voice.instruct,
            max_seconds=DESIGN_MAX_S,
            read_as=ReadAs.PLAIN,  # it is the transcript, too
            split=SplitMode.NEVER,
        )
        take = collect(self._synthesis.speak(request, cancelled=run.cancelled))
        self._mark(run, "load_audio", 50)
        clip = read_recording(take.path, max_seconds=MAX_REFERENCE_S)
        self._keep_another(run.subject, take.path, clip)
        self._prepared(run)


def _record(new: NewVoice, kind: VoiceKind, meta: Mapping[str, Any]) -> SavedVoice:
    return SavedVoice(
        id=new_id(),
        name=new.name.strip(),
        kind=kind,
        model_key=new.model_key,
        language=new.language or "auto",
        speaker=new.speaker,
        ref_text=new.ref_text.strip(),
        instruct=new.instruct.strip(),
        x_vector_only_mode=new.x_vector_only,
        meta={key: value for key, value in meta.items() if value is not None},
    )


def _interrupted(voice: SavedVoice) -> SavedVoice:
    reason = "The app ended while the voice was prepared. Prepare it again."
    return replace(voice, status=VoiceStatus.FAILED, last_error=reason, progress=0)


def consent_record(consent: Consent | None) -> Mapping[str, Any] | None:
    if consent is None:
        return None
    return {"own_voice": consent.own_voice, "who": consent.who, "note": consent.note, "when": now()}
