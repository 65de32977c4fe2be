"""`serve-yourtts`: the YourTTS service alone, as clients on port 5004 know it."""

from __future__ import annotations

import argparse
import sys
from threading import Event
from typing import TYPE_CHECKING, Any

from tts_core.cli.serve.single_service import add_service_parser, kept_warm, run_service
from tts_core.cli.status import Exit
from tts_core.platform.settings.options import YOURTTS_OPTIONS
from tts_core.services import Services

if TYPE_CHECKING:
    from fastapi import FastAPI

PORT = 5004
TITLE = "YourTTS"


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    about = "serve /synthesize and /register_speaker alone: speech in a voice that is sent along"
    parser = add_service_parser(commands, shared, "serve-yourtts", about=about, port=PORT)
    for option in YOURTTS_OPTIONS:
        parser.add_argument(
            option.flag, dest=option.variable, metavar=option.metavar, default=argparse.SUPPRESS, help=option.help
        )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    _report_engine(services)
    with kept_warm(services, keep_warm):
        return run_service(args, services, TITLE, build)


def build(services: Services) -> FastAPI:
    """Make the service's application."""
    from tts_core.api.services import yourtts  # noqa: PLC0415 - the web framework: no other command waits for it
    from tts_core.api.services.single_service import create_single_service  # noqa: PLC0415

    return create_single_service(services, TITLE, (yourtts.router, yourtts.health_router))


def keep_warm(services: Services, until: Event) -> None:
    """Keep YourTTS's model in memory until the event is set: its clients wait ten seconds and no longer.

    Where Qwen3-TTS serves in its place, nothing is kept.
    """
    if services.speaker_service.engine() == "yourtts":
        services.yourtts.warm_up(until)


def _report_engine(services: Services) -> None:
    engine = services.speaker_service.engine()
    if engine == "yourtts":
        print(services.yourtts.search(), file=sys.stderr)
        return
    environment = services.yourtts.environment
    why = services.yourtts.search() if environment.is_installed else f"there is no environment in {environment.folder}"
    who = "Qwen3-TTS serves in its place" if engine else "nobody can speak yet"
    print(
        f"YourTTS is not installed ({why}); {who}. To install it: python -m tts_core install-yourtts", file=sys.stderr
    )
