"""The status of the services of `serve-all`: for programs as JSON, for people as a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse

from tts_core.platform.supervision.service import ServiceState, ServiceStatus

Statuses = Callable[[], Sequence[ServiceStatus]]
StatusPage = Callable[[Headers, Sequence[ServiceStatus]], str]
"""A function that makes the page as HTML for a browser with these headers."""


class OneService(BaseModel):
    name: str
    url: str
    state: ServiceState
    pid: int | None
    since: float
    restarts: int
    reason: str


class AllServices(BaseModel):
    healthy: bool
    services: list[OneService]


def status_router(statuses: Statuses, page: StatusPage) -> APIRouter:
    router = APIRouter(tags=["services"])

    @router.get("/health")
    def health() -> dict[str, str]:
        """Whether this page's own server answers; see `/status` for the services."""
        return {"status": "ok"}

    @router.get("/status")
    def status() -> AllServices:
        """Every service: its state, process, address, and how often it was started again."""
        found = [
            OneService(
                name=one.name,
                url=one.url,
                state=one.state,
                pid=one.pid,
                since=one.since,
                restarts=one.restarts,
                reason=one.reason,
            )
            for one in statuses()
        ]
        return AllServices(healthy=all(one.state is ServiceState.HEALTHY for one in found), services=found)

    @router.get("/", include_in_schema=False)
    def show(request: Request) -> HTMLResponse:
        return HTMLResponse(page(request.headers, statuses()), headers={"Cache-Control": "no-store"})

    return router
