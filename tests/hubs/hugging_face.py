"""Hugging Face's routes, as huggingface_hub asks for them (0.36 to 2.4); the mirror speaks the same."""

from __future__ import annotations

import json
import re
from email.message import Message
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hubs.content import StoredFile
from tests.hubs.http_server import Call, FileBody, Reply
from tests.hubs.hub import LoopbackHub, Repository

_MODEL = re.compile(
    r"/api/models/(?P<id>[^/]+/[^/]+)(?:/(?P<what>revision|tree|paths-info)/(?P<revision>[^/]+))?(?P<rest>/.*)?"
)
_RESOLVE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_RESOLVE_CACHE = re.compile(r"/api/resolve-cache/models/(?P<id>[^/]+/[^/]+)/(?P<revision>[^/]+)/(?P<path>.+)")
_POINTER_BYTES = 134


class HuggingFaceHub(LoopbackHub):
    lfs_bytes = 100_000
    """Files from this size on are kept in LFS."""
    redirects_small_files = False
    """As the real one does: 307 to a same-host address."""
    gated: frozenset[str] = frozenset()
    """Repositories that only accounts with a token get."""

    def _route(self, call: Call) -> Reply:
        where = unquote(urlsplit(call.path).path)
        if match := _MODEL.fullmatch(where):
            reply = self._model(match, call)
            reply.stage, reply.repository = "listing", match["id"]
            return reply
        for pattern, is_cache in ((_RESOLVE_CACHE, True), (_RESOLVE, False)):
            if match := pattern.fullmatch(where):
                reply = self._resolve(match, call.headers, is_cache=is_cache)
                reply.stage = "bytes" if isinstance(reply.body, FileBody) else "address"
                reply.repository, reply.file = match["id"], match["path"]
                return reply
        return Reply(404)

    def _found(self, match: re.Match[str], headers: Message) -> Repository | Reply:
        repository = self.repositories.get(match["id"])
        if repository is None:
            return _error(401, "RepoNotFound") if "Authorization" not in headers else _error(404, "RepoNotFound")
        if repository.id in self.gated and "Authorization" not in headers:
            return _error(403, "GatedRepo")
        if match["revision"] not in (None, "main", repository.revision):
            return _error(404, "RevisionNotFound")
        return repository

    def _model(self, match: re.Match[str], call: Call) -> Reply:
        found = self._found(match, call.headers)
        if isinstance(found, Reply):
            return found
        body: object
        if match["what"] == "tree":
            body = [self._tree_row(path, file) for path, file in self._listed(found).items()]
        elif match["what"] == "paths-info":
            asked = _asked_paths(call)
            body = [self._tree_row(path, file) for path, file in self._listed(found).items() if path in asked]
        else:
            siblings = [self._sibling(path, file) for path, file in self._listed(found).items()]
            body = {"_id": "0", "id": found.id, "modelId": found.id, "sha": found.revision, "private": False}
            body |= {"gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0, "siblings": siblings}
        return Reply(200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(body).encode())

    def _listed(self, repository: Repository) -> dict[str, StoredFile]:
        fault = self._listing_fault()
        stand_in = next(iter(repository.files.values()))
        files = {path: file for path, file in repository.files.items() if path not in fault.unlisted}
        return files | dict.fromkeys(fault.listed, stand_in)

    def _facts(self, path: str, file: StoredFile) -> tuple[int, str]:
        fault = self.faults.for_listed(path)
        size = file.size if fault.listed_size is None else fault.listed_size
        return size, fault.listed_sha256 or file.sha256

    def _sibling(self, path: str, file: StoredFile) -> dict[str, object]:
        size, sha256 = self._facts(path, file)
        lfs = {"sha256": sha256, "size": size, "pointerSize": _POINTER_BYTES}
        row: dict[str, object] = {"rfilename": path, "size": size, "blobId": file.git_sha1}
        return row | ({"lfs": lfs} if self._is_lfs(file) else {})

    def _tree_row(self, path: str, file: StoredFile) -> dict[str, object]:
        size, sha256 = self._facts(path, file)
        lfs = {"oid": sha256, "size": size, "pointerSize": _POINTER_BYTES}
        row: dict[str, object] = {"type": "file", "path": path, "size": size, "oid": file.git_sha1}
        return row | ({"lfs": lfs} if self._is_lfs(file) else {})

    def _is_lfs(self, file: StoredFile) -> bool:
        return file.size >= self.lfs_bytes

    def _resolve(self, match: re.Match[str], headers: Message, *, is_cache: bool) -> Reply:
        found = self._found(match, headers)
        if isinstance(found, Reply):
            return found
        path = match["path"]
        file = found.files.get(path)
        if file is None:
            return _error(404, "EntryNotFound")
        known = {"X-Repo-Commit": found.revision}
        if self._is_lfs(file) and self.redirects_large_files:
            known |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
            known |= {
                "Accept-Ranges": "bytes",
                "ETag": f'"{file.sha256}"',
                "Location": self._signed(file, path, found.id),
            }
            return Reply(302, known)
        if self.redirects_small_files and not is_cache:
            address = f"/api/resolve-cache/models/{found.id}/{found.revision}/{path}"
            return Reply(307, known | {"ETag": f'"{file.git_sha1}"', "Location": address})
        return Reply(200, known, FileBody(file.source, file.size, f'"{file.git_sha1}"'))


def _asked_paths(call: Call) -> list[str]:
    """Of a POST to paths-info, as a form or as JSON."""
    text = call.body.decode()
    if call.headers.get_content_type() == "application/json":
        paths = json.loads(text)["paths"]
        return [paths] if isinstance(paths, str) else list(paths)
    return parse_qs(text).get("paths", [])


def _error(status: int, code: str) -> Reply:
    body = json.dumps({"error": code}).encode()
    return Reply(status, {"X-Error-Code": code, "X-Error-Message": code, "Content-Type": "application/json"}, body)
