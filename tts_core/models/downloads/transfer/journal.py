"""The journal of a part: a small JSON file beside it of the bytes proven to be on the disk, replaced whole after
each sync."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tts_core.models.downloads.transfer.spans import Span
from tts_core.platform.whole_files import patiently

_VERSION = 1
_MOST_BYTES = 1_000_000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,200}"')
"""An ETag of RFC 9110, 8.8.3, neither weak (13.1.5 keeps those out of If-Range) nor with other than ASCII."""


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a journal. Its bytes were on the disk before it was written."""

    size: int
    sha256: str | None
    spans: tuple[Span, ...] = ()
    """The spans that have been written, in order."""
    marks: Mapping[int, str] = field(default_factory=dict)
    """The sha256 of prefixes of the file, by their end."""
    etags: Mapping[str, str] = field(default_factory=dict)
    """The strong ETags that addresses (without their queries) gave."""


def is_strong(etag: str) -> bool:
    return _STRONG_ETAG.fullmatch(etag) is not None


def read_record(file: Path, size: int, sha256: str | None) -> Record | None:
    """The journal of that content; None where there is none that can be trusted. Never raises."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        data = json.loads(file.read_bytes())
        record = Record(
            size=data["size"],
            sha256=data["sha256"],
            spans=tuple((start, end) for start, end in data["spans"]),
            marks={int(end): digest for end, digest in data["marks"].items()},
            etags=dict(data["etags"]),
        )
        fits = data["version"] == _VERSION and (record.size, record.sha256) == (size, sha256)
        return record if fits and _is_sound(record) else None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def write_record(file: Path, record: Record) -> None:
    """Replace the journal, durably once this returns. Raises OSError; the journal is then as it was."""
    data = {
        "version": _VERSION,
        "size": record.size,
        "sha256": record.sha256,
        "spans": record.spans,
        "marks": record.marks,
        "etags": record.etags,
    }
    fresh = file.with_name(file.name + ".new")
    try:
        with fresh.open("wb") as stream:
            stream.write(json.dumps(data).encode())
            stream.flush()
            os.fsync(stream.fileno())
        patiently(lambda: fresh.replace(file))
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def _is_sound(record: Record) -> bool:
    edges = [edge for span in record.spans for edge in span]
    numbers = [*edges, *record.marks]
    return (
        all(type(number) is int and 0 <= number <= record.size for number in numbers)
        and edges == sorted(set(edges))
        and all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in record.marks.values())
        and all(
            isinstance(url, str) and isinstance(etag, str) and is_strong(etag) for url, etag in record.etags.items()
        )
    )
