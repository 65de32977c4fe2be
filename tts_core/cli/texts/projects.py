"""`projects`: the projects of long texts are listed, made and joined."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tts_core.cli.status import Exit
from tts_core.cli.targets import check_target
from tts_core.cli.texts import making
from tts_core.services import Services
from tts_core.studio.export.assembly import JoinChoices, Missing
from tts_core.studio.export.joined import JOIN_FORMATS, join_format
from tts_core.studio.making.runs import Scope, ScopeKind
from tts_core.studio.model import SegmentState
from tts_core.studio.projects import ProjectCard


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    projects = commands.add_parser("projects", help="projects of long texts", parents=[shared])
    actions = projects.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="all projects", parents=[shared])
    listed.add_argument("--json", action="store_true", help="print them as JSON")
    listed.set_defaults(run=_list)
    show = actions.add_parser("show", help="how far a project is", parents=[shared])
    show.add_argument("project", metavar="ID")
    show.set_defaults(run=_show)
    render = actions.add_parser(
        "render", help="make what is missing; Ctrl-C stops, the same again goes on", parents=[shared]
    )
    render.add_argument("project", metavar="ID")
    render.add_argument("--chapters", nargs="+", default=[], metavar="C", help="only these chapters, by number from 1")
    render.add_argument("--flagged", action="store_true", help="what may be wrong, once more")
    render.set_defaults(run=_render)
    export = actions.add_parser("export", help="join the takes into one file", parents=[shared])
    export.add_argument("project", metavar="ID")
    export.add_argument("--out", type=Path, required=True, metavar="OUT")
    export.add_argument("--force", action="store_true", help="replace OUT when it exists")
    export.add_argument("--format", choices=JOIN_FORMATS, help="default: by OUT's name")
    export.add_argument("--chapters", nargs="+", default=[], metavar="C", help="only these chapters, by number from 1")
    export.add_argument("--missing", choices=[one.value for one in Missing], default=Missing.STOP.value)
    export.set_defaults(run=_export)
    delete = actions.add_parser("delete", help="delete a project; it can be restored for 30 days", parents=[shared])
    delete.add_argument("project", metavar="ID")
    delete.set_defaults(run=_delete)


def _list(args: argparse.Namespace, services: Services) -> Exit:
    cards = services.projects.cards()
    if args.json:
        print(json.dumps([_as_json(card) for card in cards], ensure_ascii=False))
        return Exit.DONE
    for card in cards:
        ready = card.counts.states.get(SegmentState.READY, 0)
        words = f"{ready} of {card.counts.segments}" if card.problem is None else card.problem.message
        print(f"{card.project.id}  {card.project.title}  {words}")
    return Exit.DONE


def _show(args: argparse.Namespace, services: Services) -> Exit:
    project = services.projects.open(args.project)
    counts = project.counts()
    for number, chapter in enumerate(project.project.chapters, start=1):
        found = counts[chapter.id]
        words = ", ".join(f"{count} {state.value}" for state, count in found.states.items())
        print(f"{number}. {chapter.title or chapter.id}: {words}; {found.seconds / 60:.1f} min")
    return Exit.DONE


def _render(args: argparse.Namespace, services: Services) -> Exit:
    chapters = _chapters(args, services)
    kind = ScopeKind.FLAGGED if args.flagged else ScopeKind.CHAPTERS if chapters else ScopeKind.ALL
    status = making.make(services, args.project, Scope(kind, chapters))
    return making.outcome(services, args.project, status)


def _export(args: argparse.Namespace, services: Services) -> Exit:
    out: Path = args.out
    check_target(out, force=args.force)
    name = join_format(args.format or out.suffix[1:].lower() or "wav")
    made = making.export(services, args.project, JoinChoices.of(name, args.missing, _chapters(args, services)), out)
    print(f"{out}: {made.duration_s / 60:.1f} min, {made.segments} segments")
    return Exit.DONE


def _delete(args: argparse.Namespace, services: Services) -> Exit:
    services.projects.delete(args.project)
    print("The project is deleted. It can be restored for 30 days.")
    return Exit.DONE


def _chapters(args: argparse.Namespace, services: Services) -> tuple[str, ...]:
    """The ids of the chapters that are named by number or id."""
    chapters = services.projects.open(args.project).project.chapters
    ids = {str(number): chapter.id for number, chapter in enumerate(chapters, start=1)}
    return tuple(ids.get(name, name) for name in args.chapters)


def _as_json(card: ProjectCard) -> dict[str, object]:
    return {
        "id": card.project.id,
        "title": card.project.title,
        "segments": card.counts.segments,
        "states": {state.value: count for state, count in card.counts.states.items()},
        "duration_seconds": round(card.counts.seconds, 1),
        "updated_at": card.project.updated_at,
    }
