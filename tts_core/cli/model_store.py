"""`models delete | move | export | import | convert | updates | clean`: the store on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tts_core.cli import progress
from tts_core.cli.status import Exit
from tts_core.models.store.reports import LeftoverKind, StoreProgress, UpdateReport, UpdateState
from tts_core.services import Services

LEFTOVER_WORDS: Mapping[LeftoverKind, str] = {
    LeftoverKind.OTHER_CLIENT: "unfinished, of another download program",
    LeftoverKind.PART: "unfinished, needed by no model",
    LeftoverKind.SET_ASIDE: "wrong content, set aside",
}


def add_actions(actions: Any, shared: argparse.ArgumentParser) -> None:
    """Add the store's commands to those of `models`."""
    delete = actions.add_parser("delete", parents=[shared], help="remove a model's files; others in its folder stay")
    delete.add_argument("key", metavar="KEY", help="a model's key")
    delete.add_argument("--yes", action="store_true", help="do it; without this, only say what would go")
    delete.set_defaults(run=run_delete)

    move = actions.add_parser("move", parents=[shared], help="move the whole models folder; run again to go on")
    move.add_argument("folder", metavar="DIR", type=Path, help="where the model folders shall lie")
    move.set_defaults(run=run_move)

    export = actions.add_parser("export", parents=[shared], help="copy a model, with checksums, for another machine")
    export.add_argument("key", metavar="KEY", help="a model's key")
    export.add_argument("folder", metavar="DIR", type=Path, help="gets a folder with the model")
    export.set_defaults(run=run_export)

    importing = actions.add_parser("import", parents=[shared], help="take over a model from a folder of any layout")
    importing.add_argument("key", metavar="KEY", help="a model's key")
    importing.add_argument("folder", metavar="DIR", type=Path, help="an export, a hub's cache, a copy; left as it is")
    importing.set_defaults(run=run_import)

    convert = actions.add_parser(
        "convert", parents=[shared], help="make a Whisper model of an earlier version's folder"
    )
    convert.add_argument("key", metavar="KEY", help="a Whisper model's key")
    convert.set_defaults(run=run_convert)

    updates = actions.add_parser("updates", parents=[shared], help="ask the hubs for newer files; changes nothing")
    updates.add_argument("key", metavar="KEY", nargs="?", help="a model's key; all models without it")
    updates.add_argument("--json", action="store_true", help="print one JSON object a line")
    updates.set_defaults(run=run_updates)

    clean = actions.add_parser("clean", parents=[shared], help="list what nobody needs, and remove it with --yes")
    clean.add_argument("--yes", action="store_true", help="remove what is listed")
    clean.set_defaults(run=run_clean)


def run_delete(args: argparse.Namespace, services: Services) -> Exit:
    removal = services.store.delete(args.key) if args.yes else services.store.removal(args.key)
    for file in removal.files:
        print(file)
    print(f"{'Freed' if args.yes else 'Would free'}: {_size(removal.freed_bytes)}.")
    if removal.shared_bytes:
        print(f"{_size(removal.shared_bytes)} more live on in other models' folders.")
    if removal.left:
        print(f"Not of the model, stays in {removal.folder}: {', '.join(removal.left)}")
    if not args.yes:
        print("Nothing was removed. Add --yes to do it.", file=sys.stderr)
    return Exit.DONE if args.yes else Exit.NO


def run_move(args: argparse.Namespace, services: Services) -> Exit:
    try:
        moved = services.store.move(args.folder, _show)
    finally:
        progress.clear()
    print(f"The models lie in {moved.target} now. Restart TTS Studio where it runs.")
    if moved.left:
        print(f"Stayed in {moved.source}: {', '.join(moved.left)}")
    if moved.variable:
        print(
            f"{moved.variable} (or --models-dir) still names {services.settings.paths.models_dir}: "
            f"change it to {moved.target}.",
            file=sys.stderr,
        )
    return Exit.DONE


def run_export(args: argparse.Namespace, services: Services) -> Exit:
    try:
        exported = services.store.export(args.key, args.folder, _show)
    finally:
        progress.clear()
    print(f"{_size(exported.total_bytes)} in {exported.folder}")
    print(f"On the other machine: python -m tts_core models import {args.key} {exported.folder.name}")
    return Exit.DONE


def run_import(args: argparse.Namespace, services: Services) -> Exit:
    try:
        imported = services.store.import_from(args.key, args.folder, _show)
    finally:
        progress.clear()
    if imported.was_ready:
        print(f"{args.key} is complete already; nothing was changed.")
    for file in imported.adopted:
        print(f"Taken over: {file}")
    for file in imported.missing:
        print(f"Not found with the published content: {file}", file=sys.stderr)
    if not imported.missing:
        print(f"{args.key} is ready in {imported.folder}")
    return Exit.NO if imported.missing else Exit.DONE


def run_convert(args: argparse.Namespace, services: Services) -> Exit:
    try:
        status = services.conversion.convert(
            args.key, say=lambda _phase, percent: progress.show_bar(int(percent), 100, args.key)
        )
    finally:
        progress.clear()
    print(f"{status.path}: {status.state.value}. The folder in the older form stays; nothing needs it any more.")
    return Exit.DONE if status.valid else Exit.NO


def run_updates(args: argparse.Namespace, services: Services) -> Exit:
    known = True
    for report in services.store.updates([args.key] if args.key else []):
        known &= report.state is not UpdateState.UNKNOWN
        if args.json:
            print(json.dumps(_as_json(report), ensure_ascii=False), flush=True)
            continue
        print(f"{report.key:<18} {report.state.value}", flush=True)
        for source in report.sources:
            about = source.message or f"revision {source.revision}"
            files = f": {', '.join(source.differing)} differ" if source.differing else ""
            code = f" [{source.code}]" if source.code else ""
            print(f"  {source.source:<10} {source.state.value:<16} {about}{files}{code}")
    return Exit.DONE if known else Exit.NO


def run_clean(args: argparse.Namespace, services: Services) -> Exit:
    listed = services.store.leftovers()
    for leftover in listed:
        recent = "; written a moment ago, so it stays" if leftover.is_recent else ""
        print(f"{_size(leftover.bytes):>10}  {leftover.path}  ({LEFTOVER_WORDS[leftover.kind]}{recent})")
    if not listed:
        print("Nothing is left over.")
    elif args.yes:
        cleaned = services.store.clean(listed)
        print(f"Removed {len(cleaned.removed)} files. Freed: {_size(cleaned.freed_bytes)}.")
    else:
        print("Nothing was removed. Add --yes to do it.", file=sys.stderr)
    return Exit.DONE


def _show(step: StoreProgress) -> None:
    progress.show_bar(step.done_bytes, step.total_bytes, step.file)


def _size(amount: int) -> str:
    for unit, bytes_per_unit in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if amount >= bytes_per_unit:
            return f"{amount / bytes_per_unit:.2f} {unit}"
    return f"{amount} bytes"


def _as_json(report: UpdateReport) -> dict[str, Any]:
    return {
        "key": report.key,
        "status": report.state.value,
        "revision": report.revision,
        "sources": [
            {
                "source": source.source,
                "status": source.state.value,
                "revision": source.revision,
                "differing": list(source.differing),
                "code": source.code,
                "message": source.message,
            }
            for source in report.sources
        ],
    }
