"""Voices on their way between machines: one zip per voice.

A zip holds `voice.json` (the record without paths), the voice's files, and `checksums.sha256` in the form of sha256sum.
What is read is bounded before and while it is unpacked, and nothing is unpacked by a name that the zip chose.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from tts_core.platform.whole_files import make_private, open_private, replacing
from tts_core.voices.faults import VoiceArchiveInvalid
from tts_core.voices.folders import REFERENCE, SOUND_SUFFIXES, UNRECORDED
from tts_core.voices.record import SavedVoice, from_json, to_json

MAX_ARCHIVE_BYTES = 300_000_000
MAX_ENTRIES = 64
MAX_LISTED = 1_000
"""The most entries that a zip may list to be opened at all: Python keeps an object for each."""
MAX_RATIO = 200
"""The largest ratio of unpacked to packed size of one file; sound and JSON stay far below."""
MAX_TEXT_BYTES = 1_000_000
"""The largest size of the record, and of the list of checksums."""
RECORD, CHECKSUMS, TRANSCRIPT = "voice.json", "checksums.sha256", "transcript.txt"
_FOLDERS = ("", "prompts")
_LISTED = b"PK\x01\x02"
"""The mark that begins every entry in a zip's directory (APPNOTE.TXT, 4.3.12)."""
_SUFFIXES = (*SOUND_SUFFIXES, ".json", ".safetensors", ".txt")
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
)
"""The errors that reading a damaged or forged zip may raise, besides OSError."""
_MACHINE_FIELDS = ("ref_audio_path", "ref_audio_url", "progress", "last_error")


def write_archive(voice: SavedVoice, folder: Path, target: Path, reference: Path | None = None) -> None:
    """Pack the record, the files below `folder`, and `reference` as the recording where there is none in it.

    Raises OSError; `target` appears only when it is whole.
    """
    checksums = []
    with (
        replacing(target) as part,
        open_private(part, "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        record = {key: value for key, value in to_json(voice).items() if key not in _MACHINE_FIELDS}
        texts = {RECORD: json.dumps(record, ensure_ascii=False, indent=1), TRANSCRIPT: voice.ref_text}
        for name, text in texts.items():
            archive.writestr(name, text)
            checksums.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}")
        files = dict(_files(folder))
        if reference is not None:
            files.setdefault(REFERENCE, reference)
        for name, path in files.items():
            archive.write(path, name)
            checksums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}")
        archive.writestr(CHECKSUMS, "\n".join(checksums) + "\n")


def read_archive(source: Path, folder: Path) -> SavedVoice:
    """Unpack a voice into `folder`, which must not exist yet and is marked; returns its record, to be given a new id.

    Raises VoiceArchiveInvalid, or OSError when the disk refuses; the folder appears only when it is whole.
    """
    part = folder.with_name(f".{folder.name}.part")
    try:
        refuse_many_entries(source)
        with zipfile.ZipFile(source) as archive:
            entries = _checked_entries(archive)
            expected = _checksums(_text(archive, CHECKSUMS))
            voice = from_json("imported", json.loads(_text(archive, RECORD)))
            make_private(part / "prompts")
            (part / UNRECORDED).touch(0o600)
            _unpack(archive, entries, expected, part)
        part.replace(folder)
    except DAMAGE as error:
        raise VoiceArchiveInvalid(file=source.name, reason="it is no voice that was exported here") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return voice


def refuse_many_entries(source: Path) -> None:
    """Check that a zip's directory alone would not fill the memory. Raises ValueError if it would; OSError."""
    listed, before = 0, b""
    with source.open("rb") as stream:
        while block := stream.read(1 << 20):
            listed += (before + block).count(_LISTED)
            before = block[1 - len(_LISTED) :]
    if listed > MAX_LISTED:
        raise ValueError("too many entries")


def names_in(source: Path) -> frozenset[str]:
    """The names of the files in a zip; empty if the file is no zip. Raises OSError."""
    try:
        refuse_many_entries(source)
        with zipfile.ZipFile(source) as archive:
            return frozenset(archive.namelist())
    except DAMAGE:
        return frozenset()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for name in _FOLDERS:
        for path in sorted((folder / name).glob("*")):
            if (
                path.is_file()
                and not path.is_symlink()
                and path.suffix.lower() in _SUFFIXES
                and not path.name.startswith(".")
            ):
                yield path.relative_to(folder).as_posix(), path


def _checked_entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_ENTRIES or len({entry.filename.casefold() for entry in entries}) < len(entries):
        raise _invalid(archive, "it holds too many files")
    if sum(entry.file_size for entry in entries) > MAX_ARCHIVE_BYTES or any(
        entry.file_size > MAX_RATIO * max(entry.compress_size, 100) for entry in entries
    ):
        raise _invalid(archive, "it unpacks to too much")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        is_known = str(path.parent) in (".", *_FOLDERS) and (path.suffix in _SUFFIXES or path.name == CHECKSUMS)
        if not is_known or "\\" in entry.filename or ":" in entry.filename or path.name.startswith("."):
            raise _invalid(archive, "it holds a file that no voice has")
    return entries


def _text(archive: zipfile.ZipFile, name: str) -> str:
    return _bytes(archive, archive.getinfo(name), MAX_TEXT_BYTES).decode("utf-8")


def _checksums(text: str) -> Mapping[str, str]:
    lines = (line.split("  ", 1) for line in text.splitlines() if line)
    return {name: digest for digest, name in lines}


def _unpack(
    archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], expected: Mapping[str, str], folder: Path
) -> None:
    for entry in entries:
        if entry.filename == CHECKSUMS:
            continue
        data = _bytes(archive, entry, entry.file_size + 1)
        if expected.get(entry.filename) != hashlib.sha256(data).hexdigest():
            raise _invalid(archive, f"{entry.filename} in it is damaged")
        if entry.filename not in (RECORD, TRANSCRIPT):
            with open_private(folder / PurePosixPath(entry.filename), "wb") as file:
                file.write(data)


def _bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    try:
        with archive.open(entry) as stream:
            return stream.read(most)
    except OSError as error:  # a place before the file's start, a broken bzip2 stream: not the disk's fault
        raise _invalid(archive, f"{entry.filename} in it is damaged") from error


def _invalid(archive: zipfile.ZipFile, reason: str) -> VoiceArchiveInvalid:
    return VoiceArchiveInvalid(file=Path(archive.filename or "").name, reason=reason)
