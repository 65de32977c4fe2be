"""`serve-wyoming`: speech out and in for Home Assistant, and for whatever else speaks its protocol."""

from __future__ import annotations

import argparse
import socket
import sys
from dataclasses import replace
from typing import Any

from tts_core.cli.serve.single_service import add_service_parser
from tts_core.cli.status import Exit
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.studio import Settings, is_loopback
from tts_core.services import Services

PORT = 10_300
TITLE = "Wyoming"


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    about = "serve speech and transcripts alone, by the protocol of Home Assistant's voice services"
    parser = add_service_parser(commands, shared, "serve-wyoming", about=about, port=PORT)
    parser.add_argument("--zeroconf", action="store_true", help="let Home Assistant find it on the local network")
    parser.add_argument("--name", default="tts-studio", metavar="N", help="its name there (default tts-studio)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    from tts_core.api.serving import bind, end_on_signals  # noqa: PLC0415 - the web framework: no other command waits
    from tts_core.api.wyoming.server import serve_wyoming  # noqa: PLC0415

    settings = replace(services.settings, port=args.port)
    check_may_listen(settings, services, announces=args.zeroconf)
    listener = bind(settings)
    end_on_signals()
    serve_wyoming(
        services,
        listener,
        private_only=settings.needs_login,
        name=args.name if args.zeroconf else None,
        ready=lambda: _report(listener, settings),
    )
    return Exit.DONE


def check_may_listen(settings: Settings, services: Services, *, announces: bool) -> None:
    """Wyoming knows neither keys nor encryption, so it must not open what accounts keep closed. Raises
    InvalidSetting."""
    if settings.certificate is not None:
        raise InvalidSetting(name="--ssl-certfile", value="", expected="none: Wyoming is not encrypted")
    if settings.auth == "on" or (settings.needs_login and services.login.has_accounts()):
        expected = "this machine's address, or --no-auth: Wyoming asks for no key, though people here have to log in"
        raise InvalidSetting(name="--host", value=settings.host, expected=expected)
    if announces and is_loopback(settings.host):
        raise InvalidSetting(name="--zeroconf", value=settings.host, expected="--host with an address for others")


def _report(listener: socket.socket, settings: Settings) -> None:
    host, port = listener.getsockname()[:2]
    print(f"{TITLE} is on tcp://{f'[{host}]' if ':' in host else host}:{port}   (Ctrl+C ends it)", flush=True)
    if settings.needs_login:
        print("Wyoming asks for no key, so it answers this machine and its private network only.", file=sys.stderr)
    elif not is_loopback(settings.host):
        print("It listens beyond this machine and asks for no password.", file=sys.stderr)
