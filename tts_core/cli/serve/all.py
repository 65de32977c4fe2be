"""`serve-all`: the studio and its services as processes of one command, with one log and a status page."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tts_core.cli.serve.single_service import port_number
from tts_core.cli.status import Exit
from tts_core.domain.errors import InvalidSetting, NothingSupervised, ServicePortTaken, UnknownService
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.settings.options import SERVER_OPTIONS, add_login_options, options_parser, with_options
from tts_core.platform.settings.studio import AUTH_VARIABLE, DEFAULT_HOST, WILDCARD_HOSTS, Settings
from tts_core.platform.supervision.health import is_free, says_json
from tts_core.platform.supervision.service import ServicePlan
from tts_core.platform.supervision.supervisor import Supervisor
from tts_core.services import Services

STATUS_PORT = 7859
LOOK_S = 1.0
"""For a program that has the port, to say what it is."""
MODULE = (sys.executable, "-m", "tts_core")


@dataclass(frozen=True, slots=True)
class Known:
    """A service that can be supervised."""

    name: str
    port: int
    command: tuple[str, ...]
    takes_gpu: bool = True

    @property
    def flag(self) -> str:
        return f"--{self.name}-port"


KNOWN = (
    Known("studio", 7860, (sys.executable, "app.py"), takes_gpu=False),
    Known("yourtts", 5004, (*MODULE, "serve-yourtts")),
    Known("embedding", 5003, (*MODULE, "serve-embedding")),
)


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    server = options_parser(*(option for option in SERVER_OPTIONS if option.flag != "--port"))
    about = "serve the studio, YourTTS and speaker embeddings together, and keep them running"
    parser: argparse.ArgumentParser = commands.add_parser("serve-all", parents=[shared, server], help=about)
    names = ", ".join(known.name for known in KNOWN)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"among {names}; default: all of them")
    for known in KNOWN:
        parser.add_argument(known.flag, type=port_number, default=known.port, metavar="N", help=f"default {known.port}")
    parser.add_argument(
        "--status-port", type=port_number, default=STATUS_PORT, metavar="N", help=f"default {STATUS_PORT}"
    )
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="serve this host name too")
    add_login_options(parser)
    parser.add_argument("--gpu", action="store_true", help="YourTTS and embeddings on the graphics card where it can")
    parser.add_argument("--status", action="store_true", help="say how the running services are doing, and end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, services: Services) -> Exit:
    if args.status:
        return _tell_status(f"http://{DEFAULT_HOST}:{args.status_port}/")
    settings = replace(services.settings, auth=getattr(args, AUTH_VARIABLE, services.settings.auth))
    if settings.certificate is not None:
        settings.certificate.check()
    chosen = _chosen(args.services)
    _check_ports_differ([args.status_port, *(_port(known, args) for known in chosen)])
    if any(known.name == "studio" for known in chosen):
        services.check_somebody_can_come(settings)
    environ = _environ(args, settings)
    plans = [_plan(known, args, settings, environ) for known in chosen]
    for known in chosen:
        _check_port(known, _port(known, args), settings)
    log = _Log(plan.name for plan in plans)
    supervisor = Supervisor(plans, ROOT_DIR, log.tell)
    status = replace(settings, host=DEFAULT_HOST, port=args.status_port, certificate=None, auth="off")
    _serve(services, status, supervisor)
    return Exit.DONE


def _serve(services: Services, settings: Settings, supervisor: Supervisor) -> None:
    """Until a signal ends it."""
    from tts_core.api.services.single_service import SingleService, serve_single_service  # noqa: PLC0415 - the web framework, for this command
    from tts_core.api.services.status import status_router  # noqa: PLC0415
    from tts_core.api.serving import end_on_signals  # noqa: PLC0415
    from tts_core.ui.system.services_page import services_page  # noqa: PLC0415

    end_on_signals(rest_s=None)  # its services are ended first, each with its own patience
    router = status_router(supervisor.statuses, services_page)
    try:
        supervisor.start()
        serve_single_service(services, settings, SingleService("Status of the services", (router,)))
    finally:
        supervisor.stop()


def _chosen(names: Sequence[str]) -> list[Known]:
    by_name = {known.name: known for known in KNOWN}
    for name in names:
        if name not in by_name:
            raise UnknownService(name=name, known=", ".join(by_name))
    return [known for known in KNOWN if known.name in names or not names]


def _port(known: Known, args: argparse.Namespace) -> int:
    return int(getattr(args, f"{known.name}_port"))


def _environ(args: argparse.Namespace, settings: Settings) -> dict[str, str]:
    """Every option as its variable, so that all services have the same."""
    hosts = ",".join([*settings.allowed_hosts, *args.allow_host])
    given = with_options(os.environ, args)
    return {name: value for name, value in given.items() if name != "TTS_STUDIO_PORT"} | {
        "TTS_STUDIO_ALLOWED_HOSTS": hosts,
        AUTH_VARIABLE: settings.auth,
    }


def _plan(known: Known, args: argparse.Namespace, settings: Settings, environ: Mapping[str, str]) -> ServicePlan:
    gpu = ("--gpu",) if args.gpu and known.takes_gpu else ()
    port = _port(known, args)
    return ServicePlan(known.name, (*known.command, "--port", str(port), *gpu), _url(settings, port), environ)


def _url(settings: Settings, port: int) -> str:
    host = DEFAULT_HOST if settings.host in WILDCARD_HOSTS else settings.host
    return f"{'https' if settings.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"


def _check_ports_differ(ports: Sequence[int]) -> None:
    for port in ports:
        if ports.count(port) > 1:
            raise InvalidSetting(name="--…-port", value=port, expected="another port for each service")


def _check_port(known: Known, port: int, settings: Settings) -> None:
    if is_free(settings.host, port):
        return
    told = says_json(f"{_url(settings, port)}health", LOOK_S)
    holder = "a service like it that runs already" if isinstance(told, dict) and "status" in told else "another program"
    finder = f"netstat -ano | findstr :{port}" if os.name == "nt" else f"ss -ltnp 'sport = :{port}'"
    raise ServicePortTaken(port=port, service=known.name, holder=holder, flag=known.flag, finder=finder)


def _tell_status(url: str) -> Exit:
    told = says_json(f"{url}status", LOOK_S * 10)
    if not isinstance(told, dict) or "services" not in told:
        raise NothingSupervised(url=url)
    for one in told["services"]:
        restarts = f"   started again {one['restarts']} times: {one['reason']}" if one["restarts"] else ""
        print(f"{one['name']:<10} {one['state']:<10} {one['url']}{restarts}")
    return Exit.DONE if told["healthy"] else Exit.NO


class _Log:
    """Lines of all services on stdout, each with its service's name before it."""

    def __init__(self, names: Iterable[str]) -> None:
        self._width = max(map(len, names))
        self._lock = threading.Lock()

    def tell(self, name: str, line: str) -> None:
        with self._lock:
            print(f"{name:<{self._width}} | {line}", flush=True)
