"""`download`: fetch a model, watch it, stop and go on later. Exit status 0 only when the model is ready."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterable
from typing import Any, get_args

from tts_core.cli import progress
from tts_core.cli.status import Exit
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.models.download_report import facts, note_sentence, source_name, summary
from tts_core.models.download_task import DownloadTask, Phase, Provider
from tts_core.platform.job import JobState
from tts_core.services import Services

PROVIDERS: tuple[Provider, ...] = get_args(Provider)


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("download", parents=[shared], help="download a model, or what is missing of it")
    parser.add_argument("key", metavar="KEY", help="a model's key (see: models list)")
    parser.add_argument(
        "--source", choices=PROVIDERS, default="auto", help="where to ask first; others may take over (default: auto)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON event a line; the last one is the result")
    # Where the reader of stdout has gone, only the status shows that nothing came of it.
    parser.set_defaults(run=run, report_failure=report_failure, without_reader=Exit.STOPPED)


def run(args: argparse.Namespace, services: Services) -> Exit:
    task, is_interrupted = _download(args, services)
    if args.json:
        _print(facts(task))
    match task.state:
        case JobState.DONE:
            if not args.json:
                print(f"{summary(task)}\n{services.models.folder(args.key)}")
            return Exit.DONE
        case JobState.PAUSED | JobState.ERROR if task.code and not is_interrupted:
            print(f"{summary(task)} [{task.code}]", file=sys.stderr)
            print(f"By hand: python -m tts_core models commands {args.key}", file=sys.stderr)
            return Exit.ERROR
        case _:
            print(f"{summary(task)} To go on: python -m tts_core download {args.key}", file=sys.stderr)
            return Exit.STOPPED


def report_failure(args: argparse.Namespace, error: StudioError) -> None:
    """Print the error that ended the command before there was a download, wrong settings included."""
    if args.json:
        _print({"status": "error", "code": error.code, "source": "", "key": args.key, "message": error.message})


def _download(args: argparse.Namespace, services: Services) -> tuple[DownloadTask, bool]:
    """Download; returns the task as it ended, and whether Ctrl-C or SIGTERM ended it. A second one leaves at once."""
    downloads, view = services.downloads, _View(as_json=args.json)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        downloads.start(args.key, args.source)
        return view.show(downloads.follow(args.key)), False
    except KeyboardInterrupt:
        downloads.pause(args.key)
        return view.show(downloads.follow(args.key)), True
    finally:
        signal.signal(signal.SIGTERM, before)
        progress.clear()


class _View:
    """The output while a download goes on."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._printed_notes = 0

    def show(self, changes: Iterable[DownloadTask]) -> DownloadTask:
        """Print the changes as they come; returns the last one."""
        last = None
        for task in changes:
            last = task
            for note in task.notes[self._printed_notes :]:
                progress.clear()
                print(note_sentence(note), file=sys.stderr, flush=True)
            self._printed_notes = len(task.notes)
            if self._as_json and task.state.is_active:
                _print(facts(task))  # programs read the last line as the result: an end is printed once
            elif not self._as_json:
                progress.show_bar(task.bytes_done, task.bytes_total, _beside_the_bar(task))
        if last is None:
            raise Cancelled
        return last


def _beside_the_bar(task: DownloadTask) -> str:
    if task.phase is not Phase.TRANSFERRING or task.state is not JobState.RUNNING or task.stalled:
        return summary(task)
    unit, name = (1e9, "GB") if task.bytes_total >= 1e9 else (1e6, "MB")
    size = f"{task.bytes_done / unit:.2f} of {task.bytes_total / unit:.2f} {name}"
    left = "" if task.eta_s is None else f", {_clock(task.eta_s)} left"
    return f"{size}, {task.bytes_per_second / 1e6:.1f} MB/s{left}, {source_name(task.source)}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _print(event: dict[str, Any]) -> None:
    print(json.dumps(event, ensure_ascii=False), flush=True)
