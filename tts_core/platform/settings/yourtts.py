"""The settings of YourTTS's model: its folders and its source. Part of Settings, built from the environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.environ import Environ
from tts_core.platform.settings.sources import checked_endpoint, usable_or

MODEL_DIR_VARIABLE = "TTS_STUDIO_YOURTTS_MODEL"
MODEL_URL_VARIABLE = "TTS_STUDIO_YOURTTS_URL"
MODEL_URL = (
    "https://github.com/coqui-ai/TTS/releases/download/v0.10.1_models/"
    "tts_models--multilingual--multi-dataset--your_tts.zip"
)
"""The address of the release that coqui-tts itself names. No hash of it is published."""

_OF_SYSTEM = MappingProxyType({"darwin": ("Library/Application Support/tts",), "win32": ("AppData/Local/tts",)})


@dataclass(frozen=True, slots=True)
class Location:
    folder: Path
    why: str
    """The reason to look there, for the log."""


@dataclass(frozen=True, slots=True)
class YourTtsSettings:
    model_dir: Path | None = None
    """The model's own folder, where a setting names it."""
    caches: tuple[Location, ...] = ()
    """The folders in which Coqui TTS keeps its models, whichever Python environment it ran in."""
    model_url: str = MODEL_URL
    """The address of the model as a zip file."""
    url_problem: InvalidSetting | None = field(default=None, compare=False)
    """The reason why the address that was set can't be used. It stops the model's download, and nothing else."""

    @classmethod
    def from_env(cls, environ: Environ) -> YourTtsSettings:
        """Read YourTTS's variables.

        Variables: TTS_STUDIO_YOURTTS_MODEL, TTS_STUDIO_YOURTTS_URL; TTS_HOME, XDG_DATA_HOME and LOCALAPPDATA, by which
        Coqui TTS finds its folder.
        """
        url, problems = environ.text(MODEL_URL_VARIABLE), list[InvalidSetting]()
        return cls(
            model_dir=environ.path(MODEL_DIR_VARIABLE),
            caches=_caches(environ),
            model_url=usable_or(
                MODEL_URL, lambda: checked_endpoint(MODEL_URL_VARIABLE, url) if url else MODEL_URL, problems
            ),
            url_problem=problems[0] if problems else None,
        )


def _caches(environ: Environ) -> tuple[Location, ...]:
    """The folders where Coqui TTS keeps its models, and where it would under other settings."""
    places = [
        Location(folder, name)
        for name in ("TTS_HOME", "XDG_DATA_HOME", "LOCALAPPDATA")
        if (home := environ.path(name)) is not None
        for folder in ((home / "tts", home) if name == "TTS_HOME" else (home / "tts",))
    ]
    home = Path.home()
    for below in (".local/share/tts", *_OF_SYSTEM.get(sys.platform, ())):
        places.append(Location(home / below, "Coqui TTS's own folder"))
    return tuple({place.folder: place for place in reversed(places)}.values())[::-1]
