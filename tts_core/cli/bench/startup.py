"""Measures the time until the page is served and the memory that takes, beside what `import gradio` alone costs.

Both are timed from outside, from the start of the process, alternating, so that a busy machine slows both alike.
"""

from __future__ import annotations

import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tts_core.cli import progress
from tts_core.cli.bench.report import spread
from tts_core.cli.faults import StartFailed
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.system import process_bytes

BUDGET_S = 2.0
"""Seconds that the page may take on top of `import gradio`."""
BUDGET_BYTES = 300_000_000
START_TIMEOUT_S = 300
SETTLED_SAMPLES = 8
"""Samples in a row that differ by less than one percent when memory is settled."""
SAMPLE_INTERVAL_S = 0.25
SETTLE_TIMEOUT_S = 20


def measure(runs: int) -> dict[str, Any]:
    """Time both `runs` times; answers seconds and bytes. Raises StartFailed when the app does not come up."""
    imports, pages, memory = [], [], []
    for number in range(runs):
        progress.show(f"Run {number + 1} of {runs}")
        imports.append(_time_import())
        page_s, process = _time_page()
        pages.append(page_s)
        memory.append(process)
    progress.clear()
    extra = [page - gradio for page, gradio in zip(pages, imports, strict=True)]
    return {
        "settings": {"runs": runs},
        "import_gradio_s": spread(imports),
        "page_s": spread(pages),
        "extra_s": spread(extra),
        "memory_bytes": spread(memory),
        "within_budget": statistics.median(extra) <= BUDGET_S and statistics.median(memory) <= BUDGET_BYTES,
    }


def words(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people."""
    for title, key in (("import gradio", "import_gradio_s"), ("page served", "page_s"), ("difference", "extra_s")):
        times = report[key]
        yield f"{title:<14} {times['median']:6.2f} s   ({times['min']:.2f} to {times['max']:.2f})"
    memory = report["memory_bytes"]
    yield f"memory         {memory['median'] / 1e6:6.0f} MB  ({memory['min'] / 1e6:.0f} to {memory['max'] / 1e6:.0f})"
    verdict = "within" if report["within_budget"] else "over"
    yield f"{verdict} the budget of {BUDGET_S:.0f} s difference and {BUDGET_BYTES / 1e6:.0f} MB"


def _time_import() -> float:
    started = time.perf_counter()
    code = "import gradio, os; os._exit(0)"  # tearing the interpreter down is no part of starting
    child = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 - our own code
    if child.returncode != 0:
        raise StartFailed(reason="gradio can't be imported.")
    return time.perf_counter() - started


def _time_page() -> tuple[float, int]:
    """The seconds until GET / answered with the page, and the process's settled memory."""
    with tempfile.TemporaryDirectory(prefix="tts-studio-bench-", ignore_cleanup_errors=True) as folder:
        port = _free_port()
        started = time.perf_counter()
        with _app(port, Path(folder)) as process:
            while not _page_is_served(port):
                if process.poll() is not None:
                    raise StartFailed(reason=f"it ended with status {process.returncode}.")
                if time.perf_counter() - started > START_TIMEOUT_S:
                    raise StartFailed(reason=f"nothing answered within {START_TIMEOUT_S} s.")
                time.sleep(0.01)
            return time.perf_counter() - started, _settled_bytes(process.pid)


@contextmanager
def _app(port: int, data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "app.py", "--port", str(port), "--data-dir", str(data_dir)]
    command += ["--models-dir", str(data_dir / "models")]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT_DIR, stdout=quiet, stderr=quiet)  # noqa: S603 - our own app
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _page_is_served(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_S)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.status == http.client.OK and b"<html" in response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _settled_bytes(pid: int) -> int:
    deadline = time.perf_counter() + SETTLE_TIMEOUT_S
    samples = [process_bytes(pid)]
    while time.perf_counter() < deadline:
        time.sleep(SAMPLE_INTERVAL_S)
        samples.append(process_bytes(pid))
        recent = samples[-SETTLED_SAMPLES:]
        if len(recent) == SETTLED_SAMPLES and max(recent) < 1.01 * min(recent):
            break
    return samples[-1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
