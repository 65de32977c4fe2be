"""`voices add | role | design | prepare | check`: making voices."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tts_core.audio.editing import best_part, join, level, trim
from tts_core.audio.faults import RecordingTooLong
from tts_core.audio.judging import ClipReport, Fix, Severity, examine
from tts_core.audio.reading import MAX_RECORDING_S, MAX_REFERENCE_S, Clip, read_recording
from tts_core.cli.status import Exit
from tts_core.cli.voices.saved import demanded_consent, follow, print_voice, status_of
from tts_core.domain.events import Samples
from tts_core.models.catalogue import ModelKind
from tts_core.services import Services
from tts_core.voices.library import NewVoice
from tts_core.voices.record import SavedVoice

_FIXES: Mapping[Fix, Callable[[Samples, int], Samples]] = {
    Fix.TRIM: trim,
    Fix.LEVEL: level,
    Fix.BEST_PART: best_part,
}


def add_actions(actions: Any, inherited: argparse.ArgumentParser) -> None:
    """Add these commands to those of `voices`."""
    check = actions.add_parser("check", parents=[inherited], help="judge a recording; status 1 if it has a problem")
    check.add_argument("file", metavar="FILE", type=Path, help="WAV, FLAC, MP3, OGG, M4A or WebM")
    check.set_defaults(run=run_check)

    add = actions.add_parser("add", parents=[inherited], help="keep a recording as a voice and prepare it")
    add.add_argument("files", metavar="FILE", type=Path, nargs="+", help="a recording; several are joined")
    _add_common(add, "a Base model, or yourtts_clone; default: the best that is ready")
    add.add_argument("--text", default="", metavar="T", help="its transcript, for a closer clone")
    add.add_argument("--x-vector-only", action="store_true", help="copy only the sound of the voice; needs no --text")
    add.add_argument("--fix", action="append", default=[], choices=[fix.value for fix in Fix], help="mend it first")
    add.add_argument("--no-silence", action="store_true", help="append none: its last syllable may be heard again")
    add.add_argument("--no-prepare", action="store_true", help="only keep it")
    add_consent(add)
    add.set_defaults(run=run_add)

    role = actions.add_parser("role", parents=[inherited], help="keep a preset speaker with a style of its own")
    _add_common(role, "a CustomVoice model; default: the best that is ready")
    role.add_argument("--speaker", required=True, metavar="S", help="one of the model's speakers")
    role.add_argument("--instruct", default="", metavar="I", help="how it speaks")
    role.set_defaults(run=run_role)

    design = actions.add_parser("design", parents=[inherited], help="make a voice from a description and keep it")
    _add_common(design, "the model that speaks it from then on, as for add; default: the best that is ready")
    design.add_argument("--instruct", required=True, metavar="I", help="the description")
    design.add_argument("--text", required=True, metavar="T", help="what it says first; that is cloned")
    design.add_argument("--design-model", metavar="KEY", help="a VoiceDesign model; default: the best that is ready")
    design.set_defaults(run=run_design)

    prepare = actions.add_parser("prepare", parents=[inherited], help="make a kept voice ready, or try again")
    prepare.add_argument("voice", metavar="VOICE", help="a saved voice's id or name")
    prepare.set_defaults(run=run_prepare)


def add_consent(parser: argparse.ArgumentParser) -> None:
    consent = parser.add_mutually_exclusive_group()
    consent.add_argument("--own-voice", action="store_true", help="it is my own voice")
    consent.add_argument("--consent", metavar="WHO/NOTE", help="whose voice it is, who agreed, and how")


def run_check(args: argparse.Namespace, _services: Services) -> Exit:
    clip = read_recording(args.file, max_seconds=MAX_RECORDING_S)
    report = examine(clip.samples, clip.sample_rate, lost_s=clip.lost_s)
    print(json.dumps(_as_json(clip, report), ensure_ascii=False) if args.json else _as_words(clip, report))
    return Exit.DONE if report.is_good else Exit.NO


def run_add(args: argparse.Namespace, services: Services) -> Exit:
    new = replace(
        _new(args, services, ModelKind.BASE),
        ref_text=args.text,
        x_vector_only=args.x_vector_only,
        append_silence=not args.no_silence,
    )
    services.voices.check(new)
    consent = demanded_consent(args)
    clips = _clips(args.files)
    if (lost_s := sum(clip.lost_s for clip in clips)) > 0:
        print(f"{lost_s:.1f} s of it are damaged and left out.", file=sys.stderr)
    clip = _mended(join(clips) if len(clips) > 1 else clips[0], [Fix(name) for name in args.fix])
    if clip.duration_s > MAX_REFERENCE_S:
        print("Add --fix best_part to keep the best of it.", file=sys.stderr)
        raise RecordingTooLong(limit_s=round(MAX_REFERENCE_S))
    voice = services.voices.add_clone(args.files[0], new, consent, clip=clip)
    if args.no_prepare:
        return print_voice(voice, as_json=args.json)
    return _prepared(args, services, voice)


def run_role(args: argparse.Namespace, services: Services) -> Exit:
    new = replace(_new(args, services, ModelKind.CUSTOM_VOICE), speaker=args.speaker, instruct=args.instruct)
    return print_voice(services.voices.add_role(new), as_json=args.json)


def run_design(args: argparse.Namespace, services: Services) -> Exit:
    new = replace(_new(args, services, ModelKind.BASE), ref_text=args.text, instruct=args.instruct)
    design_model = args.design_model or _best(services, ModelKind.VOICE_DESIGN)
    for key in (design_model, new.model_key):
        services.voice_models.ready(key)
    voice, job = services.voices.add_design(new, design_model)
    ended = follow(services, job, voice.name)
    print_voice(services.voices.voice(voice.id), as_json=args.json)
    return status_of(ended)


def run_prepare(args: argparse.Namespace, services: Services) -> Exit:
    return _prepared(args, services, services.finder.saved(args.voice))


def _prepared(args: argparse.Namespace, services: Services, voice: SavedVoice) -> Exit:
    ended = follow(services, services.voices.prepare(voice.id), voice.name)
    print_voice(services.voices.voice(voice.id), as_json=args.json)
    return status_of(ended)


def _add_common(parser: argparse.ArgumentParser, model_help: str) -> None:
    parser.add_argument("--name", required=True, metavar="N", help="of the voice")
    parser.add_argument("--model", metavar="KEY", help=model_help)
    parser.add_argument("--language", default="auto", metavar="L", help="code or name; default: from each text")


def _new(args: argparse.Namespace, services: Services, kind: ModelKind) -> NewVoice:
    return NewVoice(args.name, args.model or _best(services, kind), language=args.language)


def _best(services: Services, kind: ModelKind) -> str:
    """The key of the best model of that kind that is ready; if none is ready, of the smallest there is. In place of a
    Base model, whichever other model clones is taken."""
    if kind is ModelKind.BASE and (cloning := services.voice_models.cloning()):
        return cloning[0].key
    entries = [entry for entry in map(services.models.entry, services.models.keys()) if entry.kind is kind]
    entries.sort(key=lambda entry: entry.size)
    ready = [entry.key for entry in entries if services.models.status(entry.key).valid]
    return ready[-1] if ready else entries[0].key


def _clips(files: list[Path]) -> list[Clip]:
    """The recordings, all together no longer than one may be. Raises RecordingTooLong and what reading raises."""
    clips: list[Clip] = []
    for file in files:
        left_s = MAX_RECORDING_S - sum(clip.duration_s for clip in clips)
        clips.append(read_recording(file, max_seconds=left_s))
    return clips


def _mended(clip: Clip, fixes: list[Fix]) -> Clip:
    samples = clip.samples
    for fix in fixes:
        samples = _FIXES[fix](samples, clip.sample_rate)
    return replace(clip, samples=samples)


def _as_words(clip: Clip, report: ClipReport) -> str:
    lines = [
        f"{clip.container}, {report.duration_s:.1f} s, {report.sample_rate} Hz, speech {report.speech_s:.1f} s, "
        f"level {report.level_db:.0f} dB, noise {report.snr_db:.0f} dB below it"
    ]
    for finding in report.findings:
        mark = "!" if finding.severity is Severity.PROBLEM else "-"
        lines.append(f"{mark} {finding.message}" + (f" (--fix {finding.fix.value})" if finding.fix else ""))
    return "\n".join([*lines, "" if report.findings else "Good for cloning."]).rstrip()


def _as_json(clip: Clip, report: ClipReport) -> dict[str, Any]:
    facts = {name: value for name, value in asdict(report).items() if name != "findings"}
    findings = [
        {
            "code": finding.code,
            "severity": finding.severity.value,
            "message": finding.message,
            "fix": finding.fix.value if finding.fix else None,
        }
        for finding in report.findings
    ]
    return {
        "container": clip.container,
        "channels": clip.channels,
        **facts,
        "good": report.is_good,
        "findings": findings,
    }
