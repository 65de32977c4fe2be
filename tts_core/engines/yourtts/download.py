"""Use case: YourTTS's model from where Coqui published it, with progress, resumed after a break.

It is a zip of about 400 MB on GitHub. Nobody published a hash of it, so what is checked is its length, the checksum
that the zip has of each file, and that all files of a model are there; its pickles are read without running anything.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tts_core.domain.engine import CancelCheck
from tts_core.engines.yourtts.faults import ModelArchiveInvalid
from tts_core.engines.yourtts.finder import LOCAL_NAME
from tts_core.engines.yourtts.model_folder import FILES, missing_from
from tts_core.models.download_faults import Offline
from tts_core.models.downloads.disk import check_space, disk_faults
from tts_core.models.downloads.hub import Remote
from tts_core.models.downloads.transfer.measure import remote_size
from tts_core.models.downloads.transfer.part_file import PartStore, Want, put_aside
from tts_core.models.downloads.transfer.transfer import TransferOptions, transfer
from tts_core.platform.faults import InvalidEndpoint
from tts_core.platform.settings.studio import Settings
from tts_core.platform.whole_files import patiently

logger = logging.getLogger(__name__)

LICENCE = "CC BY-NC-ND 4.0: not for commercial use, and not to be changed and passed on"
"""The licence of the published model, as coqui-tts names it."""
_ARCHIVE = "YourTTS.zip"
_UNPACKED_SHARE = 1.2
"""The unpacked size as a share of the archive's: its files hardly shrink."""
_MAX_FILE_BYTES = 3_000_000_000
_COPY_BYTES = 1 << 20


def fetch_model(settings: Settings, *, cancelled: CancelCheck, progress: Callable[[int, int], None]) -> Path:
    """Fetch the model; answers its folder in the models folder. `progress` gets bytes done and to do.

    Raises InvalidEndpoint, DownloadFault of many kinds, Interrupted among them, and ModelArchiveInvalid. What was
    fetched is kept.
    """
    if settings.sources.offline:
        raise Offline
    if (problem := settings.yourtts.url_problem) is not None:
        raise InvalidEndpoint(**problem.params)
    url = settings.yourtts.model_url
    remote = Remote(url, urlsplit(url).hostname or url)
    size = remote_size(remote)
    want = Want(_ARCHIVE, size, None, "of-" + hashlib.sha256(f"{url}\n{size}".encode()).hexdigest()[:40])
    parts = PartStore(settings.paths.yourtts_dir / "download")
    check_space(settings.paths.yourtts_dir, size - parts.present_bytes(want))
    check_space(settings.paths.models_dir, round(size * _UNPACKED_SHARE))
    archive = settings.paths.yourtts_dir / "download" / _ARCHIVE
    with parts.open(want) as part:
        transfer(
            part,
            lambda: remote,
            TransferOptions(),
            cancelled=cancelled,
            progress=lambda present: progress(present, size),
        )
    parts.publish(want, archive)
    try:
        return _unpack(archive, settings.paths.models_dir / LOCAL_NAME, remote.source)
    finally:
        archive.unlink(missing_ok=True)


def _unpack(archive: Path, target: Path, source: str) -> Path:
    """Unpack the archive and move the model to `target`. Raises ModelArchiveInvalid, DiskFault."""
    part = target.with_name(f".{target.name}.part")
    with disk_faults(target):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            _copy_members(archive, part)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:  # damaged, or encrypted
            shutil.rmtree(part, ignore_errors=True)
            raise ModelArchiveInvalid(source=source, reason="it is no zip that can be read") from error
        if missing := missing_from(part):
            shutil.rmtree(part, ignore_errors=True)
            raise ModelArchiveInvalid(source=source, reason=f"it lacks {', '.join(missing)}")
        if target.exists():
            put_aside(target)
        patiently(lambda: part.replace(target))
    logger.info("YourTTS's model was fetched from %s to %s", source, target)
    return target


def _copy_members(archive: Path, folder: Path) -> None:
    """Copy a model's files only, by their last name: where the zip would put them does not matter."""
    with zipfile.ZipFile(archive) as members:
        for member in members.infolist():
            name = PurePosixPath(member.filename.replace("\\", "/")).name
            if member.is_dir() or name not in FILES or member.file_size > _MAX_FILE_BYTES:
                continue
            with members.open(member) as source, (folder / name).open("wb") as copy:
                shutil.copyfileobj(source, copy, _COPY_BYTES)
