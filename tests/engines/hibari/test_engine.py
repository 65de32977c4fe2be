"""Voices that were downloaded stand beside the one in the package; each is read from its own file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tts_core.domain.errors import UnknownLanguage
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.hibari.model import packaged_file
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services
from tts_core.speech.synthesis import collect


def test_a_voice_that_was_downloaded_speaks(settings: Settings) -> None:
    """The packaged voice's network stands in for Emma's, which has the same size."""
    services = build_services(settings)
    entry = services.models.entry("hibari_emma")
    file = services.models.folder("hibari_emma") / entry.files[0].path
    listed = [voice.id for voice in services.synthesis.voices() if voice.engine == "hibari"]
    assert listed == ["hibari/heart"]
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    assert [voice.id for voice in services.synthesis.voices() if voice.engine == "hibari"] == listed
    packaged = packaged_file()
    assert packaged is not None
    shutil.copy(packaged, file)
    take = collect(services.synthesis.speak(SynthesisRequest("Good morning.", voice="hibari/emma", seed=1)))
    assert 0.5 < take.duration_s < 3
    with pytest.raises(UnknownLanguage):
        services.synthesis.speak(SynthesisRequest("Guten Morgen.", voice="hibari/emma", language="German"))
    services.close()
    shutil.rmtree(Path(services.models.folder("hibari_emma")))
    assert [voice.id for voice in services.synthesis.voices() if voice.engine == "hibari"] == listed
