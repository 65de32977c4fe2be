"""`serve-embedding`: the speaker embedding service alone, as clients on port 5003 know it."""

from __future__ import annotations

import argparse
from threading import Event
from typing import TYPE_CHECKING, Any

from tts_core.cli.serve.single_service import add_service_parser, kept_warm, run_service
from tts_core.cli.status import Exit
from tts_core.services import Services

if TYPE_CHECKING:
    from fastapi import FastAPI

PORT = 5003
TITLE = "Speaker embedding"


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    about = "serve /extract and /similarity alone: who speaks, as a vector"
    add_service_parser(commands, shared, "serve-embedding", about=about, port=PORT).set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    with kept_warm(services, keep_warm):
        return run_service(args, services, TITLE, build)


def keep_warm(services: Services, until: Event) -> None:
    """Keep the speaker encoder in memory until the event is set: its clients wait five seconds and no longer."""
    services.embedder.warm_up(until)


def build(services: Services) -> FastAPI:
    """Make the service's application."""
    from tts_core.api.services import embedding  # noqa: PLC0415 - the web framework: no other command waits for it
    from tts_core.api.services.single_service import create_single_service  # noqa: PLC0415

    return create_single_service(services, TITLE, (embedding.router, embedding.health_router))
