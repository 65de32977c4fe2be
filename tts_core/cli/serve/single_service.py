"""The options and the start that commands share which serve one service alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from tts_core.cli.status import Exit
from tts_core.platform.settings.compute import AUTO
from tts_core.platform.settings.environ import MAX_PORT
from tts_core.platform.settings.options import (
    SERVER_OPTIONS,
    add_admission_options,
    options_parser,
    with_admitted,
)
from tts_core.platform.settings.studio import AUTH_VARIABLE, DEFAULT_KEEP_ALIVE_S
from tts_core.services import Services

if TYPE_CHECKING:
    from fastapi import FastAPI


KeepWarm = Callable[[Services, Event], None]
"""Keeps a service's model in memory until the event is set."""


def add_service_parser(
    commands: Any, shared: argparse.ArgumentParser, name: str, *, about: str, port: int
) -> argparse.ArgumentParser:
    """A command with the options of every server; the port is its own, so that several run side by side."""
    server = options_parser(*(option for option in SERVER_OPTIONS if option.flag != "--port"))
    parser: argparse.ArgumentParser = commands.add_parser(name, parents=[shared, server], help=about)
    parser.add_argument("--port", type=port_number, default=port, metavar="N", help=f"default {port}")
    add_admission_options(parser)
    parser.add_argument(
        "--no-auth",
        dest=AUTH_VARIABLE,
        action="store_const",
        const="off",
        default=argparse.SUPPRESS,
        help="answer everybody, wherever it listens; else it asks for a key, or answers the private network only",
    )
    parser.add_argument(
        "--gpu",
        dest="TTS_STUDIO_DEVICE",
        action="store_const",
        const=AUTO,
        default=argparse.SUPPRESS,
        help="compute on the graphics card where there is one that can",
    )
    return parser


@contextmanager
def kept_warm(services: Services, *keepers: KeepWarm) -> Iterator[None]:
    """Keep models in memory for as long as the context lasts: what these services' clients wait for is seconds.

    Where --keep-alive says otherwise, nothing is kept.
    """
    is_over = Event()
    for keeper in keepers if services.settings.keep_alive_s == DEFAULT_KEEP_ALIVE_S else ():
        Thread(target=keeper, args=(services, is_over), name="warm-up", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def run_service(args: argparse.Namespace, services: Services, title: str, build: Callable[[Services], FastAPI]) -> Exit:
    """Serve one application on the command's port until a signal ends it. Raises InvalidSetting."""
    from tts_core.api.serving import bind, build_server, end_on_signals  # noqa: PLC0415 - the web framework
    from tts_core.cli.serve.studio import report_start  # noqa: PLC0415

    settings = replace(with_admitted(services.settings, args), port=args.port)
    if settings.certificate is not None:
        settings.certificate.check()
    listener = bind(settings)
    app = build(replace(services, settings=settings))
    report_start(title, listener, settings)
    if settings.needs_login and not services.login.has_accounts():
        print("Nobody has to log in, so it answers this machine and its private network only.", file=sys.stderr)
    end_on_signals()
    build_server(app, settings.certificate).run(sockets=[listener])
    return Exit.DONE


def port_number(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"a port number from 1 to {MAX_PORT}, not {value!r}")
    return int(value)
