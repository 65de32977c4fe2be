"""The table of models the studio knows: where each is published, its folder's name and its files' sizes and hashes.

This module knows nothing of the disk. A catalogue file adds entries or overrides whole ones, in the packaged form:

    {"my_voice": {"kind": "custom_voice", "local": "My-Voice-0.6B",
                  "files": {"config.json": {"size": 4908}, "vocab.json": {"size": 2776833, "sha256": "…"}, …}}}

`hf`, `modelscope`, `hf_revision`, `total_bytes`, `size`, `gender`, `display_name` and each `sha256` may be left out.
An unknown, unsafe or contradictory entry is refused with CatalogueInvalid, which names the file, the key and the field.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, NoReturn, TypeGuard

from tts_core.domain.errors import UnknownModelKey
from tts_core.models.faults import CatalogueInvalid
from tts_core.platform.paths import PACKAGED_CATALOGUES

ModelSize = Literal["0.6B", "1.7B", "tiny", "base", "small", "medium", "large", "large-v3-turbo", ""]
"""The size of a model: the talker's parameters, or Whisper's own name; "" where it makes no sense or is not known."""

Gender = Literal["female", "male", ""]
"""The gender of the one voice that a model has; "" where it has many, or it is not known."""

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_SUFFIX = ".safetensors"
WHISPER_WEIGHTS_FILE = "model.bin"
"""The weights of a model in CTranslate2's form."""
VOCABULARY_FILES = ("vocabulary.txt", "vocabulary.json")
"""A Whisper model has one of them; which, depends on the version that converted it."""
FEATURES_FILE = "preprocessor_config.json"
WEIGHTS_INDEX_SUFFIX = ".index.json"
"""The ending, after a weights file's name, of the list of shards that stand for it."""
PIPER_SUFFIXES = (".onnx", ".onnx.json")
SPEECH_TOKENIZER_DIR = "speech_tokenizer"

_TOKENIZER_FILES = (CONFIG_FILE, WEIGHTS_FILE)
_SPEAKING_FILES = (
    *_TOKENIZER_FILES,
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    f"{SPEECH_TOKENIZER_DIR}/{CONFIG_FILE}",
    f"{SPEECH_TOKENIZER_DIR}/{WEIGHTS_FILE}",
)

_WHISPER_FILES = (CONFIG_FILE, WHISPER_WEIGHTS_FILE, "tokenizer.json")

_UNCONVERTED = (
    f"must list {WHISPER_WEIGHTS_FILE} instead of {WEIGHTS_FILE}, with tokenizer.json and vocabulary.json, as in "
    'Systran/faster-whisper-small: "ct2-transformers-converter --model OWNER/NAME --output_dir FOLDER" makes them'
)
"""The advice about a Whisper model in the form that Transformers reads."""

_ENTRY_FIELDS = frozenset(
    {"kind", "hf", "modelscope", "local", "hf_revision", "total_bytes", "files", "size", "gender", "display_name"}
)
_FILE_FIELDS = frozenset({"size", "sha256"})
_KEY = re.compile(r"[a-z0-9_]{1,64}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZE_IN_NAME = re.compile(r"(?<![0-9])(0[._]6|1[._]7)b(?![a-z0-9])", re.IGNORECASE)
_TALKER_SIZES: tuple[ModelSize, ...] = ("0.6B", "1.7B")
_WHISPER_SIZES: tuple[ModelSize, ...] = ("tiny", "base", "small", "medium", "large", "large-v3-turbo")
_UNSAFE_CHARACTERS = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


class ModelKind(str, Enum):
    """The purpose of a model. Values are those of `tts_model_type` in its config.json, plus four of other sorts."""

    TOKENIZER = "tokenizer"
    BASE = "base"
    CUSTOM_VOICE = "custom_voice"
    VOICE_DESIGN = "voice_design"
    WHISPER = "whisper"
    """A model that transcribes speech."""
    PIPER = "piper"
    """A voice of another family: NAME.onnx and NAME.onnx.json, anywhere in its folder."""
    HIBARI = "hibari"
    """A voice of another family: one NAME.onnx, anywhere in its folder."""

    @property
    def speaks(self) -> bool:
        """Whether the model speaks in the way of Qwen3-TTS."""
        return self in (ModelKind.BASE, ModelKind.CUSTOM_VOICE, ModelKind.VOICE_DESIGN)

    @property
    def is_single_voice(self) -> bool:
        """Whether the model is one small voice of many in a repository."""
        return self in (ModelKind.PIPER, ModelKind.HIBARI)


_OTHER_SIZES: Mapping[ModelKind, tuple[ModelSize, ...]] = {
    ModelKind.WHISPER: _WHISPER_SIZES,
    ModelKind.PIPER: (),
    ModelKind.HIBARI: (),
}


@dataclass(frozen=True, slots=True)
class ModelFile:
    path: str
    """The path inside the model's folder, with forward slashes."""
    size: int
    """The size in bytes."""
    sha256: str | None = None
    """The hash as lower-case hex; without it only size and structure can be checked."""

    @property
    def is_weights(self) -> bool:
        return is_weights(self.path)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    key: str
    kind: ModelKind
    hf: str
    """The repository on Hugging Face, "" if the model is not published there."""
    modelscope: str
    """The repository on ModelScope, "" if the model is not published there."""
    local: str
    """The name of the model's folder below the models folder."""
    hf_revision: str
    total_bytes: int
    """The sum of the files' sizes."""
    files: tuple[ModelFile, ...]
    size: ModelSize
    display_name: str
    gender: Gender = ""

    @property
    def inference_files(self) -> tuple[str, ...]:
        """The files that no model of this kind can run without; the catalogue lists all of them."""
        if self.kind.is_single_voice:
            return tuple(file.path for file in self.files if file.path.endswith(PIPER_SUFFIXES))
        if self.kind is ModelKind.WHISPER:
            known = (*_WHISPER_FILES, *VOCABULARY_FILES, FEATURES_FILE)
            return tuple(file.path for file in self.files if file.path in known)
        return inference_files(self.kind)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The entries of all models, in the order people see them."""

    by_key: Mapping[str, ModelEntry]

    def keys(self) -> tuple[str, ...]:
        return tuple(self.by_key)

    def entries(self) -> tuple[ModelEntry, ...]:
        return tuple(self.by_key.values())

    def entry(self, key: str) -> ModelEntry:
        """The entry of that model. Raises UnknownModelKey."""
        try:
            return self.by_key[key]
        except KeyError:
            raise UnknownModelKey(key=key, known=", ".join(self.by_key)) from None


def is_weights(path: str) -> bool:
    """Whether a file of that name holds a model's weights, in one of the two forms that are used here."""
    return path.endswith(WEIGHTS_SUFFIX) or path.rsplit("/", 1)[-1] == WHISPER_WEIGHTS_FILE


def inference_files(kind: ModelKind) -> tuple[str, ...]:
    """The files a model of that kind needs, where names are known beforehand; a single voice's begin with its own."""
    if kind.is_single_voice:
        return ()
    if kind is ModelKind.WHISPER:
        return _WHISPER_FILES
    return _TOKENIZER_FILES if kind is ModelKind.TOKENIZER else _SPEAKING_FILES


def load_catalogue(extra: Path | None = None) -> Catalogue:
    """The packaged models, with those of `extra` added or put in their place. Raises CatalogueInvalid."""
    by_key: dict[str, ModelEntry] = {}
    for packaged in PACKAGED_CATALOGUES:
        by_key |= _read(packaged)
    if extra is not None:
        by_key |= _read(extra)
        _refuse_shared_folders(by_key.values(), str(extra))
    return Catalogue(by_key)


def _read(file: Path) -> dict[str, ModelEntry]:
    source = str(file)
    try:
        # "-sig" because Windows editors like to put a byte order mark in front.
        data = json.loads(file.read_text(encoding="utf-8-sig"), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise CatalogueInvalid(source=source, reason=f"the file can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise CatalogueInvalid(source=source, reason=f"it is not JSON ({error}).") from error
    if not isinstance(data, dict):
        raise CatalogueInvalid(source=source, reason="it must be a JSON object, one member per model.")
    return {key: _EntryReader(source, key).entry(value) for key, value in data.items()}


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return members


@dataclass(frozen=True, slots=True)
class _EntryReader:
    """Turns one member of a catalogue file into an entry; each refusal says which file, key and field."""

    source: str
    key: str

    def entry(self, data: object) -> ModelEntry:
        if not _KEY.fullmatch(self.key):
            self._refuse("key", "must be made of a-z, 0-9 and _ only")
        fields = self._object("entry", data, _ENTRY_FIELDS)
        kind = self._kind(fields.get("kind"))
        files = self._files(fields.get("files"), kind)
        local = self._local(fields.get("local"))
        hf = self._text(fields, "hf", _REPOSITORY, "an owner/name repository")
        modelscope = self._text(fields, "modelscope", _REPOSITORY, "an owner/name repository")
        return ModelEntry(
            key=self.key,
            kind=kind,
            hf=hf,
            modelscope=modelscope,
            local=local,
            hf_revision=self._text(fields, "hf_revision", _REVISION, "a commit, tag or branch") or "main",
            total_bytes=self._total(fields.get("total_bytes"), files),
            files=files,
            size=self._size(fields.get("size"), kind, (self.key, local, hf, modelscope)),
            gender=self._gender(fields.get("gender", "")),
            display_name=self._text(fields, "display_name", re.compile(r".*\S.*"), "a name on one line") or local,
        )

    def _refuse(self, field: str, expected: str) -> NoReturn:
        raise CatalogueInvalid(source=self.source, reason=f"{self.key!r}: {field} {expected}.")

    def _object(self, field: str, data: object, known: frozenset[str]) -> dict[str, object]:
        if not isinstance(data, dict):
            self._refuse(field, "must be an object")
        if unknown := sorted(data.keys() - known):
            self._refuse(field, f"has an unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
        return data

    def _text(self, fields: Mapping[str, object], field: str, pattern: re.Pattern[str], expected: str) -> str:
        value = fields.get(field, "")
        if not isinstance(value, str) or not value.isprintable() or (value and not pattern.fullmatch(value)):
            self._refuse(field, f"must be {expected}, not {value!r}")
        return value

    def _kind(self, value: object) -> ModelKind:
        kinds = {kind.value: kind for kind in ModelKind}
        if not isinstance(value, str) or value not in kinds:
            self._refuse("kind", f"must be one of {', '.join(kinds)}, not {value!r}")
        return kinds[value]

    def _local(self, value: object) -> str:
        if not isinstance(value, str) or not _is_safe_name(value):
            self._refuse("local", f"must be the plain name of one folder, not {value!r}")
        return value

    def _size(self, value: object, kind: ModelKind, names: Iterable[str]) -> ModelSize:
        sizes = {str(size): size for size in _OTHER_SIZES.get(kind, _TALKER_SIZES)}
        if value is None:
            found = (_SIZE_IN_NAME.search(name) for name in names)
            return next((sizes.get(match[1].replace("_", ".") + "B", "") for match in found if match), "")
        if value == "":
            return ""
        if not isinstance(value, str) or value not in sizes:
            self._refuse("size", f"must be one of {', '.join(sizes) or 'none'}, not {value!r}")
        return sizes[value]

    def _gender(self, value: object) -> Gender:
        genders: tuple[Gender, ...] = ("female", "male", "")
        found = next((gender for gender in genders if gender == value), None)
        if found is None:
            self._refuse("gender", f"must be female or male, not {value!r}")
        return found

    def _files(self, value: object, kind: ModelKind) -> tuple[ModelFile, ...]:
        if not isinstance(value, dict) or not value:
            self._refuse("files", "must be an object with one member per file")
        for path in value:
            if not all(_is_safe_name(part) for part in path.split("/")):
                self._refuse("files", f"must have relative paths with forward slashes and plain names, not {path!r}")
        self._refuse_collisions(value)
        if kind is ModelKind.WHISPER and WEIGHTS_FILE in value and WHISPER_WEIGHTS_FILE not in value:
            self._refuse("files", _UNCONVERTED)
        if absent := [path for path in inference_files(kind) if path not in value]:
            self._refuse("files", f"must list {absent[0]}: a {kind.value} model can't run without it")
        if kind is ModelKind.WHISPER and not any(path in value for path in VOCABULARY_FILES):
            self._refuse("files", f"must list {' or '.join(VOCABULARY_FILES)}: a whisper model can't run without it")
        if kind is ModelKind.PIPER:
            self._refuse_half_voices(value)
        if kind is ModelKind.HIBARI and [path.endswith(".onnx") for path in value] != [True]:
            self._refuse("files", "must list one NAME.onnx and nothing else: that is a Hibari voice")
        return tuple(self._file(path, data) for path, data in value.items())

    def _refuse_half_voices(self, paths: Iterable[str]) -> None:
        model, config = ([path for path in paths if path.endswith(suffix)] for suffix in PIPER_SUFFIXES)
        if len(model) != 1 or config != [f"{model[0]}.json"]:
            self._refuse("files", "must list one NAME.onnx and NAME.onnx.json beside it: that is a Piper voice")

    def _refuse_collisions(self, paths: Iterable[str]) -> None:
        """Refuse two names that some file system treats as one, and a file that stands where another needs a folder."""
        seen: dict[str, str] = {}
        for path in paths:
            if (first := seen.setdefault(_folded(path), path)) != path:
                self._refuse("files", f"has {first!r} and {path!r}, which are one file on some systems")
        for path in seen.values():
            parents = _folded(path).split("/")[:-1]
            for depth in range(1, len(parents) + 1):
                if file := seen.get("/".join(parents[:depth])):
                    self._refuse("files", f"has {file!r} both as a file and as the folder of {path!r}")

    def _file(self, path: str, data: object) -> ModelFile:
        fields = self._object(f"files[{path!r}]", data, _FILE_FIELDS)
        size = fields.get("size")
        if not _is_byte_count(size):
            self._refuse(f"files[{path!r}].size", f"must be a whole number of bytes, not {size!r}")
        sha256 = fields.get("sha256")
        if sha256 is None:
            return ModelFile(path, size)
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256.lower()):
            self._refuse(f"files[{path!r}].sha256", f"must be 64 hexadecimal digits, not {sha256!r}")
        return ModelFile(path, size, sha256.lower())

    def _total(self, value: object, files: tuple[ModelFile, ...]) -> int:
        total = sum(file.size for file in files)
        if value is not None and (not _is_byte_count(value) or value != total):
            self._refuse("total_bytes", f"must be {total}, the sum of the files' sizes, not {value!r}")
        return total


def _is_byte_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_safe_name(name: str) -> bool:
    """Whether a file or folder name means the same on Linux, macOS and Windows."""
    return (
        0 < len(name) <= 200
        and not _UNSAFE_CHARACTERS.search(name)
        and name.isprintable()  # also keeps lone surrogates and invisible marks out
        and name == name.strip()
        and not name.endswith(".")
        and not _WINDOWS_DEVICES.fullmatch(name)
    )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _refuse_shared_folders(entries: Iterable[ModelEntry], source: str) -> None:
    owners: dict[str, str] = {}
    for entry in entries:
        if (owner := owners.setdefault(_folded(entry.local), entry.key)) != entry.key:
            reason = f"{entry.key!r}: local {entry.local!r} is already the folder of {owner!r}."
            raise CatalogueInvalid(source=source, reason=reason)
