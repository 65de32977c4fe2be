"""`serve-all`: the studio, YourTTS and speaker embeddings in one process, each on a port of its own."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tts_core.cli.faults import NothingServed, ServicePortTaken, UnknownService
from tts_core.cli.serve import embedding, yourtts
from tts_core.cli.serve.single_service import KeepWarm, kept_warm, port_number
from tts_core.cli.status import Exit
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.compute import AUTO
from tts_core.platform.settings.options import (
    SERVER_OPTIONS,
    add_admission_options,
    add_login_options,
    options_parser,
    with_admitted,
)
from tts_core.platform.settings.studio import DEFAULT_HOST, FIRST_PORT, WILDCARD_HOSTS, Settings
from tts_core.services import Services

if TYPE_CHECKING:
    from fastapi import FastAPI

LOOK_S = 2.0
"""How long a program that listens on a port may take to say what it is."""
MAX_ANSWER_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Known:
    """A service that can be served."""

    name: str
    port: int
    build: Callable[[Services], FastAPI]
    """Makes its application; loads the web framework, so it is called only by this command."""
    keep_warm: KeepWarm | None = None

    @property
    def flag(self) -> str:
        return f"--{self.name}-port"


def _studio(services: Services) -> FastAPI:
    from tts_core.cli.serve.studio import build_app  # noqa: PLC0415 - the web framework: no other command waits for it

    return build_app(services)


KNOWN = (
    Known("studio", FIRST_PORT, _studio),
    Known("yourtts", yourtts.PORT, yourtts.build, yourtts.keep_warm),
    Known("embedding", embedding.PORT, embedding.build, embedding.keep_warm),
)


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    server = options_parser(*(option for option in SERVER_OPTIONS if option.flag != "--port"))
    about = "serve the studio, YourTTS and speaker embeddings together"
    parser: argparse.ArgumentParser = commands.add_parser("serve-all", parents=[shared, server], help=about)
    names = ", ".join(known.name for known in KNOWN)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"among {names}; default: all of them")
    for known in KNOWN:
        parser.add_argument(known.flag, type=port_number, default=known.port, metavar="N", help=f"default {known.port}")
    add_admission_options(parser)
    add_login_options(parser)
    parser.add_argument(
        "--gpu",
        dest="TTS_STUDIO_DEVICE",
        action="store_const",
        const=AUTO,
        default=argparse.SUPPRESS,
        help="compute on the graphics card where there is one that can",
    )
    parser.add_argument("--status", action="store_true", help="say how the running services are doing, and end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    services = replace(services, settings=with_admitted(services.settings, args))
    settings, chosen = services.settings, _chosen(args.services)
    ports = {known.name: int(getattr(args, f"{known.name}_port")) for known in chosen}
    if args.status:
        return _print_status({name: _url(settings, port) for name, port in ports.items()})
    if settings.certificate is not None:
        settings.certificate.check()
    _check_ports_differ(list(ports.values()))
    if "studio" in ports:
        services.check_accounts(settings)
    _serve(services, chosen, ports)
    return Exit.DONE


def _serve(services: Services, chosen: Sequence[Known], ports: Mapping[str, int]) -> None:
    """Serve all of them until a signal ends it. Raises ServicePortTaken before anything is served."""
    from tts_core.api.serving import build_server, end_on_signals  # noqa: PLC0415 - the web framework
    from tts_core.cli.serve.studio import report_start  # noqa: PLC0415

    settings = services.settings
    listeners = [_listen(known, ports[known.name], settings) for known in chosen]
    first, *others = [known.build(services) for known in chosen]
    for known, listener in zip(chosen, listeners, strict=True):
        report_start(known.name, listener, settings)
    by_port = {ports[known.name]: app for known, app in zip(chosen[1:], others, strict=True)}
    server = build_server(first, settings.certificate, others=by_port)
    end_on_signals()
    services.start()
    with kept_warm(services, *(known.keep_warm for known in chosen if known.keep_warm)):
        server.run(sockets=listeners)


def _chosen(names: Sequence[str]) -> list[Known]:
    by_name = {known.name: known for known in KNOWN}
    for name in names:
        if name not in by_name:
            raise UnknownService(name=name, known=", ".join(by_name))
    return [known for known in KNOWN if known.name in names or not names]


def _url(settings: Settings, port: int) -> str:
    host = DEFAULT_HOST if settings.host in WILDCARD_HOSTS else settings.host
    return f"{'https' if settings.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"


def _check_ports_differ(ports: Sequence[int]) -> None:
    for port in ports:
        if ports.count(port) > 1:
            raise InvalidSetting(name="--…-port", value=port, expected="another port for each service")


def _listen(known: Known, port: int, settings: Settings) -> socket.socket:
    from tts_core.api.serving import listen  # noqa: PLC0415 - the web framework

    try:
        return listen(settings.host, port)
    except OSError as error:
        is_ours = _health(_url(settings, port)) is not None
        holder = "a service like it that runs already" if is_ours else "another program"
        finder = f"netstat -ano | findstr :{port}" if os.name == "nt" else f"ss -ltnp 'sport = :{port}'"
        raise ServicePortTaken(port=port, service=known.name, holder=holder, flag=known.flag, finder=finder) from error


def _print_status(urls: Mapping[str, str]) -> Exit:
    found = {name: _health(url) is not None for name, url in urls.items()}
    if not any(found.values()):
        raise NothingServed(url=", ".join(urls.values()))
    for name, url in urls.items():
        print(f"{name:<10} {'healthy' if found[name] else 'silent':<10} {url}")
    return Exit.DONE if all(found.values()) else Exit.NO


def _health(url: str) -> dict[str, Any] | None:
    """Ask a service of ours for its /health; None where nothing of the kind answers.

    Never through a proxy, and whatever its certificate says: it is this machine.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or DEFAULT_HOST, parts.port
    connection = http.client.HTTPConnection(host, port, timeout=LOOK_S)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=LOOK_S, context=context)
    try:
        connection.request("GET", "/health", headers={"Accept": "application/json"})
        answer = json.loads(connection.getresponse().read(MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) and "status" in answer else None
