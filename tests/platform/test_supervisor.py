"""Services that crash, hang, never start or leave children behind, as real processes."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_until
from tts_core.platform.supervision.health import answers, is_free
from tts_core.platform.supervision.service import Patience, ServicePlan, ServiceState, ServiceStatus
from tts_core.platform.supervision.supervisor import Supervisor

SERVER = """
import http.server, subprocess, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
print("helper", helper.pid)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answers).serve_forever()
"""
QUICK = Patience(start_s=120, every_s=0.05, answer_s=2, failures=2, first_pause_s=0.05, steady_s=3600, stop_s=120)
Start = Callable[..., "Started"]


class Started:
    def __init__(self, plan: ServicePlan, patience: Patience) -> None:
        self.lines: list[tuple[str, str]] = []
        self.supervisor = Supervisor([plan], Path.cwd(), lambda name, line: self.lines.append((name, line)), patience)
        self.supervisor.start()

    @property
    def status(self) -> ServiceStatus:
        return self.supervisor.statuses()[0]

    def until(self, state: ServiceState, restarts: int = 0) -> ServiceStatus:
        wait_until(lambda: self.status.state is state and self.status.restarts >= restarts)
        return self.status

    def helper(self) -> psutil.Process:
        """What the newest process of the service has started."""
        printed = [line for _, line in self.lines if line.startswith("helper ")]
        return psutil.Process(int(printed[-1].split()[1]))


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(*command: str, patience: Patience = QUICK) -> Started:
            port = free_port()
            named = tuple(part.replace("PORT", str(port)) for part in command or (sys.executable, "-c", SERVER, "PORT"))
            started = Started(ServicePlan("voice", named, f"http://127.0.0.1:{port}/", os.environ), patience)
            stack.callback(started.supervisor.stop)
            return started

        yield begin


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_killed_service_is_started_again_and_its_helpers_end_with_it(start: Start) -> None:
    started = start()
    first = started.until(ServiceState.HEALTHY)
    helper = started.helper()
    assert first.pid is not None
    psutil.Process(first.pid).kill()
    second = started.until(ServiceState.HEALTHY, restarts=1)
    assert second.pid != first.pid
    assert "it ended with status" in second.reason
    wait_until(lambda: gone(helper))


@pytest.mark.skipif(os.name == "nt", reason="no SIGSTOP there")
def test_a_service_that_hangs_is_started_again(start: Start) -> None:
    started = start(
        patience=Patience(start_s=120, every_s=0.05, answer_s=0.5, failures=2, first_pause_s=0.05, stop_s=1)
    )
    first = started.until(ServiceState.HEALTHY)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGSTOP)
    second = started.until(ServiceState.HEALTHY, restarts=1)
    assert (second.pid != first.pid, second.reason) == (True, "it gave no answer 2 times")


def test_a_service_that_ends_at_once_is_tried_ever_more_slowly(start: Start) -> None:
    started = start(sys.executable, "-c", "print('no model here'); raise SystemExit(3)")
    started.until(ServiceState.RESTARTING, restarts=3)
    assert started.status.reason == "it ended with status 3"
    assert ("voice", "no model here") in started.lines
    pauses = [line.rpartition(" in ")[2] for _, line in started.lines if "started again" in line]
    assert pauses[:3] == ["0.05 s", "0.1 s", "0.2 s"]


def test_pauses_double_up_to_the_longest() -> None:
    assert [Patience().pause_s(failed) for failed in (0, 1, 2, 6, 1000)] == [1, 2, 4, 60, 60]


def test_a_program_that_is_not_there_is_told(start: Start) -> None:
    started = start("no-such-program-anywhere")
    status = started.until(ServiceState.RESTARTING, restarts=1)
    assert "it could not be started" in status.reason


def test_a_service_that_never_answers_is_started_again(start: Start) -> None:
    started = start(
        sys.executable,
        "-c",
        "import time; time.sleep(1000)",
        patience=Patience(start_s=0.2, every_s=0.05, answer_s=0.5, first_pause_s=0.05, stop_s=120),
    )
    assert "did not answer" in started.until(ServiceState.RESTARTING, restarts=1).reason


def test_the_end_is_the_end_of_everything(start: Start) -> None:
    started = start()
    status = started.until(ServiceState.HEALTHY)
    helper = started.helper()
    assert status.pid is not None
    service = psutil.Process(status.pid)
    started.supervisor.stop()
    assert started.status.state is ServiceState.STOPPED
    wait_until(lambda: gone(service) and gone(helper))
    assert not answers(status.url, 5)


def test_a_port_is_free_or_it_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        assert not is_free("0.0.0.0", port)
    assert is_free("127.0.0.1", port)


def gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
