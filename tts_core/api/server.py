"""Assembles the REST application. The page is mounted on it later; whatever is mounted stands behind the same guard."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.routing import Match

import tts_core
from tts_core.api import context
from tts_core.api.compression import Compression
from tts_core.api.docs import add_docs
from tts_core.api.errors import add_handlers, failure_response
from tts_core.api.faults import MethodNotAllowed
from tts_core.api.mcp.endpoint import add_mcp
from tts_core.api.openai import (
    models as openai_models,
    speech as openai_speech,
    transcriptions as openai_transcriptions,
    voices as openai_voices,
)
from tts_core.api.protection.authentication import Authentication
from tts_core.api.protection.path_mask import PathMask
from tts_core.api.protection.request_guard import RequestGuard
from tts_core.api.services import embedding, yourtts
from tts_core.api.streams import Streams
from tts_core.api.studio import (
    downloads,
    editor,
    events,
    jobs,
    models,
    speech,
    store,
    system,
    texts,
    transcriptions,
    voice_files,
    voices,
)
from tts_core.api.studio.projects import importing, library, making, segments, takes
from tts_core.api.work import Workers
from tts_core.domain.errors import NotFound
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services

DESCRIPTION = """Speech made on your own machine.

Every answer of `/api/tts/qwen3` is `{"success": true, "data": …, "message": …}` or a file; every failure has the
fitting status and is `{"success": false, "detail": "<stable code>", "message": …}`.
"""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def create_api(services: Services, streams: Streams | None = None) -> FastAPI:
    """The routes, their documentation at /docs, and the guard; `streams` limits what stays open."""
    app = FastAPI(
        title="TTS Studio", version=tts_core.__version__, description=DESCRIPTION, docs_url=None, redoc_url=None
    )
    context.bind(app, services, Workers(), streams or Streams())
    app.add_middleware(Authentication, login=services.login, mask=_path_mask(services.settings), link=services.link)
    app.add_middleware(Compression)
    app.add_middleware(RequestGuard, settings=services.settings, link=services.link)
    add_handlers(app)
    add_docs(app)
    manager, studio = (
        (system, models, store, downloads),
        (voice_files, voices, transcriptions, jobs, events, speech, texts, editor),
    )
    projects = (importing, library, segments, takes, making)
    for part in (*manager, *studio, *projects, embedding):
        app.include_router(part.router)
    app.include_router(yourtts.router)
    for part in (openai_models, openai_voices, openai_speech, openai_transcriptions):
        app.include_router(part.router)
    add_mcp(app, services, app.state.workers)
    _answer_the_rest(app)
    return app


def _path_mask(settings: Settings) -> PathMask:
    paths = settings.paths
    return PathMask(
        {
            "/studio-outputs": paths.outputs_dir,
            "/studio-data": paths.data_dir,
            "/studio-models": paths.models_dir,
            "/studio-app": ROOT_DIR,
            "/studio-home": Path.home(),
        }
    )


def _answer_the_rest(app: FastAPI) -> None:
    """Answer addresses and methods that REST does not know, which would otherwise be taken for the page's."""
    known = tuple(app.routes)

    @app.api_route("/synthesize", methods=list(METHODS), include_in_schema=False)
    @app.api_route("/register_speaker", methods=list(METHODS), include_in_schema=False)
    @app.api_route("/extract", methods=list(METHODS), include_in_schema=False)
    @app.api_route("/similarity", methods=list(METHODS), include_in_schema=False)
    @app.api_route("/similarity/files", methods=list(METHODS), include_in_schema=False)
    @app.api_route("/health", methods=list(METHODS), include_in_schema=False)
    @app.api_route("/v1", methods=list(METHODS), include_in_schema=False)
    @app.api_route("/v1/{rest:path}", methods=list(METHODS), include_in_schema=False)
    @app.api_route("/api/{rest:path}", methods=list(METHODS), include_in_schema=False)
    def unknown(request: Request) -> Response:
        scopes = {method: {**request.scope, "method": method} for method in METHODS}
        allowed = [
            method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in known)
        ]
        if not allowed:
            raise NotFound
        return failure_response(MethodNotAllowed(method=request.method), {"Allow": ", ".join(allowed)})
