"""`doctor`: tries what the studio needs on this machine and says what to do where it is missing."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

from tts_core.access.accounts import AccountsFile
from tts_core.access.faults import AccountsUnusable
from tts_core.cli.status import Exit
from tts_core.domain.errors import StudioError
from tts_core.domain.events import AudioChunk, TakeReady
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.espeak.engine import NAME as BUILT_IN
from tts_core.platform.paths import REQUIREMENTS_FILE
from tts_core.platform.settings.compute import AUTO, THREADS_VARIABLE, WHOLE_NUMBERS
from tts_core.platform.settings.studio import FIRST_PORT
from tts_core.services import Services

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
ROOM_FOR_A_MODEL_BYTES = 6_000_000_000
"""The space to ask for: the largest published model takes 4.5 GB."""


class Outcome(str, Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


SYMBOLS = {Outcome.OK: "✓", Outcome.WARN: "!", Outcome.FAIL: "✗"}


@dataclass(frozen=True, slots=True)
class CheckResult:
    check: str
    outcome: Outcome
    message: str


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("doctor", parents=[shared], help="check this machine; status 1 if something fails")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    findings = []
    for finding in diagnose(services):
        findings.append(finding)
        if not args.json:
            print(f"{SYMBOLS[finding.outcome]} {finding.outcome.value:<4} {finding.check}: {finding.message}")
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    return Exit.NO if any(finding.outcome is Outcome.FAIL for finding in findings) else Exit.DONE


def diagnose(services: Services) -> Iterator[CheckResult]:
    """Every check's finding, as soon as it is known."""
    for check in CHECKS:
        outcome, message = check(services)
        yield CheckResult(check.__name__.removeprefix("_check_"), outcome, message)


Answer = tuple[Outcome, str]


def _check_python(_services: Services) -> Answer:
    running = sys.version_info[:2]
    version = ".".join(map(str, sys.version_info[:3]))
    if running < OLDEST_PYTHON:
        return Outcome.FAIL, f"{version} is too old. Install Python 3.10 to 3.13."
    if running > NEWEST_PYTHON:
        return Outcome.WARN, f"{version} is newer than those tested (3.10 to 3.13)."
    return Outcome.OK, version


def _check_packages(_services: Services) -> Answer:
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS_FILE.read_text(encoding="utf-8").splitlines())
    wanted = [Requirement(line) for line in lines if line]
    missing, untested = [], []
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            missing.append(requirement.name)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            untested.append(f"{requirement.name} {version} (tested: {requirement.specifier})")
    if missing:
        return Outcome.FAIL, f"not installed: {', '.join(missing)}. Run pip install -r requirements.txt."
    if untested:
        return Outcome.WARN, f"{'; '.join(untested)}. Run pip install -r requirements.txt."
    return Outcome.OK, f"{len(wanted)} packages in their tested ranges"


def _check_built_in_voice(services: Services) -> Answer:
    voice = next((voice for voice in services.synthesis.voices() if voice.engine == BUILT_IN), None)
    if voice is None:
        return Outcome.FAIL, "there is none. Run pip install -r requirements.txt."
    loudest = 0.0
    try:
        for event in services.synthesis.speak(SynthesisRequest(text="The studio speaks.", voice=voice.id)):
            if isinstance(event, AudioChunk):
                loudest = max(loudest, float(abs(event.samples).max(initial=0.0)))
            elif isinstance(event, TakeReady):
                event.take.path.unlink()
                spoken = f"{voice.name} spoke {event.take.duration_s:.1f} s, {event.take.rtf:.0f} times real time"
    except StudioError as error:
        return Outcome.FAIL, error.message
    return (Outcome.OK, spoken) if loudest > 0.01 else (Outcome.FAIL, f"{voice.name} made only silence")


def _check_data_folder(services: Services) -> Answer:
    folder = services.settings.paths.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Outcome.OK, str(folder)
    except OSError as error:
        return Outcome.FAIL, f"{folder} can't be written: {error.strerror}. Choose another with --data-dir."


def _check_preferences(services: Services) -> Answer:
    problem = services.settings.preferences_problem
    return (Outcome.WARN, f"{problem} What can't be used is left out.") if problem else (Outcome.OK, "usable")


def _check_network(services: Services) -> Answer:
    settings = services.settings
    if settings.source_problems:
        reasons = " ".join(map(str, (*settings.source_problems, *settings.network.problems)))
        return Outcome.WARN, f"{reasons} Downloads stop until the source is set right; everything else works."
    if settings.network.problems:
        return Outcome.WARN, " ".join(settings.network.problems)
    rewritten = ", ".join(settings.network.changes)
    return Outcome.OK, f"{rewritten} understood in other words" if rewritten else "proxies and certificates usable"


def _check_accounts(services: Services) -> Answer:
    try:
        accounts = AccountsFile(services.settings.paths.accounts_file).read()
    except AccountsUnusable as error:
        return Outcome.FAIL, error.message
    return Outcome.OK, f"{len(accounts.users)} users and {len(accounts.keys)} keys"


def _check_models_folder(services: Services) -> Answer:
    target = services.store.unfinished_move()
    if target is not None:
        return Outcome.WARN, f"its move to {target} has not finished. Run python -m tts_core models move {target}"
    return Outcome.OK, str(services.settings.paths.models_dir)


def _check_disk(services: Services) -> Answer:
    free = services.system.memory().disk_free
    message = f"{free / 1e9:.1f} GB free at {services.settings.paths.models_dir}"
    if free < ROOM_FOR_A_MODEL_BYTES:
        return Outcome.WARN, f"{message}; a large model needs {ROOM_FOR_A_MODEL_BYTES / 1e9:.0f} GB."
    return Outcome.OK, message


def _check_memory(services: Services) -> Answer:
    memory = services.system.memory()
    return Outcome.OK, f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB available"


def _check_port(services: Services) -> Answer:
    port = services.settings.port or FIRST_PORT
    try:
        socket.create_server((services.settings.host, port)).close()
    except OSError:
        return Outcome.WARN, f"{port} is taken, perhaps by a running studio. Choose another with --port."
    return Outcome.OK, f"{port} is free"


def _check_device(services: Services) -> Answer:
    device = services.system.acceleration()
    message = " ".join(reason.message for reason in device.reasons)
    if device.torch_version is None:
        return Outcome.FAIL, message
    expected = device.supported or all(reason.code != "gpu_unusable" for reason in device.reasons)
    return (Outcome.OK if expected else Outcome.WARN), f"{device.preferred_device}. {message}"


def _check_threads(services: Services) -> Answer:
    settings, best = services.settings, services.system.acceleration().processor.threads
    threads = f"{settings.threads} compute, as {THREADS_VARIABLE} says" if settings.threads else f"{best} compute"
    waiting = f"{threads}; OMP_WAIT_POLICY is {settings.wait_policy or 'not set'}"
    if settings.threads and settings.threads > best:
        return Outcome.WARN, f"{waiting}. More than {best} wait for each other here."
    if settings.wait_policy.upper() != "PASSIVE":
        return Outcome.WARN, f"{waiting}. Threads that wait keep cores busy: set it to PASSIVE, or unset it."
    return Outcome.OK, waiting


def _check_precision(services: Services) -> Answer:
    found, chosen = services.system.acceleration(), services.settings.precision_now()
    if services.settings.device not in (AUTO, "cpu") or found.supported or found.torch_version is None:
        return Outcome.OK, f"{chosen}, on a graphics processor" if found.supported else chosen
    processor = found.processor
    if chosen in WHOLE_NUMBERS and chosen not in processor.whole_numbers:
        able = ", ".join(("float32", *processor.whole_numbers))
        reason = processor.compiler_problem or "this processor is too old for it"
        return Outcome.FAIL, f"{chosen} can't be used ({reason}), and nothing else is taken in its place. Use {able}."
    if chosen == "int4":
        return Outcome.WARN, "int4: the fastest, but voices may sound worse than with int8."
    if processor.compiler_problem:
        return Outcome.WARN, f"{chosen}; int8 and int4 can't be used: {processor.compiler_problem}"
    if chosen in (AUTO, "float32"):
        return Outcome.OK, "float32: exact. --precision int8, or one click in the System tab, is three times as fast."
    return Outcome.OK, f"{chosen}, sound in {'bfloat16' if processor.fast_bfloat16 else 'float32'}"


CHECKS: tuple[Callable[[Services], Answer], ...] = (
    _check_python,
    _check_packages,
    _check_built_in_voice,
    _check_data_folder,
    _check_preferences,
    _check_network,
    _check_accounts,
    _check_models_folder,
    _check_disk,
    _check_memory,
    _check_port,
    _check_device,
    _check_threads,
    _check_precision,
)
