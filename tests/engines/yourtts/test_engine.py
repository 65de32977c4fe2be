"""YourTTS as one engine, without its environment: which of its voices imitates, and whom each request means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tts_core.domain.engine import never
from tts_core.domain.errors import ReferenceRequired, UnknownVoice
from tts_core.domain.events import EngineEvent
from tts_core.domain.values import PreparedVoice, SynthesisRequest
from tts_core.engines.yourtts.engine import CLONE_VOICE, LANGUAGES, YourTts, YourTtsEngine, _Known
from tts_core.engines.yourtts.speakers import Speaker, SpeakerStore


class Installed(YourTts):
    """Stands for an installed YourTTS that notes whom it should speak as."""

    def __init__(self, folder: Path) -> None:
        self.speakers = SpeakerStore(folder)
        self.asked: list[str | Speaker] = []

    def known(self) -> _Known | None:
        return _Known(LANGUAGES, ("male-en-2",), 16_000)

    def speak(self, request: object, language: str, speaker: str | Speaker, cancelled: object) -> Iterator[EngineEvent]:
        self.asked.append(speaker)
        return iter(())


def test_one_engine_speaks_as_presets_registered_speakers_and_recordings(tmp_path: Path) -> None:
    yourtts = Installed(tmp_path)
    engine = YourTtsEngine(yourtts)
    anna = Speaker("Anna", np.zeros(100, np.float32), 16_000)
    yourtts.speakers.put(anna)
    ids = [voice.id for voice in engine.voices()]
    assert ids == ["yourtts/male-en-2", f"yourtts/{anna.key}", CLONE_VOICE]
    assert [engine.capabilities(voice).can_clone for voice in ids] == [False, False, True]
    for voice in ids[:2]:
        engine.stream(SynthesisRequest("Hello.", voice=voice, language="en"), cancelled=never)
    source = PreparedVoice(np.ones(4, np.float32))
    engine.stream(SynthesisRequest("Hello.", voice=CLONE_VOICE, language="en", source=source), cancelled=never)
    preset, registered, imitated = yourtts.asked
    assert preset == "male-en-2"
    assert isinstance(registered, Speaker)
    assert registered.id == "Anna"
    assert isinstance(imitated, Speaker)
    assert imitated.vector is source.vector
    with pytest.raises(UnknownVoice):
        engine.stream(SynthesisRequest("Hello.", voice="yourtts/nobody", language="en"), cancelled=never)
    with pytest.raises(ReferenceRequired):
        engine.stream(SynthesisRequest("Hello.", voice=CLONE_VOICE, language="en"), cancelled=never)
