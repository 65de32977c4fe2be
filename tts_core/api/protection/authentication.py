"""The layer behind the guard: it finds out who sends a request, and whether and how often they may. It stands around
REST, the pages and all streams, so that one rule holds for all of them. Pure ASGI, so that nothing is buffered.

The routes find the visitor in `scope["state"]["visitor"]`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tts_core.access.accounts import KEY_PREFIX
from tts_core.access.faults import LoginRequired
from tts_core.access.login import LoginService
from tts_core.access.public_link import PublicLink
from tts_core.access.visitor import IN_STATE, Role, Visitor
from tts_core.api.errors import failure_response
from tts_core.api.faults import NotForGuests
from tts_core.api.protection import guest_rules
from tts_core.api.protection.counting import answer_counted
from tts_core.api.protection.guest_rules import Right
from tts_core.api.protection.open_exchanges import Exchange, OpenExchanges
from tts_core.api.protection.path_mask import PathMask
from tts_core.api.protection.proxy import route_path
from tts_core.domain.errors import StudioError

COOKIE = "tts_studio_session"
MAX_COOKIES = 8
"""The most session cookies of one request that are looked at."""
_ON_GUEST_PAGE = "on_guest_page"
GUEST_PREFIX = "/guest"
"""The path where the pages for guests are mounted; guests see them at the usual addresses."""


MayStay = Callable[[], bool]
_Known = Callable[[], Visitor | None]


class Authentication:
    """Middleware that lets known visitors in and refuses others; `app` is everything behind it."""

    def __init__(
        self, app: ASGIApp, login: LoginService, mask: PathMask, link: PublicLink, watch: OpenExchanges | None = None
    ) -> None:
        self._app = app
        self._login = login
        self._link = link
        self._mask = mask
        self._watch = watch or OpenExchanges()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            visitor, right, may_stay = self._let_in(scope)
        except StudioError as error:
            await _refusal(error, scope)(scope, receive, send)
            return
        app = self._app
        if visitor is not None and visitor.is_guest:
            app = self._masked  # inside of what counts: the mask waits for a whole body
        if visitor is not None and right in (Right.WORK, Right.UPLOAD):
            app = partial(answer_counted, app, self._login.quotas, visitor, right)
        if may_stay is None:
            await app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        with self._watch.watching(exchange, may_stay):
            await exchange.run(app)

    async def _masked(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(*self._mask.over(scope, receive, send))

    def _let_in(self, scope: Scope) -> tuple[Visitor | None, Right | None, MayStay | None]:
        """The visitor, the guests' right that the request needs, and the check that may end the answer while it lasts.
        The visitor is None for an unknown one at addresses that need no log-in. Raises StudioError."""
        path, method = route_path(scope), scope.get("method", "WEBSOCKET")
        by_link = self._link.leads((scope.get("server") or (None, None))[1])
        if by_link and self._link.now.url.startswith("https:"):
            # As the visitor sent it to the share server.
            scope["scheme"] = "https" if scope["type"] == "http" else "wss"
        visitor, may_stay = self._visitor(scope, by_link=by_link)
        if visitor is None and path not in guest_rules.OPEN:
            raise LoginRequired
        if visitor is None:
            return None, None, None
        path = path.removeprefix(GUEST_PREFIX) if path.startswith(f"{GUEST_PREFIX}/") else path
        right = guest_rules.of_guest(method, path)
        if visitor.is_guest and right is None and path not in guest_rules.OPEN:
            raise NotForGuests
        if right is not Right.FILE:
            self._login.quotas.ask(visitor)
        if right is Right.UPLOAD:
            self._login.quotas.upload(visitor)
        if right is Right.WORK:
            self._login.quotas.check(visitor)
        state = scope.setdefault("state", {})
        state[IN_STATE] = visitor
        state[_ON_GUEST_PAGE] = visitor.is_guest and right in (Right.PAGE, Right.UPLOAD, Right.FILE)
        # The answer to a log-out says that it is done.
        return visitor, right, None if path in guest_rules.OPEN else may_stay

    def _visitor(self, scope: Scope, *, by_link: bool) -> tuple[Visitor | None, MayStay | None]:
        """The visitor, None if unknown where a log-in is needed; and the check whether a log-in still holds. Raises
        WrongKey, TooManyAttempts."""
        address = (scope.get("client") or ("",))[0]
        if not by_link and not self._login.needs_login(address):
            return self._login.without_login(address), None
        headers = Headers(scope=scope)
        if key := sent_key(headers):
            found: Visitor | None = self._login.by_key(key, address)
            again: _Known = partial(self._login.of_key, key)
        else:
            ways = [partial(self._login.by_session, token, address) for token in session_tokens(headers)]
            found, again = next(((known, way) for way in ways if (known := way())), (None, lambda: None))
        # The share server may belong to somebody else and could forge such requests: no more than a guest's rights.
        visitor = replace(found, role=Role.GUEST) if found and by_link else found
        return visitor, lambda: again() == found


def sent_key(headers: Headers) -> str:
    """The key that a program sends: as a bearer, or in a header that programs of one kind know; "" if there is none.

    Gradio's client sends its `token` as one of the Hugging Face hub; a token that was saved for the hub itself is none
    of ours.
    """
    for name in ("authorization", "x-hf-authorization"):
        kind, _, key = headers.get(name, "").partition(" ")
        key = key.strip()
        if kind.lower() == "bearer" and key and (name == "authorization" or key.startswith(KEY_PREFIX)):
            return key
    return (headers.get("x-api-key") or headers.get("api-key") or "").strip()


def session_tokens(headers: Headers) -> list[str]:
    """The session tokens in the cookies. A browser may send several, for this path and for those above it."""
    tokens = []
    for header in headers.getlist("cookie"):
        for part in header.split(";"):  # an unreadable cookie, of another program on this host, hides no other
            cookies: SimpleCookie = SimpleCookie()
            try:
                cookies.load(part)
            except CookieError:
                continue
            if COOKIE in cookies and cookies[COOKIE].value:
                tokens.append(cookies[COOKIE].value)
    return tokens[:MAX_COOKIES]


def _refusal(error: StudioError, scope: Scope) -> Response:
    is_page = isinstance(error, LoginRequired) and _wants_page(scope)
    return _to_login(scope) if is_page else failure_response(error)


def _wants_page(scope: Scope) -> bool:
    accepted = Headers(scope=scope).get("accept", "")
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and "text/html" in accepted


def _to_login(scope: Scope) -> RedirectResponse:
    """A redirect to the log-in page. Its address is relative, so that it also holds below a proxy's path."""
    path, root = route_path(scope), scope.get("root_path", "")
    up = "../" * (path.count("/") - 1) or "./"
    if root and scope["path"] == root:  # without its slash, a relative address would lead out of it
        up = f"{root}/"
    answer = RedirectResponse(f"{up}login?to={path.strip('/')}", 303)
    answer.headers["Cache-Control"] = "no-store"
    return answer


class GuestPages:
    """Innermost middleware: leads guests' requests for the pages to the pages for guests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("state", {}).get(_ON_GUEST_PAGE) and not (path := route_path(scope)).startswith(
            f"{GUEST_PREFIX}/"
        ):
            inside = scope.get("root_path", "") + GUEST_PREFIX + path
            scope = {**scope, "path": inside, "raw_path": inside.encode()}
        await self._app(scope, receive, send)
