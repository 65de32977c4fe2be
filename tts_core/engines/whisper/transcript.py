"""Transcripts: the phrases of a recording with their times, as data and as subtitles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WHISPER_RATE = 16_000
"""The rate of the sound that Whisper reads, hertz."""


@dataclass(frozen=True, slots=True)
class TranscriptOptions:
    """The transcript that is wanted, where it is not the plain one."""

    in_english: bool = False
    """Whether what is said is translated into English."""
    with_words: bool = False
    """Whether each word has its time; that takes longer."""
    prompt: str = ""
    """Text that might come before the recording: names and terms in it are spelled in its way."""
    temperature: float = 0.0
    """The chance in the choice of words, 0 to 1; with 0 there is none unless a phrase comes out badly without it."""


PLAIN = TranscriptOptions()


@dataclass(frozen=True, slots=True)
class Word:
    start_s: float
    """Seconds from the recording's start."""
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A phrase and its time."""

    start_s: float
    """Seconds from the recording's start."""
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    """The words of the phrase; empty where nobody asked for them."""


@dataclass(frozen=True, slots=True)
class Transcript:
    text: str
    """The whole text; "" where there is no speech."""
    language: str
    """Whisper's code of the language, e.g. "zh": as asked for, or as found; "" where nobody speaks any."""
    segments: tuple[Segment, ...]
    """The phrases in the order of time."""

    def pieces(self) -> tuple[str, ...]:
        """The text cut at the end of each phrase: joined, the pieces are the text, spaces included."""
        pieces, place = [], 0
        for one in self.segments:
            found = self.text.find(one.text, place)
            end = place if found < 0 else found + len(one.text)
            pieces.append(self.text[place:end])
            place = end
        return tuple(pieces)

    def as_json(self) -> dict[str, Any]:
        """The transcript as JSON; `from_json` takes it back."""
        rows = [{"start_s": one.start_s, "end_s": one.end_s, "text": one.text} for one in self.segments]
        return {"text": self.text, "language": self.language, "segments": rows}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Transcript:
        """The transcript of that JSON. Raises KeyError or TypeError on another shape."""
        return cls(data["text"], data["language"], tuple(Segment(**row) for row in data["segments"]))


def as_srt(transcript: Transcript) -> str:
    """The transcript as SubRip subtitles."""
    blocks = [
        f"{number}\n{_clock(one.start_s)} --> {_clock(one.end_s)}\n{one.text}\n"
        for number, one in enumerate(transcript.segments, start=1)
    ]
    return "\n".join(blocks)


def as_vtt(transcript: Transcript) -> str:
    """The transcript as WebVTT subtitles."""
    blocks = [f"{_clock(one.start_s, '.')} --> {_clock(one.end_s, '.')}\n{one.text}\n" for one in transcript.segments]
    return "\n".join(["WEBVTT\n", *blocks])


def _clock(seconds: float, mark: str = ",") -> str:
    """A time as subtitles write it: 3661.5 -> "01:01:01,500"."""
    minutes, thousandths = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{thousandths // 1000:02d}{mark}{thousandths % 1000:03d}"
