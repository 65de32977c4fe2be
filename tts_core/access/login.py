"""Checks who somebody is: a name with a password, the session that came of it, or a key."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import Enum

from tts_core.access.accounts import Accounts, AccountsFile, User
from tts_core.access.attempts import Attempts
from tts_core.access.passwords import fits, hashed
from tts_core.access.quotas import Quotas
from tts_core.access.sessions import Sessions
from tts_core.access.visitor import OWNER, Role, Visitor
from tts_core.domain.errors import AccountsUnusable, WrongKey, WrongPassword
from tts_core.platform.addresses import counted_address, is_this_machine

FREE_AT_ADDRESS = 10
FREE_FOR_NAME = 30
"""More, for others' attempts at a name make its owner wait, too."""

logger = logging.getLogger(__name__)


class LoginRule(Enum):
    """Who has to log in."""

    ALL = "all"
    OTHERS = "others"
    """Who comes from another machine, through a proxy on this one."""
    NOBODY = "nobody"


class LoginService:
    """Thread-safe. What happens in the file of accounts counts at once."""

    def __init__(self, file: AccountsFile, rule: LoginRule, clock: Callable[[], float] = time.monotonic) -> None:
        """`rule`: who has to log in at the studio's own address."""
        self._rule = rule
        self.quotas = Quotas(clock=clock)
        self._file = file
        self._own: tuple[User, ...] = ()
        self._attempts = Attempts(clock)
        self._sessions = Sessions(clock)
        self._told = ""

    def add(self, name: str, password: str, role: Role) -> None:
        """An account for this run, which is written nowhere. It stands before one of that name in the file."""
        user = User(name, role, hashed(password), created_at="")
        self._own = (user, *(own for own in self._own if own.name != name))

    def remove(self, name: str) -> None:
        """An account of this run, with its sessions."""
        self._own = tuple(own for own in self._own if own.name != name)

    def has_accounts(self) -> bool:
        """Somebody could log in. Raises AccountsUnusable."""
        accounts = self._file.read()
        return bool(self._own or accounts.users or accounts.keys)

    def may_get_accounts(self) -> bool:
        """Somebody could log in, now or when accounts that can't be used are restored."""
        try:
            return self.has_accounts()
        except AccountsUnusable:
            return True

    def tell_problem(self) -> None:
        """Write into the log why accounts can't be used, if they can't."""
        self._accounts()

    def log_in(self, name: str, password: str, address: str) -> str:
        """The session's token. Raises WrongPassword, TooManyAttempts. Takes a moment: call it in a thread."""
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

    def by_session(self, token: str) -> Visitor | None:
        """None for one that has ended, too."""
        session = self._sessions.find(token)
        user = self._user(session.name) if session else None
        if session is None or user is None or user.password != session.proof:
            return None
        return Visitor(user.name, user.role, f"session {session.id}")

    def by_key(self, secret: str, address: str) -> Visitor:
        """Raises WrongKey, TooManyAttempts."""
        place = _place(address)
        self._attempts.check(place)
        visitor = self.of_key(secret)
        if visitor is None:
            self._attempts.begin(place, FREE_AT_ADDRESS)
            logger.warning("A wrong key came from %s", address)
            raise WrongKey
        return visitor

    def of_key(self, secret: str) -> Visitor | None:
        """None where there is no such key any more. An attempt at one is counted by `by_key` only."""
        key = self._accounts().key(secret)
        return None if key is None else Visitor(key.name, key.role, f"key {key.id}")

    def needs_login(self, address: str) -> bool:
        """At the studio's own address, for who comes from there."""
        return self._rule is LoginRule.ALL or (self._rule is LoginRule.OTHERS and not is_this_machine(address))

    def without_login(self, address: str) -> Visitor:
        """Where nobody has to log in: all may do everything, but others than this machine are counted."""
        return OWNER if is_this_machine(address) else Visitor("", Role.ADMIN, _place(address))

    def _user(self, name: str) -> User | None:
        return Accounts(users=self._own).user(name) or self._accounts().user(name)

    def _accounts(self) -> Accounts:
        problem, accounts = "", Accounts()
        try:
            accounts = self._file.read()
        except AccountsUnusable as error:
            problem = error.message
        if problem and problem != self._told:  # once, not for everybody who asks
            logger.warning("%s Until then nobody of that file can come in.", problem)
        self._told = problem
        return accounts


def _place(address: str) -> str:
    """Whose attempts and requests are counted together, where nobody has a name."""
    return f"address {counted_address(address)}"
