"""Messages about transcribing: how far it is, in which language, how near to the wanted text."""

from __future__ import annotations

from html import escape

from tts_core.domain.text import detect_language, speakable
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.faults import UnknownSpokenLanguage
from tts_core.engines.whisper.error_rate import ErrorRate, Stretch
from tts_core.engines.whisper.languages import LANGUAGES, spoken_language
from tts_core.engines.whisper.transcriber import SpokenCheck
from tts_core.ui.transcribe.handler import Stage
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words

GOOD_RATE = 0.1
"""The error rate up to which a take is good: Whisper itself mishears about so many words; beyond that something else is
likely to be wrong."""


def stage(words: Words, now: Stage) -> str:
    return fragments.progress(
        words(f"transcribe.{now.phase}", {"percent": round(now.percent)}), now.percent, label=words("transcribe.run")
    )


def language_name(words: Words, code: str) -> str:
    """The language's name on the page; `code` is Whisper's."""
    name = LANGUAGES.get(code, code)
    return words.get(f"language.{name.lower()}", words.get(f"language.{code}", name))


def unlike(chosen: str, code: str, text: str = "") -> str:
    """Whisper's code of the language `chosen`, or of `text` where that is Auto; "" if it is the same as `code`."""
    if chosen == AUTO_LANGUAGE:
        chosen = detect_language(text) if speakable(text) else ""
    try:
        wanted = spoken_language(chosen) if chosen else None
    except UnknownSpokenLanguage:
        return ""
    is_same = wanted is None or _family(wanted) == _family(code)
    return "" if is_same or wanted is None else wanted


def _family(code: str) -> str:
    """The group of languages that Whisper mistakes for one another, and that hardly anybody would call different."""
    return {"yue": "zh", "nn": "no", "jw": "id", "ms": "id"}.get(code, code)


def language_tip(words: Words, recording: str, wanted: str) -> str:
    """A tip about the two languages, which are Whisper's codes and differ."""
    names = {"recording": language_name(words, recording), "wanted": language_name(words, wanted)}
    return words("transcribe.language_differs", names)


def checked(words: Words, found: SpokenCheck) -> str:
    """The outcome of a check: error rate, the transcript, and where it differs from the text."""
    rate, transcript = found.error_rate, found.transcript
    percent = f"{100 * rate.rate:.1f}"
    look = "good" if not rate.errors else "advice" if rate.rate <= GOOD_RATE else "problem"
    icon = {"good": "✓", "advice": "◐", "problem": "!"}[look]
    title = words(f"check.{rate.unit}_rate", {"percent": percent})
    count = words(f"check.{rate.unit}s" if rate.errors else "check.same", {"errors": rate.errors, "all": rate.length})
    text = escape(transcript.text) or words("transcribe.nobody")
    compared = _compared(words, rate, transcript.language) if rate.errors and transcript.text else ""
    return (
        f'<section class="studio-check" data-look="{look}" role="status"><header><strong>{icon} {title}</strong> '
        f"<span>{count}</span></header>"
        f'<h4>{words("check.heard")}</h4><p class="studio-transcript" lang="{escape(transcript.language)}">{text}</p>'
        f"{compared}</section>"
    )


def _compared(words: Words, rate: ErrorRate, language: str) -> str:
    blank = " " if rate.unit == "word" else ""
    text = blank.join(map(_stretch, rate.stretches))
    return (
        f'<h4>{words("check.compared")}</h4><p class="studio-transcript" lang="{escape(language)}">{text}</p>'
        f'<p class="studio-hint">{words("check.legend")}</p>'
    )


def _stretch(piece: Stretch) -> str:
    if piece.is_same:
        return escape(piece.transcribed)
    wanted = f"<del>{escape(piece.wanted)}</del>" if piece.wanted else ""
    spoken = f"<ins>{escape(piece.transcribed)}</ins>" if piece.transcribed else ""
    return wanted + spoken
