"""Logging in and out: a form that works without scripts, and the same address for Gradio's client."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI, Request
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tts_core.access.faults import TooManyAttempts, WrongPassword
from tts_core.access.login import LoginService
from tts_core.access.sessions import SESSION_S
from tts_core.api.errors import failure_response
from tts_core.api.protection.authentication import COOKIE, session_tokens
from tts_core.domain.errors import StudioError

LoginPage = Callable[[Headers, str, StudioError | None, str], str]
"""A function that makes the log-in page as HTML: for a browser with these headers, the page wanted after it, the
failure to show, and the name that was typed."""
TARGETS = MappingProxyType({"": "./", "zh": "./zh/", "docs": "./docs"})
"""The addresses that a log-in may lead to, seen from /login, by the form's value."""
CHECKED_AT_ONCE = 2
"""Passwords that are checked at once: each check takes a core and 64 MB for a moment."""


def add_login(app: FastAPI, login: LoginService, page: LoginPage) -> None:
    """Add the routes /login and /logout."""
    router = APIRouter(include_in_schema=False)
    limiter = CapacityLimiter(CHECKED_AT_ONCE)

    @router.api_route("/login", methods=["GET", "HEAD"])
    def form(request: Request, to: str = "") -> Response:
        return _page(page(request.headers, _target(to), None, ""), 200)

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=8) as fields:
            name, password, to = (str(fields.get(key, "")) for key in ("username", "password", "to"))
        address = request.client.host if request.client else ""
        try:
            token = await run_sync(login.log_in, name, password, address, limiter=limiter)
        except (WrongPassword, TooManyAttempts) as error:
            refusal = failure_response(error)
            if _is_browser(request):
                html = page(request.headers, _target(to), error, name)
                return _page(html, refusal.status_code, dict(refusal.headers))
            return refusal
        if _is_browser(request):
            answer: Response = RedirectResponse(TARGETS[_target(to)], 303)
        else:
            answer = JSONResponse({"success": True})
        answer.set_cookie(
            COOKIE,
            token,
            int(SESSION_S),
            path=_path(request),
            secure=_is_secure(request),
            httponly=True,
            samesite="lax",
        )
        return answer

    @router.post("/logout")
    def log_out(request: Request) -> Response:
        for token in session_tokens(request.headers):
            login.log_out(token)
        answer: Response = JSONResponse({"success": True})
        if _is_browser(request):
            answer = RedirectResponse("./login", 303)
        answer.delete_cookie(COOKIE, path=_path(request), secure=_is_secure(request), httponly=True, samesite="lax")
        return answer

    app.include_router(router)


def _target(wanted: str) -> str:
    """The wanted page if it is one of TARGETS, else "": a log-in never leads to another site."""
    return wanted if wanted in TARGETS else ""


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _path(request: Request) -> str:
    """The path that the cookie is sent to: below a proxy's path, so that other programs of that host don't get it."""
    return request.scope.get("root_path", "") or "/"


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _page(html: str, status: int, headers: dict[str, str] | None = None) -> HTMLResponse:
    kept = {name: value for name, value in (headers or {}).items() if name in ("retry-after", "www-authenticate")}
    return HTMLResponse(html, status, headers={**kept, "Cache-Control": "no-store"})
