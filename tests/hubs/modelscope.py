"""ModelScope's routes, as modelscope_hub asks for them (0.5) with an explicit endpoint."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hubs.content import StoredFile
from tests.hubs.http_server import Call, FileBody, Reply
from tests.hubs.hub import LoopbackHub, Repository

_ROUTE = re.compile(r"/api/v1/models/(?P<id>[^/]+/[^/]+)(?P<what>|/repo|/repo/files|/revisions)/?")
_REVISIONS = ("", "master")


class ModelScopeHub(LoopbackHub):
    def _route(self, call: Call) -> Reply:
        parts = urlsplit(call.path)
        match = _ROUTE.fullmatch(unquote(parts.path))
        if match is None:
            return _failure(404, "not found")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        reply = self._answer(match["id"], match["what"], query)
        is_bytes = isinstance(reply.body, FileBody)
        reply.stage = "bytes" if is_bytes else "address" if match["what"] == "/repo" else "listing"
        reply.repository, reply.file = match["id"], query.get("FilePath", "")
        return reply

    def _answer(self, repository_id: str, what: str, query: dict[str, str]) -> Reply:
        repository = self.repositories.get(repository_id)
        if repository is None:
            return _failure(404, "the model does not exist")
        if what in ("/repo", "/repo/files") and query.get("Revision", "") not in (*_REVISIONS, repository.revision):
            return _failure(404, "the revision does not exist")
        if what == "/repo":
            return self._file(repository, query.get("FilePath", ""))
        return self._facts(repository, what)

    def _facts(self, repository: Repository, what: str) -> Reply:
        if self._listing_fault().success_false:
            return _json(200, {"Code": 10010205001, "Success": False, "Message": "the model is private", "Data": {}})
        if what == "/repo/files":
            return _success({"Files": self._rows(repository)})
        if what == "/revisions":
            branches = [{"Revision": "master"}]
            return _success({"RevisionMap": {"Branches": branches, "Tags": []}})
        owner, name = repository.id.split("/")
        return _success({"Id": 1, "Name": name, "Path": owner, "Visibility": 5, "Revision": "master"})

    def _rows(self, repository: Repository) -> list[dict[str, object]]:
        fault = self._listing_fault()
        stand_in = next(iter(repository.files.values()))
        files = {path: file for path, file in repository.files.items() if path not in fault.unlisted}
        files |= dict.fromkeys(fault.listed, stand_in)
        folders = {path.rsplit("/", 1)[0] for path in repository.files if "/" in path}
        trees: list[dict[str, object]] = [{"Path": path, "Name": path, "Type": "tree", "Size": 0} for path in folders]
        return trees + [self._row(repository, path, file) for path, file in files.items()]

    def _row(self, repository: Repository, path: str, file: StoredFile) -> dict[str, object]:
        fault = self.faults.for_listed(path)
        return {
            "Path": path,
            "Name": path.rsplit("/", 1)[-1],
            "Type": "blob",
            "Size": file.size if fault.listed_size is None else fault.listed_size,
            "Sha256": fault.listed_sha256 or file.sha256,
            "Revision": repository.revision,
            "IsLFS": file.size >= 100_000,
        }

    def _file(self, repository: Repository, path: str) -> Reply:
        file = repository.files.get(path)
        if file is None:
            return _failure(404, "the file does not exist")
        if self.redirects_large_files and file.size >= 100_000:
            headers = {"Location": self._signed(file, path, repository.id), "X-Linked-ETag": f'"{file.sha256}"'}
            return Reply(302, headers)
        headers = {"Content-Type": "application/octet-stream"}
        return Reply(200, headers, FileBody(file.source, file.size, f'"ms-{file.git_sha1}"'))


def _success(data: object) -> Reply:
    return _json(200, {"Code": 200, "Success": True, "Message": "", "RequestId": "0", "Data": data})


def _failure(status: int, message: str) -> Reply:
    return _json(status, {"Code": 10010205001, "Success": False, "Message": message, "Data": None})


def _json(status: int, body: object) -> Reply:
    return Reply(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(body).encode())
