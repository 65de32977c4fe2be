"""A service's plan, the patience it is watched with, and its status."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServicePlan:
    name: str
    """A short name for commands and the log: "studio"."""
    command: tuple[str, ...]
    url: str
    """The service's address on this machine, with a slash at the end."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def health_url(self) -> str:
        return f"{self.url}health"


@dataclass(frozen=True, slots=True)
class Patience:
    """The limits of watching a service, times in seconds."""

    start_s: float = 300.0
    """The longest wait for the first answer: a first start makes caches and may wait for a disk."""
    every_s: float = 5.0
    answer_s: float = 5.0
    failures: int = 6
    """The checks in a row without an answer after which a process counts as stuck."""
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    steady_s: float = 60.0
    """The time after which a service that ran so long is started again without a long pause."""
    stop_s: float = 10.0
    """The time between asking a process to end and ending it."""

    def pause_s(self, failed_starts: int) -> float:
        """The pause before another start: twice as long each time."""
        return float(min(self.longest_pause_s, self.first_pause_s * 2 ** min(failed_starts, 16)))


class ServiceState(enum.Enum):
    STARTING = "starting"
    HEALTHY = "healthy"
    SILENT = "silent"
    """The service was healthy and does not answer now."""
    RESTARTING = "restarting"
    """The service ended; the next start is a moment away."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    name: str
    url: str
    state: ServiceState
    pid: int | None
    since: float
    """The time of the last change of state, Unix seconds."""
    restarts: int
    reason: str
    """The reason of the last restart, in English; "" before that."""
