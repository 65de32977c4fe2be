"""Sessions of users who have logged in. They are kept here and not in the cookie, so that a log-out or a new password
ends them at once."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tts_core.access.accounts import User

SESSION_S = 7 * 24 * 3600.0
MAX_SESSIONS = 5000
MAX_OF_ONE = 200
"""The most sessions of one account, so that it can't push out those of others."""


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    """The first digits of the token's hash; tells sessions of one account apart."""
    name: str
    proof: str
    """The user's password hash when the session began: another one ends it."""
    ends_at: float


class Sessions:
    """The running sessions; thread-safe. Only hashes of tokens are kept: nobody can log in with what is read from
    memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # oldest first

    def begin(self, user: User) -> str:
        """Begin a session; returns the token that the visitor shows from then on."""
        token = secrets.token_urlsafe(32)
        digest = _digest(token)
        with self._lock:
            own = [kept for kept, session in self._sessions.items() if session.name == user.name]
            for oldest in own[: max(0, len(own) - MAX_OF_ONE + 1)]:
                del self._sessions[oldest]
            self._sessions[digest] = Session(digest[:16], user.name, user.password, self._clock() + SESSION_S)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return token

    def find(self, token: str) -> Session | None:
        digest = _digest(token)
        with self._lock:
            session = self._sessions.get(digest)
            if session is not None and session.ends_at <= self._clock():
                del self._sessions[digest]
                return None
            return session

    def end(self, token: str) -> None:
        """End a session; an unknown token is no error."""
        with self._lock:
            self._sessions.pop(_digest(token), None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
