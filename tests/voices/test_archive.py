"""A voice arrives as it left; an archive that was made to harm changes nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from tts_core.voices.exchange.archive import CHECKSUMS, RECORD, names_in, read_archive, write_archive
from tts_core.voices.faults import VoiceArchiveInvalid
from tts_core.voices.folders import UNRECORDED
from tts_core.voices.record import SavedVoice, VoiceStatus

VOICE = SavedVoice(
    "a1",
    "小明",
    model_key="base_0_6b",
    ref_text="What I say.",
    ref_audio_path="/somewhere/of/mine.wav",
    status=VoiceStatus.READY,
    meta={"consent": {"own_voice": True}, "tags": ["x"]},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "voice"
    (folder / "prompts").mkdir(parents=True)
    (folder / "reference.wav").write_bytes(b"RIFF" + bytes(5000))
    (folder / "prompts" / "abc.safetensors").write_bytes(b"\1" * 300)
    (folder / ".hidden.wav").write_bytes(b"no")
    (folder / "program.exe").write_bytes(b"no")
    return folder


def test_a_voice_comes_back_whole(tmp_path: Path, folder: Path) -> None:
    write_archive(VOICE, folder, tmp_path / "out.zip")
    voice = read_archive(tmp_path / "out.zip", tmp_path / "new")
    assert (voice.name, voice.ref_text, voice.meta) == (VOICE.name, VOICE.ref_text, VOICE.meta)
    assert voice.ref_audio_path == ""
    names = {path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert names == {"reference.wav", "prompts/abc.safetensors", UNRECORDED}
    assert (tmp_path / "new" / "reference.wav").read_bytes() == (folder / "reference.wav").read_bytes()


def test_the_checksums_are_those_of_sha256sum_and_no_path_leaves_the_machine(tmp_path: Path, folder: Path) -> None:
    write_archive(VOICE, folder, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        for line in archive.read(CHECKSUMS).decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        assert b"somewhere" not in archive.read(RECORD)


def archive(path: Path, files: Mapping[str, bytes], *, checked: bool = True) -> Path:
    record = {RECORD: json.dumps({"name": "A", "kind": "clone"}).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in {**record, **files}.items():
            out.writestr(name, data)
        sums = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in {**record, **files}.items()]
        out.writestr(CHECKSUMS, "\n".join(sums) if checked else "")
    return path


@pytest.mark.parametrize(
    "files",
    [
        {"../evil.wav": b"x"},
        {"/etc/evil.wav": b"x"},
        {"C:evil.wav": b"x"},
        {"prompts/../../evil.wav": b"x"},
        {"prompts\\evil.wav": b"x"},
        {"deep/evil.wav": b"x"},
        {"evil.py": b"x"},
        {".evil.wav": b"x"},
        {"bomb.wav": bytes(20_000_000)},
        {"a.wav": b"x", "A.wav": b"y"},
        {f"{number}.wav": b"x" for number in range(100)},
    ],
)
def test_harmful_archives_are_refused_and_leave_nothing(tmp_path: Path, files: Mapping[str, bytes]) -> None:
    source = archive(tmp_path / "in.zip", files)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(VoiceArchiveInvalid):
        read_archive(source, tmp_path / "new")
    assert set(tmp_path.rglob("*")) == before


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    with pytest.raises(VoiceArchiveInvalid):
        read_archive(archive(tmp_path / "in.zip", {"reference.wav": b"sound"}, checked=False), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no zip", b"text"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.zip").write_bytes(content)
    with pytest.raises(VoiceArchiveInvalid):
        read_archive(tmp_path / "in.zip", tmp_path / "new")


def test_whatever_is_damaged_is_refused_or_read_and_leaves_nothing_else(tmp_path: Path, folder: Path) -> None:
    """Bytes of the zip's own structure and of the packed data, overwritten or cut off at random."""
    random = Random(1)
    (folder / "reference.wav").write_bytes(random.randbytes(3000) + b"abc" * 500)
    write_archive(VOICE, folder, tmp_path / "good.zip")
    good = (tmp_path / "good.zip").read_bytes()
    source, new = tmp_path / "in.zip", tmp_path / "new"
    refused = 0
    for _ in range(400):
        damaged = bytearray(good if random.random() < 0.8 else good[: random.randrange(len(good))])
        for _ in range(random.randrange(1, 6)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        source.write_bytes(damaged)
        names_in(source)
        try:
            read_archive(source, new)
            shutil.rmtree(new)
        except VoiceArchiveInvalid:
            refused += 1
        assert {path.name for path in tmp_path.iterdir()} == {"voice", "good.zip", "in.zip"}
    assert refused > 300


def test_a_link_in_a_voices_folder_takes_nothing_along(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "note.txt").symlink_to(tmp_path / "secret.txt")
    write_archive(VOICE, folder, tmp_path / "out.zip")
    assert "note.txt" not in names_in(tmp_path / "out.zip")


def test_a_link_in_a_zip_becomes_no_link(tmp_path: Path) -> None:
    data = b"/etc/passwd"
    with zipfile.ZipFile(archive(tmp_path / "in.zip", {"x.txt": data}), "a") as out:
        link = zipfile.ZipInfo("reference.wav")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        out.writestr(link, data)
    with pytest.raises(VoiceArchiveInvalid):  # no checksum
        read_archive(tmp_path / "in.zip", tmp_path / "new")
    read_archive(archive(tmp_path / "in.zip", {"reference.wav": data}), tmp_path / "new")
    assert not (tmp_path / "new" / "reference.wav").is_symlink()
