"""Which voice is meant by an id, a name and a model's key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FakeEngine
from tts_core.domain.errors import MisnamedVoice, StudioError, UnknownModelKey, UnknownVoice
from tts_core.platform.settings.studio import Limits, Settings
from tts_core.services import build_services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis
from tts_core.speech.takes import Outputs
from tts_core.ui.words import load_words
from tts_core.voices.faults import ModelNotLoadable
from tts_core.voices.finder import VoiceFinder


@pytest.fixture
def finder(tmp_path: Path) -> Iterator[VoiceFinder]:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    engines = (FakeEngine("large", speakers=("Uncle_Fu", "Vivian")), FakeEngine("small", speakers=("Vivian", "Ben")))
    synthesis = Synthesis(engines, SpeechQueue(1), Outputs(tmp_path, Limits()), Limits())
    yield VoiceFinder(synthesis, services.voices, services.voice_models)
    services.close()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, None),
        ({"name": "", "model": ""}, None),
        ({"voice_id": "small/vivian"}, "small/vivian"),
        ({"voice_id": "Small/VIVIAN"}, "small/vivian"),
        ({"name": "LARGE/Uncle_Fu"}, "large/uncle_fu"),
        ({"name": "small/vivian"}, "small/vivian"),
        ({"name": "uncle FU"}, "large/uncle_fu"),
        ({"name": "vivian"}, "large/vivian"),
        ({"name": "vivian", "model": "small"}, "small/vivian"),
        ({"model": "small"}, "small/vivian"),
    ],
)
def test_a_voice_is_found_by_id_name_and_model(finder: VoiceFinder, asked: dict[str, str], found: str | None) -> None:
    assert finder.find(**asked) == found


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"voice_id": "Ben"}, UnknownVoice),
        ({"name": "Nobody"}, UnknownVoice),
        ({"name": "Ben", "model": "large"}, UnknownVoice),
        ({"model": "base_0_6b"}, ModelNotLoadable),
        ({"model": "nothing"}, UnknownModelKey),
    ],
)
def test_what_is_not_there_is_said(finder: VoiceFinder, asked: dict[str, str], error: type[StudioError]) -> None:
    with pytest.raises(error):
        finder.find(**asked)


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ({"voice_id": "large/vivien"}, "large/vivian"),
        ({"name": "Viviann"}, "large/vivian"),
        ({"name": "uncle"}, "large/uncle_fu"),
        ({"name": "Ben", "model": "large"}, "small/ben"),
    ],
)
def test_the_nearest_names_are_offered(finder: VoiceFinder, asked: dict[str, str], nearest: str) -> None:
    with pytest.raises(MisnamedVoice) as caught:
        finder.find(**asked)
    assert nearest in str(caught.value.params["nearest"]).split(", ")
    assert nearest in caught.value.message
    assert nearest in load_words("zh").error(caught.value)
    assert caught.value.code == UnknownVoice.code


@pytest.mark.parametrize("name", ["xyz", "q" * 10_000])
def test_where_nothing_is_near_nothing_is_offered(finder: VoiceFinder, name: str) -> None:
    with pytest.raises(UnknownVoice) as caught:
        finder.find(name=name)
    assert "nearest" not in caught.value.params
