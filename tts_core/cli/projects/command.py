"""`projects`: look at projects, delete them and bring them back, take changes back."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tts_core.cli.projects import joining
from tts_core.cli.status import Exit
from tts_core.platform.settings.options import PROJECT_OPTIONS, options_parser
from tts_core.services import Services
from tts_core.studio.index import Counts
from tts_core.studio.model import TO_MAKE, SegmentState
from tts_core.studio.projects import ProjectCard


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    shared = options_parser_with(shared)
    projects = commands.add_parser("projects", help="long texts that are kept as projects", parents=[shared])
    actions = projects.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="all projects, those that changed last first", parents=[shared])
    listed.add_argument("--deleted", action="store_true", help="those that can be restored")
    listed.add_argument("--json", action="store_true", help="print them as JSON")
    listed.set_defaults(run=_list)
    shown = actions.add_parser("show", help="a project's chapters, and how far they are", parents=[shared])
    shown.add_argument("project", metavar="ID")
    shown.add_argument("--json", action="store_true", help="print it as JSON")
    shown.set_defaults(run=_show)
    delete = actions.add_parser("delete", help="delete a project; it can be restored for 30 days", parents=[shared])
    delete.add_argument("project", metavar="ID")
    delete.add_argument("--files", action="store_true", help="remove its files for good, at once")
    delete.set_defaults(run=_delete)
    restore = actions.add_parser("restore", help="bring back a deleted project", parents=[shared])
    restore.add_argument("project", metavar="ID")
    restore.set_defaults(run=_restore)
    undo = actions.add_parser("undo", help="take back the last change of a project", parents=[shared])
    undo.add_argument("project", metavar="ID")
    undo.set_defaults(run=_undo)
    joining.add_actions(actions, shared)


def options_parser_with(shared: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The shared options with those of projects."""
    return argparse.ArgumentParser(add_help=False, parents=[shared, options_parser(*PROJECT_OPTIONS)])


def _list(args: argparse.Namespace, services: Services) -> Exit:
    cards = services.projects.cards(deleted=args.deleted)
    if args.json:
        print(json.dumps([_card(card) for card in cards], ensure_ascii=False))
        return Exit.DONE
    if not cards:
        print("There are no projects.", file=sys.stderr)
    for card in cards:
        note = f"  {card.problem.message}" if card.problem else ""
        print(f"{card.project.id}  {card.project.title}  ({_progress(card.counts)}){note}")
    return Exit.DONE


def _show(args: argparse.Namespace, services: Services) -> Exit:
    opened = services.projects.open(args.project)
    project, counts = opened.project, opened.counts()
    for note in opened.notes:
        print(note.message, file=sys.stderr)
    if args.json:
        chapters = [
            {"id": one.id, "title": one.title, "included": one.is_included, **_facts(counts[one.id])}
            for one in project.chapters
        ]
        card = ProjectCard(project, counts[""])
        print(json.dumps({**_card(card), "revision": project.revision, "chapters": chapters}, ensure_ascii=False))
        return Exit.DONE
    print(f"{project.title}  ({_progress(counts[''])})")
    for number, chapter in enumerate(project.chapters, 1):
        left_out = "" if chapter.is_included else "  left out"
        print(f"{number:3}. {chapter.title or chapter.id}  ({_progress(counts[chapter.id])}){left_out}")
    return Exit.DONE


def _delete(args: argparse.Namespace, services: Services) -> Exit:
    if args.files:
        services.projects.remove(args.project)
        print(f"{args.project} and its files are removed.")
    else:
        services.projects.delete(args.project)
        print(f"{args.project} is deleted. Within 30 days, `projects restore {args.project}` brings it back.")
    return Exit.DONE


def _restore(args: argparse.Namespace, services: Services) -> Exit:
    print(f"{services.projects.restore(args.project).project.title} is back.")
    return Exit.DONE


def _undo(args: argparse.Namespace, services: Services) -> Exit:
    opened = services.projects.open(args.project)
    label = opened.undoable
    opened.undo()
    print(f"Taken back: {label.replace('_', ' ')}.")
    return Exit.DONE


def _card(card: ProjectCard) -> dict[str, Any]:
    project = card.project
    return {
        "id": project.id,
        "title": project.title,
        "kind": project.kind.value,
        "language": project.language,
        "updated_at": project.updated_at,
        "deleted_at": project.deleted_at,
        "problem": None if card.problem is None else card.problem.code,
        **_facts(card.counts),
    }


def _facts(counts: Counts) -> dict[str, Any]:
    states = {state.value: count for state, count in counts.states.items() if count}
    return {"segments": counts.segments, "states": states, "seconds": round(counts.seconds, 3)}


def _progress(counts: Counts) -> str:
    """How far it is, in words: "3 of 9 segments, 1 flagged, 0:42"."""
    left = sum(count for state, count in counts.states.items() if state in TO_MAKE)
    unspoken = sum(counts.states.get(state, 0) for state in (SegmentState.EMPTY, SegmentState.SKIPPED))
    spoken = counts.segments - unspoken
    flagged = counts.states.get(SegmentState.FLAGGED, 0)
    minutes, seconds = divmod(round(counts.seconds), 60)
    parts = [f"{spoken - left} of {spoken} segments", *([f"{flagged} flagged"] if flagged else [])]
    return ", ".join([*parts, f"{minutes}:{seconds:02}"])
