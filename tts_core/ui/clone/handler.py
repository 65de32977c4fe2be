"""The Clone tab's work, without Gradio: a recording is taken in, mended, spoken with, kept in the library."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tts_core.audio.editing import best_part, join, level, trim
from tts_core.audio.faults import RecordingTooLong
from tts_core.audio.files import AudioWriter
from tts_core.audio.judging import ClipReport, Fix, examine
from tts_core.audio.reading import MAX_RECORDING_S, MAX_REFERENCE_S, Clip, read_recording
from tts_core.domain.errors import ReferenceRequired
from tts_core.domain.events import Samples
from tts_core.domain.values import Capabilities, ReadAs, Recording, SynthesisRequest
from tts_core.engines.qwen.voice_check import Likeness
from tts_core.platform.job import Job
from tts_core.services import Services
from tts_core.ui.widgets.forms import (
    IN_CONTEXT,
    OWN_VOICE,
    OWNER_AGREED,
    TIMBRE_ONLY,
    CloneForm,
    SaveForm,
    SpeakingForm,
    length_limit,
    whole,
)
from tts_core.voices.faults import ConsentMissing, TranscriptMissing
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.record import SavedVoice

_WATCH_INTERVAL_S = 0.25
_MEND: Mapping[Fix, Callable[[Samples, int], Samples]] = {Fix.TRIM: trim, Fix.LEVEL: level, Fix.BEST_PART: best_part}


@dataclass(frozen=True, slots=True)
class Desk:
    """The recording that is worked on, one for each visitor. The upload is never changed: mending makes new files."""

    upload: Path | None = None
    """The upload as it came; None until there is a recording."""
    plain: Path | None = None
    """The decoded upload, put behind the kept recordings; a WAV file."""
    working: Path | None = None
    """The recording that is spoken with and saved; a WAV file."""
    report: ClipReport | None = None
    """The report about `working`."""
    kept: tuple[Path, ...] = ()
    """Earlier recordings; the next one is put behind them."""
    was_cut: bool = False
    """Whether the upload was longer than can be used, and its best part was taken."""
    language: str = ""
    """The language spoken in the recording, as Whisper's code, once it was transcribed."""
    removed: Desk | None = None
    """The desk before its recording was removed, so that it can be brought back."""

    @property
    def is_mended(self) -> bool:
        return self.working != self.plain

    def shows(self, path: Path | None) -> bool:
        """Whether the desk holds that file already: the page sends back what it was just given."""
        return (path.name if path else None) == (self.working.name if self.working else None)


@dataclass(frozen=True, slots=True)
class Compared:
    """A take and the recording that it should sound like."""

    reference: Path
    model: str


@dataclass(frozen=True, slots=True)
class _Asked:
    request: SynthesisRequest
    format: str = "wav"

    def to_request(self) -> SynthesisRequest:
        return self.request


class CloneHandler:
    """The work of the Clone tab. Methods raise StudioErrors that name what is wrong; if they do, nothing has
    changed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._folder = services.settings.paths.page_cache_dir

    def models(self) -> list[tuple[str, str]]:
        """The (name, key) of each model that can clone now, best first."""
        return [(model.name, model.key) for model in self._services.voice_models.cloning()]

    def capabilities(self, model: str) -> Capabilities:
        """The abilities of the voice that clones with the model."""
        return self._services.synthesis.capabilities(f"{model}/clone")

    def take_in(self, desk: Desk, path: Path | None) -> Desk:
        """Take in the page's recording: none, a new one, or the present one trimmed by hand."""
        if path is None:
            return self.without(desk)
        if desk.working is not None:
            return self._with(desk, read_recording(path, max_seconds=MAX_REFERENCE_S))
        clip, was_cut = _reference_of(path)
        if desk.kept:
            clip = join([*(read_recording(kept) for kept in desk.kept), clip])
            if clip.duration_s > MAX_REFERENCE_S:
                raise RecordingTooLong(limit_s=round(MAX_REFERENCE_S))
        plain = self._written(clip)
        report = examine(clip.samples, clip.sample_rate, lost_s=clip.lost_s)
        return Desk(path, plain, plain, report, desk.kept, was_cut)

    def mend(self, desk: Desk, fix: Fix) -> Desk:
        if desk.working is None:
            return desk
        clip = read_recording(desk.working)
        return self._with(desk, replace(clip, samples=_MEND[fix](clip.samples, clip.sample_rate)))

    def revert(self, desk: Desk) -> Desk:
        """Undo all mending of the recording."""
        if desk.plain is None:
            return desk
        clip = read_recording(desk.plain)
        return replace(desk, working=desk.plain, report=examine(clip.samples, clip.sample_rate, lost_s=_lost_s(desk)))

    def without(self, desk: Desk, *, keeps_earlier: bool = True) -> Desk:
        """The desk without its recording, and without the earlier ones unless they are kept; `restored` brings all
        back."""
        is_empty = desk.working is None and (keeps_earlier or not desk.kept)
        return Desk(
            kept=desk.kept if keeps_earlier else (), removed=desk.removed if is_empty else replace(desk, removed=None)
        )

    def restored(self, desk: Desk) -> Desk:
        """The desk as it was before its recording was removed."""
        return desk.removed or desk

    def note_language(self, desk: Desk, recording: Path, language: str) -> Desk:
        """Note the language of `recording`, which was transcribed; a recording that is no longer worked on changes
        nothing."""
        return replace(desk, language=language) if recording == desk.working else desk

    def put_aside(self, desk: Desk) -> Desk:
        """Make room for another recording that will follow this one."""
        return desk if desk.working is None else Desk(kept=(desk.working,))

    def spoken(self, form: CloneForm) -> SpeakingForm:
        if not form.file:
            raise ReferenceRequired(voice=form.model or "clone")
        self._keep_another_day(Path(form.file))
        model = self._model(form.model)
        transcript = self._transcript(model, form.mode, form.transcript)
        wanted = SynthesisRequest(
            form.text,
            voice=f"{model}/clone",
            language=form.language,
            seed=whole("seed", form.seed),
            max_seconds=length_limit(form.max_seconds),
            source=Recording(Path(form.file), transcript, append_silence=form.append_silence),
            read_as=ReadAs.named(form.read_as),
        )
        return _Asked(wanted)

    def compare(self, take: Path, with_what: Compared) -> Likeness:
        return self._services.voice_check.compare(take, with_what.reference, with_what.model)

    def compared(self, file: str | None, model: str | None) -> Compared | None:
        """The take with the recording to compare it with. None where nothing can be compared: only the catalogue's
        models have the speaker encoder that compares."""
        chosen = model or next((key for _, key in self.models()), "")
        known = self._services.models.keys()
        return Compared(Path(file), chosen) if file and chosen in known else None

    def save(self, form: SaveForm, desk: Desk) -> SavedVoice:
        """Keep the recording as a voice, with its upload; it still has to be prepared."""
        if not form.file:
            raise ReferenceRequired(voice=form.name)
        if form.consent not in (OWN_VOICE, OWNER_AGREED):
            raise ConsentMissing
        model = self._model(form.model)
        transcript = self._transcript(model, form.mode, form.transcript)
        new = NewVoice(
            form.name,
            model,
            language=form.language,
            ref_text=transcript or form.transcript,
            x_vector_only=transcript is None,
            append_silence=form.append_silence,
        )
        working = Path(form.file)
        is_single = desk.upload is not None and not desk.kept and desk.shows(working)
        upload = desk.upload if is_single and desk.upload is not None else working
        consent = Consent(own_voice=form.consent == OWN_VOICE, note=form.consent_note.strip())
        return self._services.voices.add_clone(upload, new, consent, clip=read_recording(working))

    def prepared(self, voice_id: str) -> Iterator[Job]:
        """Start preparing a voice; yields its job whenever its state changes, to its end."""
        jobs = self._services.jobs
        job = self._services.voices.prepare(voice_id)
        yield job
        while not job.state.is_over:
            time.sleep(_WATCH_INTERVAL_S)
            before, job = job, jobs.job(job.key)
            if job != before:
                yield job

    def _model(self, wanted: str | None) -> str:
        """The key of the model to clone with. Raises UnknownModelKey."""
        models = self._services.voice_models
        return (models.model(wanted) if wanted else models.best_cloning()).key

    def _transcript(self, model: str, mode: str, transcript: str) -> str | None:
        """The transcript to clone with; None takes over the timbre only. Raises TranscriptMissing, UnknownModelKey."""
        if mode == TIMBRE_ONLY or self._services.voice_models.model(model).capabilities().timbre_only:
            return None
        if mode != IN_CONTEXT or not transcript.strip():
            raise TranscriptMissing
        return transcript.strip()

    def _keep_another_day(self, file: Path) -> None:
        """Mark the file as used: it may be long until it is read, and it must not be pruned before that."""
        if file.parent.parent == self._folder:
            with suppress(OSError):
                os.utime(file)

    def _with(self, desk: Desk, clip: Clip) -> Desk:
        working = self._written(clip)
        return replace(desk, working=working, report=examine(clip.samples, clip.sample_rate, lost_s=_lost_s(desk)))

    def _written(self, clip: Clip) -> Path:
        """A new WAV file with an address that nobody can guess; Gradio removes it after a day."""
        path = self._folder / secrets.token_hex(16) / f"clip-{secrets.token_hex(4)}.wav"
        with AudioWriter(path, "wav", clip.sample_rate) as writer:
            writer.write(clip.samples)
        return path


def _reference_of(path: Path) -> tuple[Clip, bool]:
    """The recording, or (True) its best part where it is longer than a reference may be."""
    try:
        return read_recording(path, max_seconds=MAX_REFERENCE_S), False
    except RecordingTooLong:
        clip = read_recording(path, max_seconds=MAX_RECORDING_S)
        return replace(clip, samples=best_part(clip.samples, clip.sample_rate)), True


def _lost_s(desk: Desk) -> float:
    """The seconds that were damaged in the upload: they are not in the mended files that were made of it."""
    return desk.report.lost_s if desk.report else 0.0
