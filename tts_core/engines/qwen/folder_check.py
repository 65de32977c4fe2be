"""Whether a model's folder will load, by the loader's own rules, without torch and without reading a weight."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from tts_core.engines.faults import ModelFileMissing, ModelFolderInvalid, WeightsMismatch
from tts_core.engines.qwen.talker.config import (
    CONFIG_FILE,
    SPEECH_TOKENIZER_FOLDER,
    WEIGHTS_FILE,
    read_generation_config,
    read_model_config,
    read_speech_tokenizer_config,
)
from tts_core.engines.qwen.talker.expected import TOO_FEW_IDS, check_codec, check_weights
from tts_core.engines.qwen.talker.stored import read_header
from tts_core.engines.qwen.talker.tokenizer_files import read_tokenizer
from tts_core.models.files.verdict import FolderVerdict

_SUFFIXES = (".json", ".safetensors", ".txt")
_Stamp = tuple[tuple[str, int, int], ...]


class FolderCheck:
    """Judges folders of speaking models; a verdict is kept until a file changes. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[_Stamp, FolderVerdict]] = {}
        self._lock = Lock()

    def __call__(self, folder: Path) -> FolderVerdict:
        """The verdict: milliseconds the first time, where the tokenizer is a large one half a second."""
        stamp = tuple(_stamps(folder))
        with self._lock:
            known = self._known.get(folder)
            if known is None or known[0] != stamp:
                known = self._known[folder] = (stamp, _judge(folder))
            return known[1]


def _judge(folder: Path) -> FolderVerdict:
    try:
        return FolderVerdict(ignored=_check(folder))
    except WeightsMismatch as error:
        parts = {"missing": "missing", "unknown": "left over", "misshapen": "of other sizes than the config says"}
        named = [f"{words}: {error.params[part]}" for part, words in parts.items() if error.params[part] != "none"]
        return FolderVerdict(_relative(folder, error), f"weights are {'; '.join(named)}")
    except ModelFileMissing as error:
        return FolderVerdict(_relative(folder, error), "it is missing")
    except ModelFolderInvalid as error:
        return FolderVerdict(_relative(folder, error), str(error.params["reason"]))


def _check(folder: Path) -> tuple[str, ...]:
    """The weights that are left aside. Raises ModelFolderInvalid."""
    config = read_model_config(folder)
    weights = folder / WEIGHTS_FILE
    ignored = check_weights(config, read_header(weights), weights)
    read_generation_config(folder)
    if read_tokenizer(folder).largest_id >= config.talker.text_vocab_size:
        raise ModelFolderInvalid(file=str(folder / CONFIG_FILE), reason=TOO_FEW_IDS)
    codec = folder / SPEECH_TOKENIZER_FOLDER
    check_codec(read_speech_tokenizer_config(codec), read_header(codec / WEIGHTS_FILE), codec / CONFIG_FILE)
    return ignored


def _relative(folder: Path, error: ModelFolderInvalid) -> str:
    return Path(str(error.params["file"])).relative_to(folder).as_posix()


def _stamps(folder: Path) -> Iterator[tuple[str, int, int]]:
    """The name, size and time of every file on which a verdict depends."""
    for place in (folder, folder / SPEECH_TOKENIZER_FOLDER):
        try:
            with os.scandir(place) as entries:
                found = [(entry.path, entry.stat()) for entry in entries if entry.name.endswith(_SUFFIXES)]
        except OSError:
            continue
        yield from sorted((path, status.st_size, status.st_mtime_ns) for path, status in found)
