"""Checks whether a server answers at an address and whether a port is free. This machine only, never by a proxy."""

from __future__ import annotations

import http
import http.client
import json
import os
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

MAX_ANSWER_BYTES = 1_000_000


def ask(url: str, timeout_s: float) -> tuple[int, bytes]:
    """The status and body of an answer. Raises OSError or http.client.HTTPException where nothing fitting answers."""
    parts = urlsplit(url)
    assert parts.hostname is not None  # noqa: S101 - our own addresses
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout_s, context=_any_certificate()
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts.path or "/", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_ANSWER_BYTES)
    finally:
        connection.close()


def answers(url: str, timeout_s: float) -> bool:
    """Whether a server answers. A refusal is an answer, too; a server error (status 500 and above) is none."""
    try:
        return ask(url, timeout_s)[0] < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False


def says_json(url: str, timeout_s: float) -> Any:
    """The JSON answered at `url`; None where there is no such answer."""
    try:
        return json.loads(ask(url, timeout_s)[1])
    except (OSError, http.client.HTTPException, ValueError):
        return None


def is_free(host: str, port: int) -> bool:
    """Whether the service itself will be able to listen at that port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        # Connections of a server that has just ended keep the address for a minute; a new server gets it all the same.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name == "posix"))
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError:
            return False
        return True


def _any_certificate() -> ssl.SSLContext:
    """A TLS context that accepts any certificate: our own process here has one that names another host."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
