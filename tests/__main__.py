"""`python -m tests`: format, lint, types and the tests, stopping at the first check that fails.

There are three lanes. `--quick` leaves out the tests marked slow and needs no browser. Without an option all run but
those marked thorough; `--all` runs these, too. docs/measuring.md says how long that takes. The rest goes to pytest.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tests import ROOT
from tests.browser import find_browser, in_ci
from tests.nginx import find_nginx

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
)
"""Modules and their arguments; the tests come after them."""
QUICK, ALL = "--quick", "--all"
FAILED_TESTS = 1
"""pytest's exit status for tests that ran and failed."""
WORKERS = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""Half of the time is spent waiting for servers and pages, so two processes are faster even on one core. The tests of a
file share its fixtures, and files keep their order, which tests/conftest.py chooses."""
CHANCES = 3
"""Continuous integration shares its machine: what was too slow once is asked again, alone and in a fresh process."""


def main(arguments: Sequence[str]) -> int:
    pytest_arguments = [argument for argument in arguments if argument not in (QUICK, ALL)]
    if QUICK in arguments:
        pytest_arguments += ["-m", "not slow and not thorough"]
    elif ALL not in arguments:
        pytest_arguments += ["-m", "not thorough"]
    if QUICK not in arguments and not has_browser() and in_ci():
        return 1
    for module, *fixed in CHECKS:
        status = run([sys.executable, "-m", module, *fixed])
        if status != 0:
            return status
    return run_tests(pytest_arguments, CHANCES if in_ci() else 1)


def run_tests(arguments: Sequence[str], chances: int) -> int:
    """Each further chance is for the tests that failed alone; the output of every run stays, so they are named."""
    pytest = [sys.executable, "-m", "pytest", *WORKERS, *arguments]
    status = run(pytest)
    for _ in range(chances - 1):
        if status == FAILED_TESTS:
            status = run([*pytest, "--last-failed", "--last-failed-no-failures", "none"])
    return status


def has_browser() -> bool:
    """Gets one where that is possible; says so where it is not."""
    install_for_browser_tests()
    if find_browser() is None:
        sys.stderr.write("No chromium or chrome was found: the browser tests can't run.\n")
        return False
    return True


def install_for_browser_tests() -> None:
    """On Debian, where we may: chromium if there is no browser, a font for the page's Chinese, and nginx."""
    there = {"chromium": find_browser(), "fonts-noto-cjk": has_chinese_font(), "nginx-light": find_nginx()}
    packages = [package for package, found in there.items() if not found]
    become_root = root_prefix()
    if not packages or shutil.which("apt-get") is None or become_root is None:
        return
    apt = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if run([*apt, "update"]) == 0:
        run([*apt, "install", "-y", "--no-install-recommends", *packages])


def root_prefix() -> list[str] | None:
    """What to put before a command that needs root; None where we may not become root without a password."""
    if os.name != "posix":
        return None
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    return [sudo, "-n"] if sudo and subprocess.run([sudo, "-n", "true"], check=False).returncode == 0 else None


def has_chinese_font() -> bool:
    lister = shutil.which("fc-list")
    if lister is None:
        return False
    return bool(subprocess.run([lister, ":lang=zh"], capture_output=True, check=False).stdout.strip())


def run(command: Sequence[str]) -> int:
    sys.stdout.write(f"$ {shlex.join(command)}\n")
    sys.stdout.flush()
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
