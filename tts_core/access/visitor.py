"""Somebody who asks for something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Role(str, Enum):
    ADMIN = "admin"
    """May do everything."""
    GUEST = "guest"
    """Speaks with the voices and models there are, and changes nothing."""


IN_STATE = "visitor"
"""Under this name the visitor lies in the state of a request (`scope["state"]`)."""


@dataclass(frozen=True, slots=True)
class Visitor:
    name: str
    """Of the account; "" where nobody has to log in."""
    role: Role
    counted_as: str
    """Whose requests are counted together; "" is not counted."""

    @property
    def is_guest(self) -> bool:
        return self.role is Role.GUEST


OWNER = Visitor("", Role.ADMIN, "")
"""Whoever sits at this machine, where nobody has to log in."""


def visitor_in(scope: Mapping[str, Any]) -> Visitor:
    """Who sent a request, as authentication has found; without authentication there is only the owner."""
    visitor = scope.get("state", {}).get(IN_STATE)
    return visitor if isinstance(visitor, Visitor) else OWNER
