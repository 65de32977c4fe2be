"""Which model a call of the official demo means, and what becomes of its values; nothing is loaded for that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.engines.qwen.formula_checkpoint import reference_audio, write_checkpoint
from tts_core.domain.errors import InvalidChoice, ModelNotReady, ReferenceRequired, UnknownVoice, VoicePromptInvalid
from tts_core.domain.values import PreparedVoice, Recording
from tts_core.services import Services
from tts_core.speech.faults import InstructRequired
from tts_core.ui.endpoints.demo_requests import DemoRecording, DemoRequests
from tts_core.voices.exchange.official_prompt import write_official_prompt
from tts_core.voices.exchange.torch_writing import write_torch_file
from tts_core.voices.faults import TranscriptMissing

SMALL, LARGE = 64, 96
"""The sizes of a voice in the tiny models: those of geometry a, which stand for 0.6B, and of b."""


@pytest.fixture
def requests(services: Services) -> DemoRequests:
    return DemoRequests(services)


def add_model(services: Services, kind: str, size: str) -> None:
    names = {"custom_voice": "CustomVoice", "voice_design": "VoiceDesign", "base": "Base"}
    folder = services.settings.paths.models_dir / f"Qwen3-TTS-12Hz-{size}-{names[kind]}"
    write_checkpoint(folder, kind=kind, geometry="a" if size == "0.6B" else "b")


def prompt(path: Path, size: int) -> str:
    write_official_prompt(PreparedVoice(np.ones(size, np.float32)), path)
    return str(path)


def test_the_best_model_speaks_unless_a_size_is_asked_for(services: Services, requests: DemoRequests) -> None:
    add_model(services, "custom_voice", "0.6B")
    assert requests.preset("Hello.", "Vivian", "").voice == "custom_0_6b/vivian"
    add_model(services, "custom_voice", "1.7B")
    assert requests.preset("Hello.", "Vivian", "").voice == "custom_1_7b/vivian"
    assert requests.preset("Hello.", "Vivian", "", "0.6B").voice == "custom_0_6b/vivian"


@pytest.mark.parametrize("name", ["Uncle Fu", "Uncle_fu", "uncle_fu", " UNCLE FU "])
def test_speakers_are_known_as_demo_and_space_spell_them(services: Services, requests: DemoRequests, name: str) -> None:
    add_model(services, "custom_voice", "1.7B")
    assert requests.preset("Hello.", name, None).voice == "custom_1_7b/uncle_fu"


@pytest.mark.parametrize("name", ["Uncle Foo", "", None])
def test_other_speakers_are_refused(services: Services, requests: DemoRequests, name: str | None) -> None:
    add_model(services, "custom_voice", "1.7B")
    with pytest.raises(UnknownVoice):
        requests.preset("Hello.", name, "")


def test_an_instruction_goes_to_a_model_that_follows_it(services: Services, requests: DemoRequests) -> None:
    add_model(services, "custom_voice", "0.6B")
    assert requests.preset("Hello.", "Vivian", "Angry.").instruct == ""
    add_model(services, "custom_voice", "1.7B")
    assert requests.preset("Hello.", "Vivian", " Angry. ").instruct == "Angry."


def test_a_voice_is_designed_from_a_description(services: Services, requests: DemoRequests) -> None:
    add_model(services, "voice_design", "1.7B")
    asked = requests.designed("Hello.", "Warm.")
    assert (asked.voice, asked.instruct) == ("voice_design_1_7b/design", "Warm.")
    with pytest.raises(InstructRequired):
        requests.designed("Hello.", " ")


def test_a_recording_is_imitated_with_its_words_or_by_its_timbre(
    services: Services, requests: DemoRequests, tmp_path: Path
) -> None:
    add_model(services, "base", "0.6B")
    file = str(tmp_path / "me.wav")
    soundfile.write(file, reference_audio(), 24_000)
    source = requests.cloned("Hello.", DemoRecording(file, " my words ", False)).source
    assert isinstance(source, Recording)
    assert source.transcript == "my words"
    timbre = requests.cloned("Hello.", DemoRecording(file, None, True), "0.6B")
    assert timbre.voice == "base_0_6b/clone"
    assert isinstance(timbre.source, Recording)
    assert timbre.source.transcript is None
    with pytest.raises(TranscriptMissing):
        requests.cloned("Hello.", DemoRecording(file, "", False))
    with pytest.raises(ReferenceRequired):
        requests.cloned("Hello.", DemoRecording(None, "my words", False))


def test_a_prompt_goes_to_the_model_that_it_was_made_with(
    services: Services, requests: DemoRequests, tmp_path: Path
) -> None:
    for size in ("0.6B", "1.7B"):
        add_model(services, "base", size)
    assert requests.of_prompt("Hello.", prompt(tmp_path / "small.pt", SMALL)).voice == "base_0_6b/clone"
    assert requests.of_prompt("Hello.", prompt(tmp_path / "large.pt", LARGE)).voice == "base_1_7b/clone"


def test_a_file_that_no_model_can_use_is_refused(services: Services, requests: DemoRequests, tmp_path: Path) -> None:
    add_model(services, "base", "0.6B")
    item = {"ref_code": None, "ref_spk_embedding": np.ones(SMALL, np.float32), "x_vector_only_mode": True}
    write_torch_file({"items": [item, item]}, tmp_path / "two.pt")
    (tmp_path / "text.pt").write_text("no prompt")
    for file in (prompt(tmp_path / "large.pt", LARGE), str(tmp_path / "two.pt"), str(tmp_path / "text.pt"), None):
        with pytest.raises(VoicePromptInvalid):
            requests.of_prompt("Hello.", file)


@pytest.mark.parametrize("size", ["", "1.7B", "0.6B"])
def test_a_model_that_is_not_ready_is_named(requests: DemoRequests, size: str) -> None:
    with pytest.raises(ModelNotReady) as refused:
        requests.preset("Hello.", "Vivian", "", size)
    assert refused.value.params["name"] == " ".join(filter(None, ["Qwen3-TTS", size, "CustomVoice"]))
    with pytest.raises(ModelNotReady):
        requests.of_prompt("Hello.", None)


def test_a_size_that_no_model_has_is_refused(requests: DemoRequests) -> None:
    with pytest.raises(InvalidChoice):
        requests.preset("Hello.", "Vivian", "", "7B")


def test_a_language_that_the_demo_does_not_know_is_the_texts_own(services: Services, requests: DemoRequests) -> None:
    add_model(services, "custom_voice", "1.7B")
    asked = requests.preset("Hello.", "Vivian", "")
    found = [requests.spoken_language(asked, name) for name in ("Chinese", "english", "Auto", "Klingon", "", None)]
    assert found == ["Chinese", "english", "Auto", "auto", "auto", "auto"]
