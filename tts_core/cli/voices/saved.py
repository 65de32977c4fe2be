"""Shared parts of the commands about saved voices: finding one, asking for consent, following a job, printing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable

from tts_core.cli import progress
from tts_core.cli.status import Exit
from tts_core.domain.errors import UnknownVoice
from tts_core.platform.job import Job, JobState
from tts_core.services import Services
from tts_core.voices.faults import ConsentMissing
from tts_core.voices.library import Consent
from tts_core.voices.record import SavedVoice, to_json

_POLL_S = 0.5


def deleted_one(services: Services, id_or_name: str) -> SavedVoice:
    """The deleted voice with that id, else the one of that name that was deleted last. Raises UnknownVoice."""
    deleted = sorted(services.voices.voices(deleted=True), key=lambda voice: str(voice.meta["deleted_at"]))
    for voice in reversed(deleted):
        if id_or_name == voice.id or id_or_name.casefold() == voice.name.casefold():
            return voice
    raise UnknownVoice(voice=id_or_name)


def consent_of(args: argparse.Namespace) -> Consent | None:
    """The consent that --own-voice and --consent give; None where neither was given."""
    if args.own_voice:
        return Consent(own_voice=True)
    if args.consent is None:
        return None
    who, _, note = args.consent.partition("/")
    return Consent(own_voice=False, who=who.strip(), note=note.strip())


def demanded_consent(args: argparse.Namespace) -> Consent:
    """The consent of the options. Without one, say how to give it, and raise ConsentMissing."""
    consent = consent_of(args)
    if consent is None:
        print("Add --own-voice, or --consent WHO/NOTE if the speaker gave permission.", file=sys.stderr)
        raise ConsentMissing
    return consent


def follow(services: Services, job: Job, about: str) -> Job:
    """Show the job's progress; returns the job as it ended. Ctrl-C cancels it."""
    jobs = services.jobs
    try:
        with jobs.subscribe(job.seq) as changes:
            while not job.state.is_over:
                progress.show_bar(round(job.progress), 100, f"{about}: {job.phase.replace('_', ' ') or 'waiting'}")
                changes.next(_POLL_S)
                job = jobs.job(job.key)
    except KeyboardInterrupt:
        job = jobs.cancel(job.key)
    finally:
        progress.clear()
    return job


def status_of(job: Job) -> Exit:
    """The exit status of a job that has ended; the reason for a failure goes to stderr."""
    if job.state is JobState.DONE:
        return Exit.DONE
    if job.state is JobState.ERROR:
        print(f"{job.message} [{job.code}]", file=sys.stderr)
        return Exit.ERROR
    print("Stopped; the voice and its recording are kept.", file=sys.stderr)
    return Exit.STOPPED


def print_voice(voice: SavedVoice, *, as_json: bool) -> Exit:
    print(json.dumps(to_json(voice), ensure_ascii=False) if as_json else _line(voice))
    return Exit.DONE


def show_voices(voices: Iterable[SavedVoice], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([to_json(voice) for voice in voices], ensure_ascii=False))
        return
    for voice in voices:
        print(_line(voice))


def _line(voice: SavedVoice) -> str:
    star = "*" if voice.is_favourite else " "
    tags = f"  [{', '.join(voice.tags)}]" if voice.tags else ""
    error = f"  {voice.last_error}" if voice.last_error else ""
    facts = f"{voice.kind.value:<12} {voice.status.value:<9} {voice.model_key:<18} {voice.language:<10}"
    return f"{voice.id:<18}{star}{facts} {voice.name}{tags}{error}"
