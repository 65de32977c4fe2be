"""Keeps services running, one thread for each: starts them, checks them, starts them again ever more slowly."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread

from tts_core.platform.supervision.child import Child, TellLine
from tts_core.platform.supervision.health import answers
from tts_core.platform.supervision.service import Patience, ServicePlan, ServiceState, ServiceStatus

logger = logging.getLogger(__name__)

PATIENCE = Patience()
_LOOK_S = 0.1
"""The interval of looking whether a process has ended."""


class Supervisor:
    """The watches over all services: `start` once, `stop` once; `statuses` at any time."""

    def __init__(
        self, plans: Sequence[ServicePlan], folder: Path, report: TellLine, patience: Patience | None = None
    ) -> None:
        """`folder` is the working folder of the processes."""
        self._watches = [_Watch(plan, folder, report, patience or Patience()) for plan in plans]

    def start(self) -> None:
        for watch in self._watches:
            watch.thread.start()

    def statuses(self) -> list[ServiceStatus]:
        return [watch.status for watch in self._watches]

    def stop(self) -> None:
        """Stop all services at once; returns when every process has ended."""
        for watch in self._watches:
            watch.ending.set()
        for watch in self._watches:
            if watch.thread.ident is not None:
                watch.thread.join()


class _Watch:
    def __init__(self, plan: ServicePlan, folder: Path, report: TellLine, patience: Patience) -> None:
        self._plan = plan
        self._folder = folder
        self._report = report
        self._patience = patience
        self._lock = Lock()
        self._status = ServiceStatus(plan.name, plan.url, ServiceState.STOPPED, None, time.time(), 0, "")
        self.ending = Event()
        self.thread = Thread(target=self._keep_running, name=f"watch-{plan.name}")

    @property
    def status(self) -> ServiceStatus:
        with self._lock:
            return self._status

    def _keep_running(self) -> None:
        failed_starts = 0
        while not self.ending.is_set():
            began = time.monotonic()
            reason = self._run_once()
            if self.ending.is_set():
                break
            failed_starts = 0 if time.monotonic() - began > self._patience.steady_s else failed_starts + 1
            pause_s = self._patience.pause_s(max(0, failed_starts - 1))
            self._note(f"{reason}; it is started again in {pause_s:g} s")
            with self._lock:
                self._status = replace(self._status, restarts=self._status.restarts + 1, reason=reason)
            self._is_now(ServiceState.RESTARTING, None)
            self.ending.wait(pause_s)
        self._is_now(ServiceState.STOPPED, None)

    def _run_once(self) -> str:
        """Run the process until it ends; returns the reason of its end."""
        try:
            child = Child(self._plan, self._folder, self._report)
        except OSError as error:
            return f"it could not be started ({error.strerror or error})"
        self._is_now(ServiceState.STARTING, child.pid)
        try:
            return self._watch(child)
        finally:
            child.stop(self._patience.stop_s)

    def _watch(self, child: Child) -> str:
        began, failures, was_healthy = time.monotonic(), 0, False
        while not self.ending.is_set():
            if child.exit_status is not None:
                return f"it ended with status {child.exit_status}"
            if answers(self._plan.health_url, self._patience.answer_s) and child.exit_status is None:
                failures, was_healthy = 0, True
                self._is_now(ServiceState.HEALTHY, child.pid)
            elif was_healthy:
                failures += 1
                self._is_now(ServiceState.SILENT, child.pid)
            elif time.monotonic() - began > self._patience.start_s:
                return f"it did not answer within {self._patience.start_s:g} s"
            if failures >= self._patience.failures:
                return f"it gave no answer {failures} times"
            self._wait(child, self._patience.every_s if was_healthy else min(1.0, self._patience.every_s))
        return ""

    def _wait(self, child: Child, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and child.exit_status is None and not self.ending.wait(_LOOK_S):
            pass

    def _is_now(self, state: ServiceState, pid: int | None) -> None:
        with self._lock:
            before = self._status
            if before.state is state and before.pid == pid:
                return
            self._status = replace(before, state=state, pid=pid, since=time.time())
        if state is ServiceState.HEALTHY:
            self._note(f"it answers at {self._plan.url}")
        elif state is ServiceState.SILENT:
            self._note("it does not answer")

    def _note(self, line: str) -> None:
        logger.info("%s: %s", self._plan.name, line)
        self._report(self._plan.name, f"* {line}")
