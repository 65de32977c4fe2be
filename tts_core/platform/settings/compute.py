"""The user's settings of how models compute: precision and threads, as values of environment variables."""

from __future__ import annotations

from tts_core.platform.faults import InvalidSetting

AUTO = "auto"
WHOLE_NUMBERS = ("int8", "int4")
"""The precisions with whole-number weights; on CPUs only."""
PRECISIONS = ("float32", "bfloat16", "float16", *WHOLE_NUMBERS)
PRECISION_VARIABLE = "TTS_STUDIO_PRECISION"
THREADS_VARIABLE = "TTS_STUDIO_THREADS"
_MOST_THREADS = 256


def checked_precision(name: str, value: str) -> str:
    """The precision that `value` names, AUTO or one of PRECISIONS; blank is AUTO. Raises InvalidSetting for `name`."""
    chosen = value.strip().lower() or AUTO
    if chosen not in (AUTO, *PRECISIONS):
        raise InvalidSetting(name=name, value=value, expected=f"one of {', '.join((AUTO, *PRECISIONS))}")
    return chosen


def checked_threads(name: str, value: str) -> int | None:
    """The number of threads that `value` names; blank or "auto" is None. Raises InvalidSetting naming `name`."""
    chosen = value.strip().lower()
    if chosen in ("", AUTO):
        return None
    if not chosen.isascii() or not chosen.isdigit() or not 1 <= int(chosen) <= _MOST_THREADS:
        raise InvalidSetting(name=name, value=value, expected=f"a number of threads from 1 to {_MOST_THREADS}, or auto")
    return int(chosen)
