"""Passwords as argon2 hashes (RFC 9106), so that the file of accounts gives none away."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARS = 8
_HASHER = PasswordHasher()


def hashed(password: str) -> str:
    return _HASHER.hash(password)


def fits(password: str, proof: str | None) -> bool:
    """Whether the password fits the hash `proof`. Takes as long without a `proof`, about a twentieth of a second, so
    that the time doesn't tell which names exist."""
    try:
        return _HASHER.verify(_nobodys() if proof is None else proof, password) and proof is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return hashed("nobody's password")
