"""Checks of a hub's list of files before anything is fetched: it must come in time, be safe, and be as published."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeGuard, TypeVar
from urllib.parse import urlsplit

from tts_core.models.catalogue import ModelFile
from tts_core.models.download_faults import NetTimeout, NotAHub, NotFoundThere, RemoteChanged, UnsafePath
from tts_core.models.downloads.hub import Listing, RemoteFile

if TYPE_CHECKING:
    from requests import PreparedRequest

LISTING_S = 8.0
"""The time for a whole listing: three silent sources are left within half a minute."""
CONNECT_S = 5.0
MOST_BYTES = 16 << 20
"""The most bytes of a listing: ten times ModelScope's longest one (3000 files)."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
Answer = TypeVar("Answer")


def host_of(url: str) -> str:
    """The source's name for people: the host and, where it is not the usual one, the port."""
    return urlsplit(url).netloc.rpartition("@")[2]


def in_time(work: Callable[[], Answer], url: str, *, seconds: float = LISTING_S) -> Answer:
    """The answer of `work`, or what it raised; NetTimeout if there is neither in time.

    HTTP timeouts bound the silence between two bytes, not the whole: a source that drips would hold a listing for
    hours. A late answer is dropped when it ends, on a thread that does not keep the app from ending.
    """
    outcome: Future[Answer] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            outcome.set_exception(error)

    threading.Thread(target=run, name="hub-listing", daemon=True).start()
    if not wait([outcome], timeout=seconds).done:
        raise NetTimeout(source=host_of(url))
    return outcome.result()


def no_login(request: PreparedRequest) -> PreparedRequest:
    """An `auth` for requests that keeps it from looking for a login in .netrc."""
    return request


def safe_files(rows: Iterable[tuple[object, object, object]], url: str) -> dict[str, RemoteFile]:
    """The RemoteFiles by path, from rows of path, size and sha256 (the last two None where the hub reports none).

    Raises UnsafePath for names that leave the folder or that are one file on some systems, NotAHub for rows that are
    no list of files.
    """
    files: dict[str, RemoteFile] = {}
    folded: set[str] = set()
    for path, size, sha256 in rows:
        if not isinstance(path, str) or not _is_size(size):
            raise NotAHub(source=host_of(url))
        if not stays_inside(path) or (fold := unicodedata.normalize("NFC", path).casefold()) in folded:
            raise UnsafePath(source=host_of(url), file=path)
        folded.add(fold)
        files[path] = RemoteFile(path, size, _checked_sha256(sha256, url))
    if not files:  # a login page, or a refusal in a 200 answer, read as a list looks so
        raise NotAHub(source=host_of(url))
    return files


def _is_size(value: object) -> TypeGuard[int | None]:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def stays_inside(path: str) -> bool:
    """Whether a relative path with forward slashes means a place below its folder on Linux, macOS and Windows."""
    parts = path.split("/")
    is_plain = not _CONTROL.search(path) and "\\" not in path and ":" not in path
    # Windows drops dots and spaces at the end: ".. " is its parent, too.
    return is_plain and all(part.strip(" .") for part in parts)


def check_published(wanted: Sequence[ModelFile], listing: Listing, url: str) -> None:
    """Check that every wanted file is listed as the catalogue knows it. Raises NotFoundThere and RemoteChanged."""
    for file in wanted:
        remote = listing.files.get(file.path)
        if remote is None:
            raise NotFoundThere(source=host_of(url), file=file.path)
        is_other = file.sha256 is not None and remote.sha256 is not None and remote.sha256 != file.sha256
        if is_other or remote.size not in (file.size, None):
            raise RemoteChanged(source=host_of(url), file=file.path)


def _checked_sha256(value: object, url: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _SHA256.fullmatch(value.lower()):
        raise NotAHub(source=host_of(url))
    return value.lower()
