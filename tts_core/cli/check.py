"""The transcript of a take beside the text that it should say: for people and as data."""

from __future__ import annotations

from typing import Any

from tts_core.cli import progress
from tts_core.engines.whisper.transcriber import LOADING, SpokenCheck


def show_listening(phase: str, percent: float) -> None:
    progress.show(f"{percent:3.0f} % {'loading the model' if phase == LOADING else 'listening'}")


def check_as_words(check: SpokenCheck) -> str:
    """The check for people. Differences are marked as in `diff`: [-wanted-] {+heard+}."""
    rate, blank = check.error_rate, " " if check.error_rate.unit == "word" else ""
    pieces = [
        piece.transcribed if piece.is_same else _marked(piece.wanted, piece.transcribed) for piece in rate.stretches
    ]
    differ = f"{rate.errors} of {rate.length} {rate.unit}s differ ({100 * rate.rate:.1f} %)"
    return f"Check: {differ}. Heard: {check.transcript.text}" + (f"\n{blank.join(pieces)}" if rate.errors else "")


def _marked(wanted: str, transcribed: str) -> str:
    return (f"[-{wanted}-]" if wanted else "") + (f"{{+{transcribed}+}}" if transcribed else "")


def check_as_json(check: SpokenCheck) -> dict[str, Any]:
    rate = check.error_rate
    return {
        "unit": rate.unit,
        "errors": rate.errors,
        "length": rate.length,
        "rate": round(rate.rate, 4),
        "heard": check.transcript.text,
        "language": check.transcript.language,
    }
