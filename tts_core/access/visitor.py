"""Visitors: the people and programs who send requests, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Role(str, Enum):
    ADMIN = "admin"
    """An admin may do everything."""
    GUEST = "guest"
    """A guest speaks with the voices and models there are, and changes nothing."""


IN_STATE = "visitor"
"""The key of the visitor in a request's state (`scope["state"]`)."""


@dataclass(frozen=True, slots=True)
class Visitor:
    name: str
    """The name of the account; "" where nobody has to log in."""
    role: Role
    counted_as: str
    """The name that the visitor's requests are counted under; "" where they are not counted."""
    login: str = ""
    """The session that the visitor has begun, to which the files of its page belong; "" where nothing begins one."""

    @property
    def is_guest(self) -> bool:
        return self.role is Role.GUEST


OWNER = Visitor("", Role.ADMIN, "")
"""The person at this machine, where nobody has to log in."""


def visitor_in(scope: Mapping[str, Any]) -> Visitor:
    """The visitor who sent a request, as authentication has found; without authentication there is only the owner."""
    visitor = scope.get("state", {}).get(IN_STATE)
    return visitor if isinstance(visitor, Visitor) else OWNER
