"""A service of the studio as an application of its own: its routes and nothing else, with the same protection."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

import tts_core
from tts_core.api import context
from tts_core.api.docs import add_docs
from tts_core.api.errors import add_handlers
from tts_core.api.protection.authentication import Authentication
from tts_core.api.protection.path_mask import PathMask
from tts_core.api.protection.private_network import PrivateNetwork
from tts_core.api.protection.request_guard import RequestGuard
from tts_core.api.streams import Streams
from tts_core.api.work import Workers
from tts_core.services import Services


def create_single_service(services: Services, title: str, routers: Sequence[APIRouter]) -> FastAPI:
    """The service's routes, its documentation at /docs, and the same protection as the studio's.

    `title` is what people call the service; one of the routers answers /health.
    """
    settings = services.settings
    app = FastAPI(title=title, version=tts_core.__version__, docs_url=None, redoc_url=None)
    context.bind(app, services, Workers(), Streams())
    if settings.needs_login and services.login.has_accounts():
        app.add_middleware(Authentication, login=services.login, mask=PathMask({}), link=services.link)
    elif settings.needs_login:
        app.add_middleware(PrivateNetwork)
    app.add_middleware(RequestGuard, settings=settings)
    add_handlers(app)
    add_docs(app)
    for router in routers:
        app.include_router(router)
    return app
