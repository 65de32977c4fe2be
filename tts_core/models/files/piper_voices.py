"""Piper voices on the disk: NAME.onnx with NAME.onnx.json beside it. Reads the JSON, loads no model.

Files come from anywhere, so nothing in them is trusted: files that can't be a voice are left out, and the log says why.
"""

from __future__ import annotations

import json
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from tts_core.domain.values import Language
from tts_core.models.faults import PiperVoiceInvalid

MODEL_SUFFIX, CONFIG_SUFFIX = ".onnx", ".onnx.json"
PHONEME_TYPES = ("espeak", "text")
"""The phoneme types that are supported; others need more packages, or fetch models while they speak."""
MIN_RATE, MAX_RATE = 8_000, 48_000
"""The bounds of a sample rate, hertz."""
MAX_SPEAKERS = 2_000
_MAX_CONFIG_BYTES = 1 << 20
_MAX_DEPTH, _MAX_FILES = 6, 5_000
"""The limits of a search for voices: a person may point it at a whole disk."""
_NAME = re.compile(r"(?P<language>[a-z]{2,3}(?:_[A-Za-z0-9]{2,4})?)-(?P<voice>[^-]+)(?:-(?P<quality>[^-]+))?")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VoiceFile:
    """A Piper model with one or more speakers."""

    model: Path
    name: str
    """The file's name without its ending, e.g. "zh_CN-huayan-medium"."""
    label: str
    """The name for people: "Huayan"."""
    quality: str
    """The quality: "medium", "low", "high", "x_low"; "" if the name does not say."""
    language: Language
    sample_rate: int
    """The sample rate, hertz."""
    speakers: Mapping[str, int]
    """The speakers' numbers by name; empty for a model with one voice."""
    config: Mapping[str, Any] = field(repr=False, compare=False)
    """The whole JSON of the voice."""


_Mark = tuple[int, int]


class VoiceShelf:
    """A finder of voices that remembers what it read until a file changes. Thread-safe."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[_Mark, VoiceFile | None]] = {}
        self._lock = Lock()

    def voices(self, folders: Iterable[Path]) -> tuple[VoiceFile, ...]:
        """The voices in and below `folders`, sorted by name; of two with one name the first."""
        found: dict[str, VoiceFile] = {}
        for folder in folders:
            for model in _models(folder):
                voice = self._voice(model)
                if voice is not None:
                    found.setdefault(voice.name.casefold(), voice)
        return tuple(found[name] for name in sorted(found))

    def _voice(self, model: Path) -> VoiceFile | None:
        try:
            facts = _config_of(model).stat()
        except OSError:
            return None  # a model without its JSON is no Piper voice
        mark = (facts.st_mtime_ns, facts.st_size)
        with self._lock:
            known = self._read.get(model)
            if known is not None and known[0] == mark:
                return known[1]
            try:
                voice = read_voice(model)
            except PiperVoiceInvalid as error:
                logger.warning("%s", error.message)
                voice = None
            self._read[model] = mark, voice
            return voice


def read_voice(model: Path) -> VoiceFile:
    """The voice that the JSON beside a model describes. Raises PiperVoiceInvalid."""
    file = _config_of(model)
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait for ever
            raise _invalid(file, "it is no regular file")
        with file.open("rb") as stream:
            data = json.loads(stream.read(_MAX_CONFIG_BYTES + 1)[: _MAX_CONFIG_BYTES + 1])
    except OSError as error:
        raise _invalid(file, error.strerror or "it can't be read") from error
    except (ValueError, RecursionError) as error:
        raise _invalid(file, "it is not JSON, or longer than such a file is") from error
    if not isinstance(data, dict):
        raise _invalid(file, "it is no JSON object")
    phonemes = data.get("phoneme_type", PHONEME_TYPES[0])
    if phonemes not in PHONEME_TYPES:
        raise _invalid(file, f"its phonemes are of a sort that is not supported ({str(phonemes)[:40]})")
    rate = _section(data, "audio").get("sample_rate")
    if not isinstance(rate, int) or not MIN_RATE <= rate <= MAX_RATE:
        raise _invalid(file, f"it names no sample rate from {MIN_RATE} to {MAX_RATE}")
    if not isinstance(_section(data, "espeak").get("voice"), str) or not _section(data, "phoneme_id_map"):
        raise _invalid(file, "it is no description of a Piper voice")
    match = _NAME.fullmatch(model.stem)
    return VoiceFile(
        model=model,
        name=model.stem,
        label=(match["voice"] if match else model.stem).replace("_", " ").title(),
        quality=(match["quality"] or "") if match else "",
        language=_language(file, data, match["language"] if match else ""),
        sample_rate=rate,
        speakers=_speakers(file, data),
        config=data,
    )


def language_code(name: str) -> str:
    """The language that a voice's name begins with: "zh_CN-huayan-medium" -> "zh-cn"; "" if there is none."""
    match = _NAME.fullmatch(name)
    return match["language"].replace("_", "-").lower() if match else ""


def _config_of(model: Path) -> Path:
    return model.with_name(model.name + ".json")


def _invalid(file: Path, reason: str) -> PiperVoiceInvalid:
    return PiperVoiceInvalid(file=file.name, reason=reason)


def _section(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _language(file: Path, data: Mapping[str, Any], from_name: str) -> Language:
    described = _section(data, "language")
    given = (described.get("code"), from_name, _section(data, "espeak").get("voice"))
    code = next((name for name in given if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 20), None)
    if code is None:
        raise _invalid(file, "it names no language")
    names = [described.get(name) for name in ("name_english", "country_english")]
    english, country = (name if isinstance(name, str) and name.isprintable() else "" for name in names)
    code = code.replace("_", "-").lower()
    return Language(code, f"{english[:40]} ({country[:40]})" if english and country else english[:40] or code)


def _speakers(file: Path, data: Mapping[str, Any]) -> dict[str, int]:
    count, named = data.get("num_speakers", 1), _section(data, "speaker_id_map")
    if not isinstance(count, int) or not 0 <= count <= MAX_SPEAKERS:
        raise _invalid(file, f"it names no number of speakers up to {MAX_SPEAKERS}")
    if count <= 1:
        return {}
    numbers = {str(name): number for name, number in named.items() if isinstance(number, int) and 0 <= number < count}
    if len(numbers) != len(named) or not all(0 < len(name) <= 60 and name.isprintable() for name in numbers):
        raise _invalid(file, "its list of speakers is damaged")
    return dict(sorted(numbers.items(), key=lambda item: item[1])) or {str(number): number for number in range(count)}


def _models(root: Path) -> Iterator[Path]:
    """The files that may be models in `root` and below it, in a stable order; links to folders are not followed."""
    left = _MAX_FILES
    for folder, below, names in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        below[:] = sorted(name for name in below if not name.startswith(".")) if depth < _MAX_DEPTH else []
        left -= len(names)
        if left < 0:
            return
        yield from (Path(folder) / name for name in sorted(names) if name.endswith(MODEL_SUFFIX))
