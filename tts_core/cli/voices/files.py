"""`voices preview | recording | export | import`: hearing voices, and carrying them to other machines and back."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tts_core.cli.status import Exit
from tts_core.cli.targets import check_target, put
from tts_core.cli.voices.making import add_consent
from tts_core.cli.voices.saved import consent_of, demanded_consent, show_voices
from tts_core.domain.errors import ReferenceRequired
from tts_core.services import Services
from tts_core.voices.exchange.transfer import archive_name
from tts_core.voices.library import NewVoice
from tts_core.voices.record import SavedVoice


def add_actions(actions: Any, inherited: argparse.ArgumentParser) -> None:
    """Add these commands to those of `voices`."""
    _add_hearing(actions, inherited)
    export = actions.add_parser("export", parents=[inherited], help="one zip with everything about a voice")
    export.add_argument("voice", metavar="VOICE", help="a saved voice's id or name")
    export.add_argument("target", metavar="FILE", type=Path, help="the zip to write, or the folder for it")
    export.add_argument("--force", action="store_true", help="replace FILE when it exists")
    export.set_defaults(run=run_export)

    importing = actions.add_parser("import", parents=[inherited], help="take over voices; nothing is replaced")
    importing.add_argument(
        "source",
        metavar="SOURCE",
        type=Path,
        help="an exported zip, a .pt of qwen-tts, or a folder of recordings with a .txt each",
    )
    importing.add_argument("--name", default="", metavar="N", help="of the voice in a .pt; default: the file's")
    importing.add_argument("--model", default="base_0_6b", metavar="KEY", help="a Base model (default: base_0_6b)")
    importing.add_argument("--language", default="auto", metavar="L", help="code or name; default: from each text")
    add_consent(importing)
    importing.set_defaults(run=run_import)


def _add_hearing(actions: Any, inherited: argparse.ArgumentParser) -> None:
    preview = actions.add_parser("preview", parents=[inherited], help="preview a voice with a sentence")
    preview.add_argument("--text", default="", metavar="T", help="default: a greeting in its language")
    preview.set_defaults(run=run_preview)
    recording = actions.add_parser("recording", parents=[inherited], help="a voice's recording")
    recording.add_argument("--original", action="store_true", help="as it was uploaded, not as the model hears it")
    recording.set_defaults(run=run_recording)
    for hearing in (preview, recording):
        hearing.add_argument("voice", metavar="VOICE", help="a saved voice's id or name")
        hearing.add_argument("--out", type=Path, metavar="FILE", help="copy it there; default: print where it lies")
        hearing.add_argument("--force", action="store_true", help="replace FILE when it exists")


def run_preview(args: argparse.Namespace, services: Services) -> Exit:
    voice = services.finder.saved(args.voice)
    if args.out is not None:
        check_target(args.out, force=args.force)
    return _handed_out(args, voice, services.voices.preview(voice.id, args.text))


def run_recording(args: argparse.Namespace, services: Services) -> Exit:
    voice = services.finder.saved(args.voice)
    if args.out is not None:
        check_target(args.out, force=args.force)
    find = services.voices.original if args.original else services.voices.reference
    path = find(voice.id)
    if path is None:
        raise ReferenceRequired(voice=voice.name)
    return _handed_out(args, voice, path)


def _handed_out(args: argparse.Namespace, voice: SavedVoice, path: Path) -> Exit:
    if args.out is not None:
        put(path, args.out)
        path = args.out
    print(json.dumps({"id": voice.id, "path": str(path)}, ensure_ascii=False) if args.json else path)
    return Exit.DONE


def run_export(args: argparse.Namespace, services: Services) -> Exit:
    voice = services.finder.saved(args.voice)
    target: Path = args.target / archive_name(voice) if args.target.is_dir() else args.target
    check_target(target, force=args.force)
    services.voice_transfer.export(voice.id, target)
    print(json.dumps({"id": voice.id, "path": str(target)}, ensure_ascii=False) if args.json else target)
    return Exit.DONE


def run_import(args: argparse.Namespace, services: Services) -> Exit:
    source: Path = args.source
    new = NewVoice(args.name or source.stem, args.model, language=args.language)
    if not source.is_dir():
        show_voices(services.voice_transfer.import_file(source, new, consent_of(args)), as_json=args.json)
        return Exit.DONE
    found = services.voice_transfer.import_pairs(source, new, demanded_consent(args))
    show_voices(found.voices, as_json=args.json)
    for name, error in found.refused:
        print(f"{name}: {error.message} [{error.code}]", file=sys.stderr)
    for name in found.alone:
        print(f"{name} is left out: there is no recording or .txt of the same name.", file=sys.stderr)
    if not found.voices and not found.refused:
        print("There is no recording with a .txt of the same name beside it.", file=sys.stderr)
    return Exit.DONE if found.voices and not found.refused else Exit.NO
