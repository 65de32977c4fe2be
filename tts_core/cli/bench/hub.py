"""A hub on loopback for `bench download`, run as a process of its own: one repository, served as Hugging Face does.

`python -m tts_core.cli.bench.hub FOLDER BYTES_PER_S` serves the files of FOLDER (0 is without a limit) and prints the
address. It answers only what a download asks for; the hubs that break on command are in tests/hubs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPOSITORY = "bench/model"
REVISION = "0" * 40
CHUNK_BYTES = 1 << 20
BUFFER_BYTES = 256 << 10
"""The sender's buffer where the link is limited: larger ones of the system make it look faster at first."""
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def main(folder: str, bytes_per_s: str) -> None:
    server = _Server(Path(folder), float(bytes_per_s))
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, bytes_per_s: float) -> None:
        self.folder, self.bytes_per_s = folder, bytes_per_s
        files = [path for path in folder.iterdir() if path.is_file()]
        self.hashes = {path.name: sha256_of(path) for path in files}
        self._free_at, self._lock = 0.0, threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the error: clients may go away."""

    def wait_for_link(self, count: int) -> None:
        """Wait until the link, which all connections share, may carry `count` more bytes."""
        if not self.bytes_per_s:
            return
        with self._lock:
            now = time.monotonic()
            starts = max(self._free_at, now - 0.01)
            self._free_at = starts + count / self.bytes_per_s
        time.sleep(max(0.0, starts - now))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.rpartition("/")[2]
        if path.startswith(f"/api/models/{REPOSITORY}"):
            self._send_json(self._tree() if "/tree/" in path else self._info())
        elif path.startswith(f"/{REPOSITORY}/resolve/") and name in self.server.hashes:
            self._send_file(name)
        else:
            self._head(404, {"Content-Length": "0"})

    do_HEAD = do_GET  # noqa: N815 - the base class' name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
        """Log nothing."""

    def _info(self) -> object:
        return {
            "id": REPOSITORY,
            "sha": REVISION,
            "siblings": [self._row(name, "sha256") for name in self.server.hashes],
        }

    def _tree(self) -> object:
        return [{**self._row(name, "oid"), "type": "file", "path": name} for name in self.server.hashes]

    def _row(self, name: str, hash_field: str) -> dict[str, object]:
        size, sha256 = (self.server.folder / name).stat().st_size, self.server.hashes[name]
        lfs = {hash_field: sha256, "size": size, "pointerSize": 134}
        return {"rfilename": name, "size": size, "oid": sha256[:40], "blobId": sha256[:40], "lfs": lfs}

    def _send_json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _send_file(self, name: str) -> None:
        file, match = self.server.folder / name, _RANGE.fullmatch(self.headers.get("Range", ""))
        size = file.stat().st_size
        start = int(match[1]) if match else 0
        stop = min(size, int(match[2]) + 1) if match and match[2] else size
        headers = {"Content-Length": str(stop - start), "Accept-Ranges": "bytes", "X-Repo-Commit": REVISION}
        headers |= {"ETag": f'"{self.server.hashes[name]}"'}
        if match:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        self._head(206 if match else 200, headers)
        if self.command == "GET":
            self._stream(file, start, stop)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, file: Path, start: int, stop: int) -> None:
        if self.server.bytes_per_s:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        largest = BUFFER_BYTES if self.server.bytes_per_s else CHUNK_BYTES
        with file.open("rb") as stream:
            at = start
            while at < stop:
                count = min(largest, stop - at)
                self.server.wait_for_link(count)
                if hasattr(os, "sendfile"):
                    at += os.sendfile(self.connection.fileno(), stream.fileno(), at, count)
                else:
                    stream.seek(at)
                    self.connection.sendall(stream.read(count))
                    at += count


def sha256_of(file: Path) -> str:
    sha256 = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(CHUNK_BYTES):
            sha256.update(block)
    return sha256.hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
