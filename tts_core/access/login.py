"""Log-in: a visitor is known by a name with a password, by the session that began with it, or by a key."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import Enum

from tts_core.access.accounts import Accounts, AccountsFile, User
from tts_core.access.attempts import Attempts
from tts_core.access.faults import AccountsUnusable, WrongKey, WrongPassword
from tts_core.access.passwords import fits, hashed
from tts_core.access.quotas import Quotas
from tts_core.access.sessions import Sessions
from tts_core.access.visitor import OWNER, Role, Visitor
from tts_core.platform.addresses import counted_address, is_this_machine

FREE_AT_ADDRESS = 10
FREE_FOR_NAME = 30
"""A higher limit than that of an address, for other people's attempts at a name make its owner wait, too."""

logger = logging.getLogger(__name__)


class LoginRule(Enum):
    """The visitors who have to log in."""

    ALL = "all"
    OTHERS = "others"
    """Visitors from another machine, also through a proxy on this one."""
    NOBODY = "nobody"


class LoginService:
    """The log-in by password, session and key; thread-safe. Changes in the file of accounts count at once."""

    def __init__(self, file: AccountsFile, rule: LoginRule, clock: Callable[[], float] = time.monotonic) -> None:
        """`rule`: who has to log in at the studio's own address."""
        self._rule = rule
        self.quotas = Quotas(clock=clock)
        self._file = file
        self._own: tuple[User, ...] = ()
        self._attempts = Attempts(clock)
        self._sessions = Sessions(clock)
        self._logged_problem = ""

    def add(self, name: str, password: str, role: Role) -> None:
        """Add an account for this run, which is written nowhere. It is preferred to one of that name in the file."""
        user = User(name, role, hashed(password), created_at="")
        self._own = (user, *(own for own in self._own if own.name != name))

    def remove(self, name: str) -> None:
        """Remove an account of this run, with its sessions."""
        self._own = tuple(own for own in self._own if own.name != name)

    def has_accounts(self) -> bool:
        """Whether there is any user or key to log in with. Raises AccountsUnusable."""
        accounts = self._file.read()
        return bool(self._own or accounts.users or accounts.keys)

    def may_get_accounts(self) -> bool:
        """Whether somebody can log in now, or could once accounts that can't be used are restored."""
        try:
            return self.has_accounts()
        except AccountsUnusable:
            return True

    def log_problem(self) -> None:
        """Write into the log why accounts can't be used, if they can't."""
        self._accounts()

    def log_in(self, name: str, password: str, address: str) -> str:
        """Begin a session; returns its token. Raises WrongPassword, TooManyAttempts. Checking takes a moment: call it
        in a thread."""
        places = {_place(address): FREE_AT_ADDRESS, f"name {name.strip().casefold()[:64]}": FREE_FOR_NAME}
        for place in places:
            self._attempts.check(place)
        for place, free in places.items():
            self._attempts.begin(place, free)
        user = self._user(name)
        if not fits(password[:1000], user.password if user else None) or user is None:
            logger.warning("A log-in failed from %s", address)
            raise WrongPassword
        for place in places:
            self._attempts.succeeded(place)
        return self._sessions.begin(user)

    def log_out(self, token: str) -> None:
        self._sessions.end(token)

    def by_session(self, token: str, address: str) -> Visitor | None:
        """The visitor of that session; None if there is none, or it has ended. All sessions of one account from one
        address are counted together: to log in again gains nothing."""
        session = self._sessions.find(token)
        user = self._user(session.name) if session else None
        if session is None or user is None or user.password != session.proof:
            return None
        counted_as = f"user {user.name.casefold()} at {_place(address)}"
        return Visitor(user.name, user.role, counted_as, f"session {session.id}")

    def by_key(self, secret: str, address: str) -> Visitor:
        """The visitor with that key; a wrong one counts as a failed attempt. Raises WrongKey, TooManyAttempts."""
        place = _place(address)
        self._attempts.check(place)
        visitor = self.of_key(secret)
        if visitor is None:
            self._attempts.begin(place, FREE_AT_ADDRESS)
            logger.warning("A wrong key came from %s", address)
            raise WrongKey
        return visitor

    def of_key(self, secret: str) -> Visitor | None:
        """The visitor with that key; None if there is no such key any more. Counts no attempt, unlike `by_key`."""
        key = self._accounts().key(secret)
        return None if key is None else Visitor(key.name, key.role, f"key {key.id}")

    def needs_login(self, address: str) -> bool:
        """Whether visitors from that address have to log in, at the studio's own address."""
        return self._rule is LoginRule.ALL or (self._rule is LoginRule.OTHERS and not is_this_machine(address))

    def without_login(self, address: str) -> Visitor:
        """The visitor where nobody has to log in. All may do everything, but requests from other machines are
        counted."""
        return OWNER if is_this_machine(address) else Visitor("", Role.ADMIN, _place(address))

    def _user(self, name: str) -> User | None:
        return Accounts(users=self._own).user(name) or self._accounts().user(name)

    def _accounts(self) -> Accounts:
        problem, accounts = "", Accounts()
        try:
            accounts = self._file.read()
        except AccountsUnusable as error:
            problem = error.message
        if problem and problem != self._logged_problem:  # once, not for every request
            logger.warning("%s Until then nobody of that file can come in.", problem)
        self._logged_problem = problem
        return accounts


def _place(address: str) -> str:
    """The place that attempts and requests from an address are counted for, where visitors have no names."""
    return f"address {counted_address(address)}"
