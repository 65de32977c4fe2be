"""Small models with the structure of the real ones, the catalogue file that publishes them, and folders of them.

`PUBLISHED` maps each catalogue key to the bytes of its files; every weights file is large enough that only the hash
cache knows its content.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tts_core.domain.events import CheckProgress
from tts_core.models.catalogue import Catalogue, ModelKind, load_catalogue
from tts_core.models.files.content import SMALL_FILE_BYTES
from tts_core.models.files.findings import FileProblem, Hint
from tts_core.models.status import ModelStatus, ModelStatuses

MAIN_BYTES = SMALL_FILE_BYTES + 50_000
CODEC_BYTES = SMALL_FILE_BYTES + 10_000
Files = dict[str, bytes]
Finding = TypeVar("Finding", FileProblem, Hint)


def weights(data: bytes, *, note: str = "") -> bytes:
    """A safetensors file of two tensors over `data`."""
    half = len(data) // 2
    header = json.dumps(
        {
            "__metadata__": {"format": "pt", "note": note},
            "talker.a": {"dtype": "U8", "shape": [half], "data_offsets": [0, half]},
            "talker.b": {"dtype": "U8", "shape": [len(data) - half], "data_offsets": [half, len(data)]},
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header + data


def noise(size: int, seed: str) -> bytes:
    return random.Random(seed).randbytes(size)


def config(kind: ModelKind, size: str = "0b6", **talker: object) -> bytes:
    if kind is ModelKind.TOKENIZER:
        return json.dumps({"model_type": "qwen3_tts_tokenizer_12hz"}).encode()
    data = {
        "model_type": "qwen3_tts",
        "tts_model_type": kind.value,
        "tts_model_size": size,
        "talker_config": talker,
    }
    return json.dumps(data).encode()


def speaking_model(key: str, kind: ModelKind, size: str) -> Files:
    return {
        "config.json": config(kind, size),
        "generation_config.json": b'{"temperature": 0.9}',
        "merges.txt": b"#version: 0.2\n" + b"a b\n" * 20,
        "model.safetensors": weights(noise(MAIN_BYTES + (4096 if size == "1b7" else 0), key)),
        "tokenizer_config.json": b'{"model_max_length": 131072}',
        "vocab.json": b'{"a": 0, "b": 1, "error": 2, "message": 3}',
        **{f"speech_tokenizer/{name}": data for name, data in TOKENIZER.items()},
    }


TOKENIZER: Files = {
    "config.json": config(ModelKind.TOKENIZER),
    "model.safetensors": weights(noise(CODEC_BYTES, "codec")),
    "preprocessor_config.json": b'{"sampling_rate": 24000}',
}
TOKENIZER_KEY, BASE_KEY, CUSTOM_KEY, LARGE_KEY = "tokenizer_12hz", "base_0_6b", "custom_0_6b", "custom_1_7b"
KINDS = {
    TOKENIZER_KEY: ModelKind.TOKENIZER,
    BASE_KEY: ModelKind.BASE,
    CUSTOM_KEY: ModelKind.CUSTOM_VOICE,
    LARGE_KEY: ModelKind.CUSTOM_VOICE,
}
PUBLISHED: Mapping[str, Files] = {
    TOKENIZER_KEY: TOKENIZER,
    BASE_KEY: speaking_model(BASE_KEY, ModelKind.BASE, "0b6"),
    CUSTOM_KEY: speaking_model(CUSTOM_KEY, ModelKind.CUSTOM_VOICE, "0b6"),
    LARGE_KEY: speaking_model(LARGE_KEY, ModelKind.CUSTOM_VOICE, "1b7"),
}


def catalogue_entry(kind: ModelKind, local: str, files: Files, *, with_hashes: bool = True) -> dict[str, object]:
    """One member of a catalogue file."""
    rows = {
        path: {"size": len(data), **({"sha256": hashlib.sha256(data).hexdigest()} if with_hashes else {})}
        for path, data in files.items()
    }
    return {"kind": kind.value, "hf": f"Qwen/{local}", "modelscope": f"Qwen/{local}", "local": local, "files": rows}


def write_catalogue(file: Path, entries: Mapping[str, object]) -> Path:
    file.write_text(json.dumps(entries), encoding="utf-8")
    return file


def write_files(folder: Path, files: Files) -> None:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


@dataclass(frozen=True, slots=True)
class Studio:
    """A models folder under a temporary directory, and managers that look at it."""

    root: Path
    catalogue: Catalogue

    @property
    def models_dir(self) -> Path:
        return self.root / "models"

    @property
    def cache_file(self) -> Path:
        return self.root / "cache" / "hashes.json"

    def manager(self) -> ModelStatuses:
        """A fresh one, as after a restart."""
        return ModelStatuses(self.catalogue, self.models_dir, self.cache_file)

    def folder(self, key: str) -> Path:
        return self.models_dir / self.catalogue.entry(key).local

    def install(self, key: str, **changes: bytes | None) -> Path:
        """Write the published model with `changes`: path to other content, or None to leave the file out."""
        files = {path: data for path, data in (PUBLISHED[key] | changes).items() if data is not None}
        write_files(self.folder(key), files)
        return self.folder(key)

    def status(self, key: str) -> ModelStatus:
        return self.manager().status(key)

    def deep(self, key: str) -> ModelStatus:
        *_, last = self.check(key)
        assert isinstance(last, ModelStatus)
        return last

    def check(self, key: str) -> Iterator[CheckProgress | ModelStatus]:
        return self.manager().validate(key, deep=True, cancelled=lambda: False)


def build_studio(root: Path, changes: Mapping[str, object] | None = None) -> Studio:
    """The catalogue of PUBLISHED under the packaged folder names; `changes` adds or overrides members."""
    packaged = load_catalogue()
    entries = {key: catalogue_entry(KINDS[key], packaged.entry(key).local, files) for key, files in PUBLISHED.items()}
    return Studio(root, load_catalogue(write_catalogue(root / "catalogue.json", {**entries, **(changes or {})})))


def by_code(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    found = {finding.code: finding for finding in findings}
    assert all(finding.message for finding in findings)
    return dict(found.items())
