"""Reading an `Accept` header: it asks for the take's facts as JSON, or for its sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType

from tts_core.audio.files import FORMATS

_ALIASES = MappingProxyType(
    {"audio/wave": "wav", "audio/x-wav": "wav", "audio/x-flac": "flac", "audio/mp3": "mp3", "audio/opus": "opus"}
)


def wanted_audio(accepts: Iterable[str]) -> str | None:
    """The name of the audio format that is asked for, "" where any will do, None where JSON is preferred.

    >>> wanted_audio(["audio/mpeg, application/json;q=0.5"])
    'mp3'
    """
    ranges = sorted(_media_ranges(accepts), key=lambda media_range: -media_range[1])
    for name, quality in ranges:
        if quality <= 0 or name in ("application/json", "application/*", "*/*"):
            return None
        if name.startswith("audio/"):
            return _format_of(name)
    return None


def _format_of(mime: str) -> str:
    by_mime = {kind.mime.partition(";")[0]: name for name, kind in [*FORMATS.items()][::-1]}
    return by_mime.get(mime) or _ALIASES.get(mime, "")


def _media_ranges(accepts: Iterable[str]) -> Iterator[tuple[str, float]]:
    for item in ",".join(accepts).lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = next((value for value in parameters if value.startswith("q=")), "q=1")
        yield name, _number(quality[2:])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
