"""`install-yourtts`: YourTTS's own Python environment and its model. Run again, it goes on where it stopped."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from typing import Any

from tts_core.cli import progress
from tts_core.cli.status import Exit
from tts_core.domain.engine import never
from tts_core.domain.errors import StudioError
from tts_core.engines.yourtts.download import LICENCE, fetch_model
from tts_core.engines.yourtts.environment import Environment
from tts_core.engines.yourtts.install import STEPS, InstallEvent, Wheels, best_wheels, install
from tts_core.services import Services

MODEL_STEP = "model"
_STEPS = len(STEPS) + 1
_REPEAT_AFTER_S = 0.5


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    about = "install YourTTS in a Python environment of its own, and its model; run again to go on"
    parser = commands.add_parser("install-yourtts", parents=[shared], help=about)
    wheels = parser.add_mutually_exclusive_group()
    wheels.add_argument("--gpu", dest="wheels", action="store_const", const=Wheels.GPU, help="torch with CUDA")
    wheels.add_argument("--cpu", dest="wheels", action="store_const", const=Wheels.CPU, help="torch without CUDA")
    parser.add_argument(
        "--python", metavar="FILE", default=sys.executable, help="make it with this Python, 3.10 to 3.13"
    )
    parser.add_argument("--no-model", action="store_true", help="the environment alone; the model is looked for later")
    parser.add_argument("--json", action="store_true", help="print one JSON event a line; the last one is the result")
    parser.set_defaults(run=run, report_failure=report_failure, without_reader=Exit.STOPPED)


def run(args: argparse.Namespace, services: Services) -> Exit:
    report = _Reporter(as_json=args.json)
    environment = services.yourtts.environment
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if environment.is_installed:
            report.say(f"YourTTS's environment is complete: {environment.folder}")
        else:
            _make(args, environment, report)
        if not args.no_model:
            _find_or_fetch(services, report)
    finally:
        signal.signal(signal.SIGTERM, before)
        progress.clear()
    model = services.yourtts.model()
    report.result(environment, "" if model is None else str(model.folder))
    return Exit.DONE


def report_failure(args: argparse.Namespace, error: StudioError) -> None:
    if args.json:
        print(json.dumps({"status": "error", "code": error.code, "message": error.message}), flush=True)


def _make(args: argparse.Namespace, environment: Environment, report: _Reporter) -> None:
    wheels, why = (args.wheels, "as asked for") if args.wheels else best_wheels()
    report.say(f"torch for the {wheels.value.upper()}: {why}.")
    for event in install(environment, python=args.python, wheels=wheels):
        report.event(event)


def _find_or_fetch(services: Services, report: _Reporter) -> None:
    """Find the model, or fetch it. A model that is anywhere on this machine is used there: nothing is fetched twice."""
    search = services.yourtts.search()
    report.event(InstallEvent(MODEL_STEP, _STEPS, _STEPS, str(search)))
    if search.model is not None:
        return
    report.say(f"The model's licence is {LICENCE}.")
    fetch_model(services.settings, cancelled=never, progress=report.fetched)


class _Reporter:
    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._last = ("", "")
        self._printed_at = 0.0

    def say(self, message: str) -> None:
        if not self._as_json:
            progress.clear()
            print(message, flush=True)

    def event(self, event: InstallEvent) -> None:
        """Print an event. The same step and message are repeated only now and then: their bytes change all the time."""
        now = time.monotonic()
        is_new = (event.step, event.message) != self._last
        if not is_new and now - self._printed_at < _REPEAT_AFTER_S:
            return
        self._printed_at = now
        step_began = event.step != self._last[0]
        self._last = (event.step, event.message)
        if self._as_json:
            print(json.dumps({"status": "running", **_facts(event)}, ensure_ascii=False), flush=True)
        elif step_began:
            self.say(f"[{event.number}/{_STEPS}] {event.message}")
        elif event.total_bytes:
            progress.show_bar(event.done_bytes, event.total_bytes, f"{event.message}, {event.total_bytes / 1e6:.0f} MB")
        else:
            progress.show(event.message)

    def fetched(self, done: int, total: int) -> None:
        self.event(InstallEvent(MODEL_STEP, _STEPS, _STEPS, "Downloading the model", done, total))

    def result(self, environment: Environment, model: str) -> None:
        if self._as_json:
            done = {"status": "ready", "environment": str(environment.folder), "model": model}
            print(json.dumps(done, ensure_ascii=False), flush=True)
        elif model:
            print("YourTTS is ready: its voices are in the Speak and Clone tabs, and /synthesize is served by it.")
        else:
            print("The environment is ready; YourTTS speaks once its model is found (install-yourtts fetches it).")


def _facts(event: InstallEvent) -> dict[str, object]:
    byte_counts = {"done_bytes": event.done_bytes, "total_bytes": event.total_bytes} if event.total_bytes else {}
    return {"step": event.step, "number": event.number, "of": _STEPS, "message": event.message, **byte_counts}
