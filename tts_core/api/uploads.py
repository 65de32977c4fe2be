"""Files that clients send and fetch: in folders of their own that never outlive the request."""

from __future__ import annotations

import base64
import binascii
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from anyio import CancelScope
from anyio.to_thread import run_sync
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from tts_core.audio.faults import AudioUnreadable
from tts_core.platform.paths import shared_temporary_dir
from tts_core.platform.whole_files import open_private
from tts_core.voices.recordings import disk_errors_typed

_PREFIX = "tts-studio-"
_COPIED_BYTES = 1 << 20


@contextmanager
def kept_upload(stream: BinaryIO) -> Iterator[Path]:
    """The uploaded file, kept until the end of the block. The client's name for it plays no part.

    Raises LibraryUnwritable when there is no room for it.
    """
    folder = new_folder()
    try:
        path = folder / "upload"
        with disk_errors_typed(folder), open_private(path, "wb") as target:
            shutil.copyfileobj(stream, target, _COPIED_BYTES)
        yield path
    finally:
        _remove(folder)


def audio_in_base64(text: str, field: str) -> BytesIO:
    """The sound in base64 text, also from a data: address, as browsers write it; `field` is its place in the request.

    Raises AudioUnreadable.
    """
    head, comma, body = text.partition(",")
    encoded = body if comma and head.startswith("data:") and head.endswith(";base64") else text
    try:
        return BytesIO(base64.b64decode("".join(encoded.split()), validate=True))
    except (binascii.Error, ValueError):
        raise AudioUnreadable(path=field, reason="it is not base64", field=field) from None


def new_folder() -> Path:
    """A new folder for a file; PassingFile removes it once the file is sent. Raises LibraryUnwritable."""
    with disk_errors_typed(shared_temporary_dir()):
        return Path(mkdtemp(prefix=_PREFIX))


class PassingFile(FileResponse):
    """An answer with a file from a folder that `new_folder` made. The folder is removed once the file was sent, or the
    client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await run_sync(_remove, Path(self.path).parent)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
