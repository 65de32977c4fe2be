"""`models`: what lies on the disk, whether it is whole, and how to fetch it by hand. More commands: model_store.py."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any

from tts_core.cli import model_store, progress
from tts_core.cli.status import Exit
from tts_core.domain.errors import Cancelled
from tts_core.domain.events import CheckProgress
from tts_core.models.files.findings import ModelState, NextStep, Verification
from tts_core.models.status import ModelStatus, ModelStatuses
from tts_core.services import Services

ALL = "all"
ADVICE = {
    NextStep.CONVERT: "To convert it: python -m tts_core models convert {key}",
    NextStep.FETCH: "To fetch it: python -m tts_core download {key}",
    NextStep.FETCH_MISSING: "To fetch what is missing: python -m tts_core download {key}",
    NextStep.COPY: "No hub has this model: copy its files into this folder.",
}
"""Advice for the next steps that the findings don't name already."""


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("models", parents=[shared], help="list, check, delete, move, export and import models")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    listing = actions.add_parser("list", parents=[shared], help="every model and its state")
    listing.add_argument("--json", action="store_true", help="print a JSON list")
    listing.set_defaults(run=run_list)

    validate = actions.add_parser("validate", parents=[shared], help="check a model's files; status 1 if not valid")
    validate.add_argument("key", metavar="KEY", help=f'a model\'s key, or "{ALL}"')
    validate.add_argument("--deep", action="store_true", help="compare the sha256 of every file; takes a while")
    validate.add_argument("--json", action="store_true", help="print a JSON list")
    validate.set_defaults(run=run_validate)

    fetch = actions.add_parser("commands", parents=[shared], help="commands that download a model by hand")
    fetch.add_argument("key", metavar="KEY", help="a model's key")
    fetch.set_defaults(run=run_commands)

    model_store.add_actions(actions, shared)


def run_list(args: argparse.Namespace, services: Services) -> Exit:
    _print(services.models.statuses(), as_json=args.json)
    return Exit.DONE


def run_validate(args: argparse.Namespace, services: Services) -> Exit:
    models = services.models
    keys = models.keys() if args.key == ALL else (args.key,)
    statuses = [_validate(models, key, deep=args.deep) for key in keys]
    _print(statuses, as_json=args.json)
    return Exit.DONE if all(status.valid for status in statuses) else Exit.NO


def run_commands(args: argparse.Namespace, services: Services) -> Exit:
    manual = services.models.manual_download(args.key)
    for site, command in (("Hugging Face", manual.hf_command), ("ModelScope", manual.modelscope_command)):
        if command:
            print(f"{site}:\n  {command}")
    print(f"The files belong in:\n  {manual.folder}")
    return Exit.DONE


def _validate(models: ModelStatuses, key: str, *, deep: bool) -> ModelStatus:
    try:
        for step in models.validate(key, deep=deep, cancelled=lambda: False):
            match step:
                case CheckProgress():
                    progress.show_bar(step.done_bytes, step.total_bytes, f"{key} {step.file}")
                case ModelStatus():
                    return step
    finally:
        progress.clear()
    raise Cancelled


def _print(statuses: Iterable[ModelStatus], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_as_json(status) for status in statuses], ensure_ascii=False))
        return
    for status in statuses:
        present = f"{status.bytes_done / 1e9:.2f} of {status.bytes_total / 1e9:.2f} GB"
        state = status.state.value
        if status.verification is not Verification.NONE:
            state += f" ({status.verification.value})"
        print(f"{status.key:<18} {state:<18} {present:<20} {status.path}")
        for line in _explanation(status):
            print(f"  {line}")


def _explanation(status: ModelStatus) -> list[str]:
    """The problems, the hints, and the next step."""
    findings = [*(problem.message for problem in status.problems), *(hint.message for hint in status.hints)]
    missing = [] if status.state is ModelState.NOT_DOWNLOADED else [f"{file} is missing." for file in status.missing]
    advice = ADVICE.get(status.next_step)
    return [*missing, *findings, *([advice.format(key=status.key)] if advice else [])]


def _as_json(status: ModelStatus) -> dict[str, Any]:
    return {
        "key": status.key,
        "path": str(status.path),
        "exists": status.exists,
        "valid": status.valid,
        "status": status.state.value,
        "verification": status.verification.value,
        "missing": list(status.missing),
        "problems": [
            {"file": problem.file, "code": problem.code, "message": problem.message} for problem in status.problems
        ],
        "hints": [{"code": hint.code, "message": hint.message} for hint in status.hints],
        "extra_files": list(status.extra_files),
        "bytes_done": status.bytes_done,
        "bytes_total": status.bytes_total,
        "reason": status.reason,
    }
