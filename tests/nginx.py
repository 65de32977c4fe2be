"""A real nginx in front of the app, with the configuration that people are given."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser import in_ci
from tests.certificates import write_certificate
from tests.conftest import wait_until
from tts_core.platform.paths import ROOT_DIR

GIVEN = ROOT_DIR / "deploy" / "nginx.conf"
GIVEN_NAME = "speech.example.com"
PREFIX = "/tts"
MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def find_nginx() -> str | None:
    return shutil.which("nginx") or next((path for path in ("/usr/sbin/nginx",) if Path(path).exists()), None)


def nginx_or_skip() -> str:
    """For a fixture: without nginx a developer's run skips, continuous integration fails."""
    nginx = find_nginx()
    if nginx is None:
        (pytest.fail if in_ci() else pytest.skip)("no nginx found; python -m tests installs it on Debian")
    return nginx


@contextmanager
def nginx_before(app_port: int, folder: Path, name: str) -> Iterator[str]:
    """nginx with the given site under that host name. Yields its address, whose path is /tts, without a slash."""
    nginx = nginx_or_skip()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    cert, key = write_certificate(folder / "certificate", name)
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server 127.0.0.1:7860": f"server 127.0.0.1:{app_port}",
        f"/etc/ssl/certs/{GIVEN_NAME}.pem": str(cert),
        f"/etc/ssl/private/{GIVEN_NAME}.key": str(key),
        f"server_name {GIVEN_NAME}": f"server_name {name}",
    }
    site = "".join(line for line in GIVEN.read_text("utf-8").splitlines(keepends=True) if not line.startswith("#"))
    for given, used in changes.items():
        assert site.count(given) == 1, given
        site = site.replace(given, used)
    (folder / "site.conf").write_text(site, "utf-8")
    is_root = Path(folder).owner() == "root"
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user="user root;" if is_root else ""), "utf-8")
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: process.poll() is not None or _answers(port))
        assert process.poll() is None, process.communicate()[1].decode()
        yield f"https://{name}:{port}{PREFIX}"
    finally:
        process.terminate()
        process.communicate(timeout=120)


def _answers(port: int) -> bool:
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, unchecked.wrap_socket(plain):
            return True
    except OSError:
        return False
