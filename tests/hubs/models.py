"""Models to publish: sound by our own inspection, as small or large as a test wants them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.hubs.content import StoredFile, write_bytes, write_weights
from tests.models.model_folders import CUSTOM_KEY, KINDS, LARGE_KEY, config
from tts_core.models.catalogue import WEIGHTS_FILE, ModelKind, load_catalogue

MAIN_FILE = WEIGHTS_FILE
CODEC_FILE = "speech_tokenizer/model.safetensors"
CODEC_SEED = 7
SMALL_WEIGHTS_BYTES = 700_000
"""More than a small file has, so that only the hash cache knows the content."""
_TEXTS = {
    "generation_config.json": b'{"temperature": 0.9}',
    "merges.txt": b"#version: 0.2\n" + b"a b\n" * 20,
    "tokenizer_config.json": b'{"model_max_length": 131072}',
    "vocab.json": b'{"a": 0, "b": 1, "error": 2, "message": 3}',
}


@dataclass(frozen=True, slots=True)
class PublishedModel:
    key: str
    kind: ModelKind
    local: str
    files: Mapping[str, StoredFile]
    revision: str
    """A commit."""

    @property
    def repository(self) -> str:
        return f"Qwen/{self.local}"

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self.files.values())

    def entry(self, *, with_hashes: bool = True) -> dict[str, object]:
        """Its member of a catalogue file."""
        rows = {
            path: {"size": file.size, **({"sha256": file.sha256} if with_hashes else {})}
            for path, file in self.files.items()
        }
        return {
            "kind": self.kind.value,
            "hf": self.repository,
            "modelscope": self.repository,
            "local": self.local,
            "hf_revision": self.revision,
            "files": rows,
        }


def make_model(
    folder: Path,
    key: str = CUSTOM_KEY,
    *,
    main_bytes: int = SMALL_WEIGHTS_BYTES,
    codec_bytes: int = SMALL_WEIGHTS_BYTES,
    seed: int = 1,
) -> PublishedModel:
    """Write the files of one model of the catalogue below `folder`; its speech tokenizer is the same for all keys."""
    entry, kind = load_catalogue().entry(key), KINDS[key]
    root = folder / entry.local
    codec = {
        "config.json": write_bytes(root / "codec" / "config.json", config(ModelKind.TOKENIZER)),
        "preprocessor_config.json": write_bytes(root / "codec" / "preprocessor.json", b'{"sampling_rate": 24000}'),
        WEIGHTS_FILE: write_weights(root / "codec" / WEIGHTS_FILE, codec_bytes, CODEC_SEED),
    }
    if kind is ModelKind.TOKENIZER:
        files: dict[str, StoredFile] = codec
    else:
        size = "1b7" if key == LARGE_KEY else "0b6"
        files = {
            "config.json": write_bytes(root / "config.json", config(kind, size)),
            **{name: write_bytes(root / name, data) for name, data in _TEXTS.items()},
            MAIN_FILE: write_weights(root / MAIN_FILE, main_bytes, seed + sum(key.encode())),
            **{f"speech_tokenizer/{name}": file for name, file in codec.items()},
        }
    names = json.dumps({path: file.sha256 for path, file in files.items()})
    return PublishedModel(key, kind, entry.local, files, hashlib.sha1(names.encode()).hexdigest())


def write_catalogue(file: Path, models: Iterable[PublishedModel], *, with_hashes: bool = True) -> Path:
    entries = {model.key: model.entry(with_hashes=with_hashes) for model in models}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(entries), encoding="utf-8")
    return file
