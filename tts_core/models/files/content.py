"""The facts of an expected file on the disk: its size, its content's hash, and whether the content fits the name.

Small files are read and hashed at every look. Of large ones only the head and tail are read, and their sha256 is known
only if the hash cache has it; a file whose sha256 is the published one needs no other proof.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_core.models.catalogue import CONFIG_FILE, VOCABULARY_FILES, WEIGHTS_SUFFIX, ModelFile
from tts_core.models.files import ctranslate2_file, safetensors_header
from tts_core.models.files.config import ModelConfig, parse_config
from tts_core.models.files.findings import FileProblem, Params, ProblemCode
from tts_core.models.files.hash_cache import Digest, HashCache

SMALL_FILE_BYTES = 256 << 10
"""The largest small file; every JSON file but the vocabulary is smaller."""

_HEAD_BYTES = 4096
_LFS_VERSION = b"version https://git-lfs.github.com/spec/v1"
_LFS_SHA256 = re.compile(rb"^oid sha256:([0-9a-f]{64})\s*$", re.MULTILINE)
_LFS_SIZE = re.compile(rb"^size ([0-9]{1,18})\s*$", re.MULTILINE)
_MARKUP = re.compile(rb"\s*<(!doctype|!--|\?xml|html|head|body|title|error|h[1-6])", re.IGNORECASE)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ANSWER_KEYS = frozenset({"error", "errors", "detail", "message", "msg", "Code", "Message"})
_MAX_ANSWER_KEYS = 10


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The facts known of an expected file."""

    file: ModelFile
    path: Path
    found: os.stat_result | None
    """The file's status on the disk; None if it is missing."""
    problem: FileProblem | None = None
    digest: Digest | None = None
    """The content's digest; None if it is not known (yet)."""
    config: ModelConfig | None = None
    """The facts in the file where it is a config.json."""

    @property
    def is_missing(self) -> bool:
        return self.found is None and self.problem is None

    @property
    def is_sound(self) -> bool:
        return self.found is not None and self.problem is None

    @property
    def size(self) -> int:
        return self.found.st_size if self.found else 0

    @property
    def has_other_size(self) -> bool:
        return self.is_sound and self.size != self.file.size

    @property
    def has_other_hash(self) -> bool:
        return self.is_sound and None not in (self.digest, self.file.sha256) and not self.is_published

    @property
    def was_published(self) -> bool:
        """Whether an earlier look found the published content here."""
        return self.digest is not None and self.file.sha256 in self.digest.earlier

    @property
    def is_published(self) -> bool:
        return self.digest is not None and self.digest.sha256 == self.file.sha256

    @property
    def differs(self) -> bool:
        return self.has_other_size or self.has_other_hash

    @property
    def is_unread(self) -> bool:
        """Whether reading the file through would find its hash or, in weights without one, a hole of zeros."""
        return self.is_sound and self.digest is None and (self.file.sha256 is not None or self.file.is_weights)

    @property
    def bytes_done(self) -> int:
        """The bytes that need no second download, at most the expected ones."""
        is_real = self.problem is None or self.problem.code == "truncated"
        return min(self.size, self.file.size) if is_real else 0


def look_at(folder: Path, file: ModelFile, hashes: HashCache) -> FileFacts:
    """The facts about `file` in a model's folder; an error of the disk becomes a problem, never an exception."""
    path = folder / file.path
    found: os.stat_result | None = None
    try:
        found = path.stat()
        return _look_inside(file, path, found, hashes)
    except (FileNotFoundError, NotADirectoryError):
        return FileFacts(file, path, None)
    except OSError as error:
        return FileFacts(file, path, found, unreadable(file, error))


def unreadable(file: ModelFile, error: OSError) -> FileProblem:
    return FileProblem(file.path, "unreadable", {"reason": error.strerror or type(error).__name__})


def _look_inside(file: ModelFile, path: Path, found: os.stat_result, hashes: HashCache) -> FileFacts:
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
        return FileFacts(file, path, found, FileProblem(file.path, "unreadable", {"reason": "not a regular file"}))
    if found.st_size == 0 and file.size > 0:
        return FileFacts(file, path, found, FileProblem(file.path, "empty_file"))
    is_small = found.st_size <= SMALL_FILE_BYTES
    head, tail = _ends(path, found.st_size, whole=is_small)
    digest = Digest(hashlib.sha256(head).hexdigest(), False) if is_small else hashes.get(path, found)
    config = parse_config(head) if is_small and path.name == CONFIG_FILE else None
    problem = None
    if digest is None or digest.sha256 != file.sha256:
        problem = _find_problem(FileFacts(file, path, found), head, tail)
        if problem is None and is_small and path.name == CONFIG_FILE and config is None:
            problem = FileProblem(file.path, "json_body")
    return FileFacts(file, path, found, problem, digest, config)


def _ends(path: Path, size: int, *, whole: bool) -> tuple[bytes, bytes]:
    with path.open("rb") as stream:
        head = stream.read(size if whole else _HEAD_BYTES)
        stream.seek(max(0, size - _HEAD_BYTES))
        return head, stream.read(_HEAD_BYTES)


def _find_problem(facts: FileFacts, head: bytes, tail: bytes) -> FileProblem | None:
    """The problem that makes the content unfit for a file of this name, looked for by the clearest sign first."""
    name = facts.file.path
    if head.startswith(_LFS_VERSION):
        return FileProblem(name, "lfs_pointer", _pointer_params(facts.file, head))
    if head and not head.strip(b"\0"):
        return FileProblem(name, "zero_filled")
    if facts.file.is_weights:
        return _weights_problem(facts, head)
    text = head.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if _MARKUP.match(text):
        return FileProblem(name, "html_page")
    if name.endswith(".json"):
        return _json_problem(facts, text, tail.rstrip())
    return FileProblem(name, "json_body") if text.startswith((b'{"', b"[{")) else None


def _pointer_params(file: ModelFile, text: bytes) -> Params:
    """The file that a placeholder stands for, and whether that is the published one."""
    sha256, size = _LFS_SHA256.search(text), _LFS_SIZE.search(text)
    pointed_sha256 = sha256[1].decode() if sha256 else ""
    pointed_size = int(size[1]) if size else 0
    is_published = pointed_size == file.size and file.sha256 in (pointed_sha256, None)
    return {"pointed_sha256": pointed_sha256, "pointed_size": pointed_size, "is_published": is_published}


def _weights_problem(facts: FileFacts, head: bytes) -> FileProblem | None:
    name, size = facts.file.path, facts.size
    form = safetensors_header if name.endswith(WEIGHTS_SUFFIX) else ctranslate2_file
    try:
        with facts.path.open("rb") as stream:
            declared = form.declared_size(stream)
    except ValueError as error:
        # Checked only now: the first byte of a sound file may be any, "<" and "{" too.
        text = head.removeprefix(_BYTE_ORDER_MARK).lstrip()
        if _MARKUP.match(text):
            return FileProblem(name, "html_page")
        if text.startswith((b"{", b"[")):
            return FileProblem(name, "json_body")
        code: ProblemCode = "bad_safetensors_header" if form is safetensors_header else "bad_weights_header"
        return FileProblem(name, code, {"reason": str(error)})
    if declared is None or size < declared:
        return FileProblem(name, "truncated", {"size": size, "expected": declared or facts.file.size})
    if size > declared:
        return FileProblem(name, "wrong_size", {"size": size, "expected": declared})
    return None


def _json_problem(facts: FileFacts, text: bytes, tail: bytes) -> FileProblem | None:
    name, size = facts.file.path, facts.size
    kind, opening, closing = (list, b"[", b"]") if name in VOCABULARY_FILES else (dict, b"{", b"}")
    if size > SMALL_FILE_BYTES:  # parsing a vocabulary takes too long for every look
        reason = "" if text.startswith(opening) and tail.endswith(closing) else "no closing brace"
    else:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        else:
            reason = "" if isinstance(data, kind) else "not an object"
            if isinstance(data, dict) and _is_answer(data):
                return FileProblem(name, "json_body")
    if not reason:
        return None
    if text.startswith(opening) and size < facts.file.size:
        return FileProblem(name, "truncated", {"size": size, "expected": facts.file.size})
    return FileProblem(name, "bad_json", {"reason": reason})


def _is_answer(data: Mapping[str, object]) -> bool:
    """Whether JSON is a server's error message; a small vocabulary may have the words, but their values are numbers."""
    words = (data[key] for key in _ANSWER_KEYS & data.keys())
    return len(data) <= _MAX_ANSWER_KEYS and any(isinstance(value, (str, list, dict)) for value in words)
