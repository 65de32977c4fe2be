"""The user's choices in the app, kept in one small JSON file: sources, mirror, resuming, models folder, precision.

    {"source_order": ["modelscope", "hf"], "mirror_endpoint": "https://hf-mirror.com",
     "resume_downloads": true, "models_dir": "/mnt/big/Qwen", "precision": "int8"}

Each stands for an environment variable and gives way to it. A file that can't be used is reported, and set aside
before anything is saved; fields that this version does not know stay as they are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_core.platform.faults import InvalidSetting, PreferencesUnwritable
from tts_core.platform.settings.compute import PRECISION_VARIABLE, PRECISIONS
from tts_core.platform.settings.sources import SOURCE_IDS, checked_endpoint
from tts_core.platform.whole_files import set_aside, write_json

SOURCES_VARIABLE = "TTS_STUDIO_SOURCES"
MIRROR_VARIABLE = "HF_MIRROR_ENDPOINT"
RESUME_VARIABLE = "TTS_STUDIO_RESUME_DOWNLOADS"
MODELS_DIR_VARIABLE = "QWEN_TTS_MODELS_DIR"
CHOOSABLE = (
    *(SOURCES_VARIABLE, MIRROR_VARIABLE, RESUME_VARIABLE, MODELS_DIR_VARIABLE, PRECISION_VARIABLE),
    "USE_HF_MIRROR",
)
"""The variables that, when set, override a choice made in the app; USE_HF_MIRROR sets an order of sources, too."""
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Preferences:
    """The user's choices; a field that is None or empty was not chosen."""

    source_order: tuple[str, ...] = ()
    """The SOURCE_IDS in the order they are to be tried."""
    mirror_endpoint: str = ""
    resume_downloads: bool | None = None
    models_dir: Path | None = None
    """The absolute path of the models folder."""
    precision: str = ""
    """The precision, one of PRECISIONS."""

    def as_variables(self, fixed: Collection[str] = ()) -> dict[str, str]:
        """The environment variables that these choices stand for, without those that the `fixed` ones decide."""
        resume = {None: "", True: "true", False: "false"}[self.resume_downloads]
        variables = {
            SOURCES_VARIABLE: "" if "USE_HF_MIRROR" in fixed else ",".join(self.source_order),
            MIRROR_VARIABLE: self.mirror_endpoint,
            RESUME_VARIABLE: resume,
            MODELS_DIR_VARIABLE: "" if self.models_dir is None else str(self.models_dir),
            PRECISION_VARIABLE: self.precision,
        }
        return {name: value for name, value in variables.items() if value and name not in fixed}


@dataclass(frozen=True, slots=True)
class StoredPreferences:
    preferences: Preferences
    problem: str = ""
    """The parts of the file that can't be used and were left out, in English; "" if all is well."""


class PreferencesFile:
    """The preferences on disk. Thread-safe. The file is replaced whole, so of two processes that save the last wins."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def read(self) -> StoredPreferences:
        """The stored choices. Never raises: an unusable field counts as not chosen."""
        try:
            fields = self._fields()
        except (OSError, ValueError, RecursionError) as error:
            return StoredPreferences(Preferences(), f"{self._file} can't be used: {_reason(error)}.")
        preferences, problems = _parse(fields)
        problem = f"{self._file}: {' '.join(problems)}" if problems else ""
        return StoredPreferences(preferences, problem)

    def change(self, change: Callable[[Preferences], Preferences]) -> Preferences:
        """Save what `change` makes of the present choices. Raises InvalidSetting and PreferencesUnwritable."""
        with self._lock:
            try:
                fields = self._fields()
            except (ValueError, RecursionError):
                self._set_aside()
                fields = {}
            except OSError as error:
                raise PreferencesUnwritable(file=str(self._file), reason=_reason(error)) from error
            before, _ = _parse(fields)
            after = change(before)
            old, new = _as_fields(before), _as_fields(after)
            fields.update({name: value for name, value in new.items() if value != old.get(name)})
            for name in old.keys() - new.keys():
                del fields[name]
            if problems := _parse(new)[1]:
                raise InvalidSetting(name=self._file.name, value=str(after), expected=" ".join(problems))
            self._save(fields)
        return after

    def _fields(self) -> dict[str, object]:
        try:
            with self._file.open("rb") as stream:
                data = json.loads(stream.read(_MAX_BYTES).decode("utf-8-sig"))  # Windows editors add a byte-order mark
        except FileNotFoundError:
            return {}
        if not isinstance(data, dict):
            raise ValueError("it is not a JSON object")  # noqa: TRY004 - one error for every unusable file
        return data

    def _set_aside(self) -> None:
        try:
            set_aside(self._file)
        except OSError as error:
            raise PreferencesUnwritable(file=str(self._file), reason=_reason(error)) from error

    def _save(self, fields: Mapping[str, object]) -> None:
        try:
            write_json(self._file, fields, for_people=True)
        except OSError as error:
            raise PreferencesUnwritable(file=str(self._file), reason=_reason(error)) from error


def _parse(fields: Mapping[str, object]) -> tuple[Preferences, tuple[str, ...]]:
    """The choices that can be used, and one sentence for each that can't."""
    problems = []
    order = fields.get("source_order", [])
    if not isinstance(order, list) or any(name not in SOURCE_IDS for name in order) or len(set(order)) < len(order):
        problems.append(f"source_order must be a list of {', '.join(SOURCE_IDS)}.")
        order = []
    mirror = fields.get("mirror_endpoint", "")
    try:
        mirror = checked_endpoint("mirror_endpoint", mirror) if isinstance(mirror, str) and mirror else mirror
        is_text = isinstance(mirror, str)
    except InvalidSetting:
        is_text = False
    if not is_text:
        problems.append("mirror_endpoint must be an https:// address without user name or query.")
        mirror = ""
    resume = fields.get("resume_downloads")
    if not isinstance(resume, bool | None):
        problems.append("resume_downloads must be true or false.")
        resume = None
    folder = fields.get("models_dir")
    if not isinstance(folder, str | None) or (folder is not None and not _is_absolute(folder)):
        problems.append("models_dir must be the absolute path of a folder.")
        folder = None
    models_dir = None if folder is None else Path(str(folder))
    precision = fields.get("precision", "")
    if not isinstance(precision, str) or precision not in ("", *PRECISIONS):
        problems.append(f"precision must be one of {', '.join(PRECISIONS)}.")
        precision = ""
    return Preferences(tuple(map(str, order)), str(mirror), resume, models_dir, precision), tuple(problems)


def _is_absolute(folder: str) -> bool:
    return folder.isprintable() and Path(folder).is_absolute()


def _as_fields(preferences: Preferences) -> dict[str, object]:
    """The choices as fields of the file; those not chosen are left out."""
    fields: dict[str, object] = {
        "source_order": list(preferences.source_order),
        "mirror_endpoint": preferences.mirror_endpoint,
        "resume_downloads": preferences.resume_downloads,
        "models_dir": None if preferences.models_dir is None else str(preferences.models_dir),
        "precision": preferences.precision,
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
