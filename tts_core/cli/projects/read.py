"""`read`: a file of text becomes a recording; the same command again goes on where it was."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tts_core.cli.projects import making
from tts_core.cli.status import Exit
from tts_core.cli.targets import check_target
from tts_core.domain.errors import InvalidRequest
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.services import Services
from tts_core.speech.plan.join import PAUSE_FACTORS
from tts_core.speech.plan.split import SplitPreset
from tts_core.studio.edits.whole import with_settings
from tts_core.studio.export.assembly import JoinChoices, Missing
from tts_core.studio.export.joined import JOIN_FORMATS, join_format
from tts_core.studio.making.runs import Scope
from tts_core.studio.model import CheckMode, Delivery, Project
from tts_core.studio.readers.draft import SplitDraft, Splitting
from tts_core.studio.readers.importing import Wishes, new_project
from tts_core.studio.readers.text import read_file
from tts_core.studio.store import OpenProject

_READ = "read"
"""The settings under which a project keeps what it was made from."""


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "read", parents=[shared], help="read a file of text into a recording; goes on if stopped"
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the text: .txt or .md")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="sound file to write")
    parser.add_argument("--force", action="store_true", help="replace OUT when it exists")
    parser.add_argument("--format", choices=JOIN_FORMATS, help="default: by OUT's name")
    parser.add_argument("--voice", metavar="V", help="a voice's id or name (see: voices); default: the best there is")
    parser.add_argument("--language", default=AUTO_LANGUAGE, metavar="L", help="code or name; default: from the text")
    parser.add_argument("--style", default="", metavar="S", help="style instruction, where the voice follows one")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="2 is twice as fast")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another number reads it another way")
    parser.add_argument("--title", default="", metavar="T", help="the project's name; default: the file's")
    parser.add_argument(
        "--split", choices=[one.value for one in SplitPreset], default=SplitPreset.BALANCED.value, help="the segments"
    )
    parser.add_argument("--pauses", choices=list(PAUSE_FACTORS), default="normal")
    parser.add_argument(
        "--check",
        choices=[mode.value for mode in CheckMode],
        help="transcribe what looks wrong, or all takes; default: what suits the machine",
    )
    parser.add_argument(
        "--missing",
        choices=[one.value for one in Missing],
        default=Missing.STOP.value,
        help="what becomes of segments that can't be made; default: no file then",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, services: Services) -> Exit:
    out: Path = args.out
    choices = JoinChoices.of(join_format(args.format or out.suffix[1:].lower() or "wav"), args.missing)
    check_target(out, force=args.force)
    project = _project(args, services)
    status = making.make(services, project.id, Scope())
    code = making.outcome(services, project.id, status)
    if code is Exit.STOPPED or status.total != status.done or (code is Exit.ERROR and args.missing == "stop"):
        return code
    made = making.export(services, project.id, choices, out)
    facts = {
        "file": str(out),
        "project_id": project.id,
        "segments": made.segments,
        "duration_seconds": round(made.duration_s, 3),
        "sample_rate": made.sample_rate,
        "flagged": status.flagged,
        "failed": status.failed,
    }
    print(json.dumps(facts) if args.json else f"{out}: {made.duration_s / 60:.1f} min, {made.segments} segments")
    return code


def _project(args: argparse.Namespace, services: Services) -> OpenProject:
    """The project of this file and these choices: the one that an earlier command has begun, else a new one."""
    content = _content(args.file)
    voice = services.finder.find(name=args.voice)
    key = _key(args, content, voice)
    for card in services.projects.cards():
        if card.problem is None and card.project.settings.get(_READ, {}).get("key") == key:
            found = services.projects.open(card.project.id)
            if args.check and found.project.check is not CheckMode(args.check):
                found.edit("settings", lambda before: with_settings(before, {"check": CheckMode(args.check)}))
            return found
    return services.projects.create(_new(args, content, voice, key), {args.file.name: content})


def _new(args: argparse.Namespace, content: bytes, voice: str | None, key: str) -> Project:
    splitting = Splitting(args.language, SplitPreset(args.split))
    draft = read_file(args.file.name, content)
    wishes = Wishes(
        title=args.title,
        delivery=Delivery(voice, args.style or None, None, args.speed if args.speed != 1.0 else None),
        pauses=args.pauses,
        seed=args.seed,
    )
    project = new_project(SplitDraft.of(draft, splitting), splitting, wishes)
    return replace(
        project, check=CheckMode(args.check) if args.check else None, settings={**project.settings, _READ: {"key": key}}
    )


def _key(args: argparse.Namespace, content: bytes, voice: str | None) -> str:
    """The hash of whatever makes it another reading."""
    text = hashlib.sha256(content).hexdigest()
    chosen = [text, voice, args.language, args.style, args.speed, args.seed, args.split, args.pauses, args.title]
    return hashlib.sha256(json.dumps(chosen).encode()).hexdigest()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidRequest(reason=f"{file} can't be read: {error.strerror or error}.") from error
