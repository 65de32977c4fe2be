"""The services and limits that a route is given besides its request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection

from tts_core.access.visitor import Visitor, visitor_in
from tts_core.api.streams import Streams
from tts_core.api.work import Workers
from tts_core.services import Services


def bind(app: FastAPI, services: Services, workers: Workers, streams: Streams) -> None:
    """Give these services and limits to the routes of `app`."""
    app.state.services = services
    app.state.workers = workers
    app.state.streams = streams


def _services(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


def _workers(connection: HTTPConnection) -> Workers:
    workers: Workers = connection.app.state.workers
    return workers


def _streams(connection: HTTPConnection) -> Streams:
    streams: Streams = connection.app.state.streams
    return streams


def _visitor(connection: HTTPConnection) -> Visitor:
    return visitor_in(connection.scope)


UseServices = Annotated[Services, Depends(_services)]
UseWorkers = Annotated[Workers, Depends(_workers)]
UseStreams = Annotated[Streams, Depends(_streams)]
UseVisitor = Annotated[Visitor, Depends(_visitor)]
