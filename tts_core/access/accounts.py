"""The file of users and keys. It holds no password and no key, only what proves them: argon2 and sha256 hashes."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock

from tts_core.access.faults import (
    AccountsUnusable,
    AccountsUnwritable,
    InvalidAccount,
    UnknownKey,
    UnknownUser,
    UserExists,
)
from tts_core.access.passwords import MIN_CHARS, hashed
from tts_core.access.visitor import Role
from tts_core.platform.whole_files import write_json

KEY_PREFIX = "tts-"
_MAX_BYTES = 10_000_000
_NAME = re.compile(r"\w[\w .@-]{0,63}")
_NAMES = "1 to 64 letters, digits, spaces or . @ - _"


@dataclass(frozen=True, slots=True)
class User:
    name: str
    role: Role
    password: str
    """The argon2 hash of the password, in its usual text form with salt and cost."""
    created_at: str


@dataclass(frozen=True, slots=True)
class Key:
    id: str
    """The name of the key in lists and commands: the first digits of its hash."""
    name: str
    role: Role
    sha256: str
    """The hash of the key itself. A key is long and random: a slow hash would protect it no better."""
    created_at: str


@dataclass(frozen=True, slots=True)
class Accounts:
    users: tuple[User, ...] = ()
    keys: tuple[Key, ...] = ()

    def user(self, name: str) -> User | None:
        """The user of that name; upper and lower case are the same."""
        return next((user for user in self.users if user.name.casefold() == name.strip().casefold()), None)

    def key(self, secret: str) -> Key | None:
        """The entry of that key. Each comparison takes the same time wherever the hashes differ."""
        digest = hashlib.sha256(secret.encode()).hexdigest()
        return next((key for key in self.keys if hmac.compare_digest(key.sha256, digest)), None)


@dataclass(frozen=True, slots=True)
class _Known:
    """The accounts as last read, kept so that the file is read again only when it has changed."""

    version: tuple[int, int, int] | None = None
    accounts: Accounts = Accounts()
    problem: str = ""
    """The reason why the file can't be used; "" if it can."""


class AccountsFile:
    """The file on the disk. It is always replaced whole and readable for its owner only; several processes may change
    it, one at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = FileLock(file.with_name(f".{file.name}.lock"), mode=0o600)
        self._known = _Known()

    @property
    def file(self) -> Path:
        return self._file

    def read(self) -> Accounts:
        """The accounts as the file has them now, whichever process changed them. Raises AccountsUnusable."""
        known = self._known
        try:
            status = self._file.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if known.version != version:
                known = _Known(version, *_read(self._file, status))
        except FileNotFoundError:
            known = _Known()
        except OSError as error:  # not remembered: it may pass, as a lack of free file handles does
            reason = error.strerror or type(error).__name__
            raise AccountsUnusable(file=str(self._file), reason=reason) from error
        self._known = known
        if known.problem:
            raise AccountsUnusable(file=str(self._file), reason=known.problem)
        return known.accounts

    def add_user(self, name: str, password: str, role: Role) -> User:
        """Add a user. Raises InvalidAccount, UserExists."""
        user = User(_checked(name), role, hashed(checked_password(password)), _now())

        def add(now: Accounts) -> Accounts:
            if now.user(user.name) is not None:
                raise UserExists(name=user.name)
            return replace(now, users=(*now.users, user))

        self._change(add)
        return user

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password; sessions that began with the old one end. Raises InvalidAccount,
        UnknownUser."""
        proof = hashed(checked_password(password))
        self._change(lambda now: _with_user(now, name, lambda user: replace(user, password=proof)))

    def remove_user(self, name: str) -> None:
        """Remove a user. Raises UnknownUser."""
        self._change(lambda now: _with_user(now, name, lambda _user: None))

    def add_key(self, name: str, role: Role) -> tuple[Key, str]:
        """Add a key; returns its entry and the key itself, which is stored nowhere and can't be shown again. Raises
        InvalidAccount."""
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        key = Key(digest[:8], _checked(name), role, digest, _now())
        self._change(lambda now: replace(now, keys=(*now.keys, key)))
        return key, secret

    def remove_key(self, key_id: str) -> None:
        """Remove a key. Raises UnknownKey."""

        def remove(now: Accounts) -> Accounts:
            left = tuple(key for key in now.keys if key.id != key_id)
            if len(left) == len(now.keys):
                raise UnknownKey(key=key_id)
            return replace(now, keys=left)

        self._change(remove)

    def _change(self, change: Callable[[Accounts], Accounts]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                write_json(self._file, _as_json(change(self.read())), for_people=True)
        except OSError as error:
            raise AccountsUnwritable(file=str(self._file), reason=error.strerror or type(error).__name__) from error


def checked_password(password: str) -> str:
    """The same password if it is long enough to withstand guessing. Raises InvalidAccount."""
    if not MIN_CHARS <= len(password) <= 1000:
        raise InvalidAccount(what="The password", expected=f"at least {MIN_CHARS} characters")
    return password


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name.strip()):
        raise InvalidAccount(what="The name", expected=_NAMES)
    return name.strip()


def _with_user(now: Accounts, name: str, change: Callable[[User], User | None]) -> Accounts:
    found = now.user(name)
    if found is None:
        raise UnknownUser(name=name)
    changed = [change(user) if user is found else user for user in now.users]
    return replace(now, users=tuple(user for user in changed if user is not None))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _as_json(accounts: Accounts) -> dict[str, Any]:
    return {"users": [asdict(user) for user in accounts.users], "keys": [asdict(key) for key in accounts.keys]}


def _read(file: Path, status: os.stat_result) -> tuple[Accounts, str]:
    """The accounts, and the reason why they can't be used ("" if they can). Raises OSError."""
    if not stat.S_ISREG(status.st_mode):  # reading from a pipe would wait for ever
        return Accounts(), "it is not an ordinary file"
    if status.st_size > _MAX_BYTES:
        return Accounts(), f"it has more than {_MAX_BYTES} bytes"
    try:
        return _parsed(file.read_bytes()), ""
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return Accounts(), "it is not what the studio wrote"


def _parsed(data: bytes) -> Accounts:
    """The accounts that the bytes hold. Raises whatever a wrong shape leads to: half a list of accounts would be worse
    than none, and fields that are not understood would be lost with the next change."""
    stored: Mapping[str, list[dict[str, Any]]] = json.loads(data.decode("utf-8-sig"))
    if stored.keys() - {"users", "keys"} or not all(isinstance(listed, list) for listed in stored.values()):
        raise TypeError("not lists of users and keys")
    users = tuple(User(**{**user, "role": Role(user["role"])}) for user in stored.get("users", []))
    keys = tuple(Key(**{**key, "role": Role(key["role"])}) for key in stored.get("keys", []))
    texts = [text for user in users for text in asdict(user).values()]
    texts += [text for key in keys for text in asdict(key).values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("not a text")
    "".join(texts).encode()  # half a character can't be written again
    if not all(user.password.isascii() for user in users) or not all(key.sha256.isascii() for key in keys):
        raise ValueError("not a hash")
    return Accounts(users, keys)
