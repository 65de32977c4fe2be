"""What is served, how patiently it is watched, and how it is doing."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServicePlan:
    name: str
    """Short, for commands and the log: "studio"."""
    command: tuple[str, ...]
    url: str
    """Where it will be reached on this machine, with a slash at the end."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def health_url(self) -> str:
        return f"{self.url}health"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, and how often something may happen."""

    start_s: float = 300.0
    """A first start makes caches and may wait for a disk."""
    every_s: float = 5.0
    answer_s: float = 5.0
    failures: int = 6
    """Checks without an answer, one after the other, after which a process counts as stuck."""
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    steady_s: float = 60.0
    """Whoever was healthy for so long is started again without a long pause."""
    stop_s: float = 10.0
    """Between asking a process to end and ending it."""

    def pause_s(self, failed_starts: int) -> float:
        """Before another start: twice as long each time."""
        return float(min(self.longest_pause_s, self.first_pause_s * 2 ** min(failed_starts, 16)))


class ServiceState(enum.Enum):
    STARTING = "starting"
    HEALTHY = "healthy"
    SILENT = "silent"
    """It was healthy and does not answer now."""
    RESTARTING = "restarting"
    """It ended; the next start is a moment away."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    name: str
    url: str
    state: ServiceState
    pid: int | None
    since: float
    """Unix seconds of the last change of state."""
    restarts: int
    reason: str
    """English: why it was started again last; "" before that."""
