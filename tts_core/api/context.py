"""What a route is given besides its request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Request

from tts_core.api.work import Workers
from tts_core.services import Services


def bind(app: FastAPI, services: Services, workers: Workers) -> None:
    """Let the routes of `app` work with these."""
    app.state.services = services
    app.state.workers = workers


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _workers(request: Request) -> Workers:
    workers: Workers = request.app.state.workers
    return workers


UseServices = Annotated[Services, Depends(_services)]
UseWorkers = Annotated[Workers, Depends(_workers)]
