"""`projects render` and `projects export`: what is missing is made, and joined into a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tts_core.cli.projects import making
from tts_core.cli.status import Exit
from tts_core.cli.targets import check_target
from tts_core.services import Services
from tts_core.studio.export.assembly import JoinChoices, Missing
from tts_core.studio.export.joined import JOIN_FORMATS, join_format
from tts_core.studio.making.runs import Scope, ScopeKind


def add_actions(actions: Any, shared: argparse.ArgumentParser) -> None:
    render = actions.add_parser(
        "render", help="make what is missing; stopped, the same again goes on", parents=[shared]
    )
    render.add_argument("project", metavar="ID")
    render.add_argument("--chapters", nargs="+", default=[], metavar="C", help="only these chapters, by number from 1")
    render.add_argument("--flagged", action="store_true", help="what may be wrong, once more")
    render.set_defaults(run=_render)
    export = actions.add_parser("export", help="join the takes into one file", parents=[shared])
    export.add_argument("project", metavar="ID")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="sound file to write")
    export.add_argument("--force", action="store_true", help="replace FILE when it exists")
    export.add_argument("--format", choices=JOIN_FORMATS, help="default: by FILE's name")
    export.add_argument("--chapters", nargs="+", default=[], metavar="C", help="only these chapters, by number from 1")
    export.add_argument(
        "--missing",
        choices=[one.value for one in Missing],
        default=Missing.STOP.value,
        help="what becomes of segments without a take; default: no file then",
    )
    export.set_defaults(run=_export)


def _render(args: argparse.Namespace, services: Services) -> Exit:
    chapters = _chapters(args, services)
    kind = ScopeKind.FLAGGED if args.flagged else ScopeKind.CHAPTERS if chapters else ScopeKind.ALL
    return making.outcome(services, args.project, making.make(services, args.project, Scope(kind, chapters)))


def _export(args: argparse.Namespace, services: Services) -> Exit:
    out: Path = args.out
    check_target(out, force=args.force)
    name = join_format(args.format or out.suffix[1:].lower() or "wav")
    made = making.export(services, args.project, JoinChoices.of(name, args.missing, _chapters(args, services)), out)
    print(f"{out}: {made.duration_s / 60:.1f} min, {made.segments} segments")
    return Exit.DONE


def _chapters(args: argparse.Namespace, services: Services) -> tuple[str, ...]:
    """The ids of the chapters that are named by number or id."""
    chapters = services.projects.open(args.project).project.chapters
    ids = {str(number): chapter.id for number, chapter in enumerate(chapters, start=1)}
    return tuple(ids.get(name, name) for name in args.chapters)
