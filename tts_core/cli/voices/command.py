"""`voices`: who can speak now, best first; and the library of saved voices: look, change, delete, bring back.

More commands: making.py, files.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tts_core.cli.status import Exit
from tts_core.cli.voices import files as voice_files, making as voice_making
from tts_core.cli.voices.saved import consent_of, deleted_one, print_voice, show_voices
from tts_core.domain.errors import InvalidRequest
from tts_core.services import Services
from tts_core.voices.library import KEEP_DELETED_DAYS
from tts_core.voices.record import SavedVoice, to_json


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "voices", parents=[shared], help="list the voices that can speak now; keep and change voices of your own"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(metavar="ACTION")
    inherited = argparse.ArgumentParser(add_help=False, parents=[shared])
    inherited.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    _add_looking(actions, inherited)
    voice_making.add_actions(actions, inherited)
    _add_changing(actions, inherited)
    voice_files.add_actions(actions, inherited)


def _add_looking(actions: Any, inherited: argparse.ArgumentParser) -> None:
    listing = actions.add_parser("list", parents=[inherited], help="saved voices, favourites first")
    listing.add_argument("--search", default="", metavar="WORDS", help="in names, tags and languages")
    listing.add_argument("--deleted", action="store_true", help="those that can be restored, instead")
    listing.set_defaults(run=run_list)

    show = actions.add_parser("show", parents=[inherited], help="everything about a saved voice")
    _add_voice(show)
    show.set_defaults(run=run_show)


def _add_changing(actions: Any, inherited: argparse.ArgumentParser) -> None:
    rename = actions.add_parser("rename", parents=[inherited], help="give a voice another name")
    _add_voice(rename)
    rename.add_argument("name", metavar="NAME")
    rename.set_defaults(run=run_rename)

    edit = actions.add_parser("edit", parents=[inherited], help="change what is known of a voice")
    _add_voice(edit)
    edit.add_argument("--text", metavar="T", help="what is said in the recording")
    edit.add_argument("--recording", type=Path, metavar="FILE", help="another recording; the earlier one is kept, too")
    edit.add_argument("--language", metavar="L")
    edit.add_argument("--model", metavar="KEY", help="who speaks it")
    edit.add_argument("--instruct", metavar="I", help="how a role speaks")
    edit.add_argument("--speaker", metavar="S", help="a role's preset speaker")
    mode = edit.add_mutually_exclusive_group()
    mode.add_argument("--x-vector-only", action="store_true", default=None, help="copy only the sound of the voice")
    mode.add_argument(
        "--in-context",
        dest="x_vector_only",
        action="store_false",
        help="copy tone and rhythm, too; needs the transcript",
    )
    edit.add_argument("--tags", metavar="A,B", help='"" removes all')
    edit.add_argument("--favourite", action=argparse.BooleanOptionalAction, help="list it first")
    voice_making.add_consent(edit)
    edit.set_defaults(run=run_edit)

    delete = actions.add_parser("delete", parents=[inherited], help="take a voice out of the library")
    _add_voice(delete)
    delete.add_argument("--for-good", action="store_true", help="with its files; nothing brings it back")
    delete.set_defaults(run=run_delete)

    restore = actions.add_parser("restore", parents=[inherited], help="bring a deleted voice back")
    _add_voice(restore)
    restore.set_defaults(run=run_restore)

    duplicate = actions.add_parser("duplicate", parents=[inherited], help="a copy with files of its own")
    _add_voice(duplicate)
    duplicate.add_argument("name", metavar="NAME", nargs="?", help="default: the name with a 2")
    duplicate.set_defaults(run=run_duplicate)

    purge = actions.add_parser(
        "purge", parents=[inherited], help="list what was deleted long ago, and remove it for good with --yes"
    )
    purge.add_argument("--all", action="store_true", help=f"also those of the last {KEEP_DELETED_DAYS} days")
    purge.add_argument("--yes", action="store_true", help="remove what is listed")
    purge.set_defaults(run=run_purge)


def run(args: argparse.Namespace, services: Services) -> Exit:
    voices = services.synthesis.voices()
    if args.json:
        print(json.dumps([asdict(voice) for voice in voices], ensure_ascii=False))
        return Exit.DONE
    width = max((len(voice.id) for voice in voices), default=0)
    for voice in voices:
        print(f"{voice.id:<{width}}  {voice.name}: {voice.description}")
    return Exit.DONE


def run_list(args: argparse.Namespace, services: Services) -> Exit:
    show_voices(services.voices.voices(search=args.search, deleted=args.deleted), as_json=args.json)
    if fault := services.voices.fault:
        print(f"{fault.message} [{fault.code}]", file=sys.stderr)
    return Exit.DONE


def run_show(args: argparse.Namespace, services: Services) -> Exit:
    voice = services.finder.saved(args.voice, or_deleted=True)
    if args.json:
        return print_voice(voice, as_json=True)
    for name, value in to_json(voice).items():
        if name != "meta" and value not in ("", None):
            print(f"{name:<20} {value}")
    for name, value in voice.meta.items():
        print(f"{name:<20} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return Exit.DONE


def run_rename(args: argparse.Namespace, services: Services) -> Exit:
    voice = services.finder.saved(args.voice)
    return print_voice(services.voices.change(voice.id, {"name": args.name.strip()}), as_json=args.json)


def run_edit(args: argparse.Namespace, services: Services) -> Exit:
    voice = services.finder.saved(args.voice)
    given = {
        "ref_text": args.text,
        "language": args.language,
        "model_key": args.model,
        "instruct": args.instruct,
        "speaker": args.speaker,
        "x_vector_only_mode": args.x_vector_only,
        "tags": None if args.tags is None else [tag.strip() for tag in args.tags.split(",") if tag.strip()],
        "favourite": args.favourite,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    consent = consent_of(args)
    if not changes and consent is None and args.recording is None:
        raise InvalidRequest(reason="say what is to be changed.")
    if changes:
        voice = services.voices.change(voice.id, changes)
    if consent is not None:
        voice = services.voices.confirm(voice.id, consent)
    if args.recording is not None:
        voice = services.voices.replace_recording(voice.id, args.recording)
        print(f"To make it speak again: python -m tts_core voices prepare {voice.id}", file=sys.stderr)
    return print_voice(voice, as_json=args.json)


def run_delete(args: argparse.Namespace, services: Services) -> Exit:
    if args.for_good:
        voice = services.finder.saved(args.voice, or_deleted=True)
        removed = services.voices.remove(voice.id, files=True)
    else:
        voice, removed = services.voices.delete(services.finder.saved(args.voice).id), ()
    if args.json:
        print(json.dumps({"id": voice.id, "removed_files": list(removed)}))
    elif args.for_good:
        print(f"{voice.name} and {len(removed)} files are removed for good.")
    else:
        print(f"{voice.name} is deleted. To bring it back: python -m tts_core voices restore {voice.id}")
    return Exit.DONE


def run_restore(args: argparse.Namespace, services: Services) -> Exit:
    return print_voice(services.voices.restore(deleted_one(services, args.voice).id), as_json=args.json)


def run_duplicate(args: argparse.Namespace, services: Services) -> Exit:
    voice = services.finder.saved(args.voice)
    return print_voice(services.voices.duplicate(voice.id, args.name or f"{voice.name} 2"), as_json=args.json)


def run_purge(args: argparse.Namespace, services: Services) -> Exit:
    found: tuple[SavedVoice, ...] = services.voices.voices(deleted=True) if args.all else services.voices.expired()
    if args.yes:
        for voice in found:
            services.voices.remove(voice.id, files=True)
    show_voices(found, as_json=args.json)
    if args.yes:
        print(f"{len(found)} voices are removed for good.", file=sys.stderr)
    elif found:
        print("Nothing was removed. Add --yes to do it.", file=sys.stderr)
    return Exit.DONE


def _add_voice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("voice", metavar="VOICE", help="a saved voice's id or name")
