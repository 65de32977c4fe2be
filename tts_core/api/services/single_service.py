"""A single service of the studio as a server of its own: its routes and nothing else, behind the same guard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI

import tts_core
from tts_core.api import context
from tts_core.api.docs import add_docs
from tts_core.api.errors import add_handlers
from tts_core.api.protection.authentication import Authentication
from tts_core.api.protection.path_mask import PathMask
from tts_core.api.protection.private_network import PrivateNetwork
from tts_core.api.protection.request_guard import RequestGuard
from tts_core.api.serving import bind, build_server, url_of
from tts_core.api.streams import Streams
from tts_core.api.work import Workers
from tts_core.platform.settings.studio import Settings, is_loopback
from tts_core.services import Services


@dataclass(frozen=True, slots=True)
class SingleService:
    title: str
    """The service's name for people."""
    routers: Sequence[APIRouter]
    """The service's routes, /health among them."""


def create_single_service(services: Services, settings: Settings, service: SingleService) -> FastAPI:
    """The app with the service's routes, their documentation at /docs, and the guard with these settings."""
    app = FastAPI(title=service.title, version=tts_core.__version__, docs_url=None, redoc_url=None)
    context.bind(app, services, Workers(), Streams())
    if settings.needs_login and services.login.has_accounts():
        app.add_middleware(Authentication, login=services.login, mask=PathMask({}), link=services.link)
    elif settings.needs_login:
        app.add_middleware(PrivateNetwork)
    app.add_middleware(RequestGuard, settings=settings)
    add_handlers(app)
    add_docs(app)
    for router in service.routers:
        app.include_router(router)
    return app


def serve_single_service(services: Services, settings: Settings, service: SingleService) -> None:
    """Serve until a signal ends it. Raises InvalidSetting for a port that is taken or a certificate of no use."""
    if settings.certificate is not None:
        settings.certificate.check()
    listener = bind(settings)
    app = create_single_service(services, settings, service)
    print(f"{service.title} is on {url_of(listener, settings.certificate)}   (Ctrl+C ends it)", flush=True)  # noqa: T201
    if settings.needs_login and not services.login.has_accounts():
        print("Nobody has to log in, so it answers this machine and its private network only.", file=sys.stderr)  # noqa: T201
    elif not settings.needs_login and not is_loopback(settings.host):
        print("It listens beyond this machine and asks for no password.", file=sys.stderr)  # noqa: T201
    build_server(app, settings.certificate).run(sockets=[listener])
