"""The transcriber as the check of long texts needs it: words alone, of short takes, by the best model that is ready."""

from __future__ import annotations

from pathlib import Path

from tts_core.domain.engine import CancelCheck
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.faults import UnknownSpokenLanguage
from tts_core.engines.whisper.transcriber import Transcriber


class TakeTranscriber:
    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber

    def is_ready(self) -> bool:
        """Whether there is a model to listen with."""
        return bool(self._transcriber.ready())

    def transcript(self, recording: Path, language: str, cancelled: CancelCheck) -> str:
        """The words in a recording; a language that Whisper does not know is taken for what it resembles most. Raises
        what `Transcriber.transcribe` raises."""
        try:
            return self._transcriber.transcribe(recording, language=language, cancelled=cancelled).text
        except UnknownSpokenLanguage:
            return self._transcriber.transcribe(recording, language=AUTO_LANGUAGE, cancelled=cancelled).text
