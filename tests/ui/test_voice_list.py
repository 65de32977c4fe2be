"""The voices that a picker offers: all that speak, and all that could, with the reason why they don't yet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tts_core.access.visitor import Role
from tts_core.domain.sample_texts import SAMPLE_TEXTS, sample_text
from tts_core.models.speakers import preset_speakers
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.ui.widgets.voice_choices import speaking_voices
from tts_core.ui.widgets.voice_list import voice_list
from tts_core.ui.widgets.voice_picker import voice_choices
from tts_core.ui.words import load_words

CUSTOM, BASE = "Qwen3-TTS-12Hz-0.6B-CustomVoice", "Qwen3-TTS-12Hz-0.6B-Base"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    environ = {"TTS_STUDIO_DATA_DIR": str(tmp_path), "TTS_STUDIO_DEVICE": "cpu"}
    services = build_services(Settings.from_env(environ))
    yield services
    services.close()


def keep(services: Services, records: Mapping[str, Mapping[str, Any]]) -> None:
    """Put records into the library's file, as another program may."""
    file = services.settings.paths.voices_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(records), encoding="utf-8")


def cards(services: Services, language: str = "en", role: Role = Role.ADMIN) -> dict[str, dict[str, Any]]:
    listed = voice_list(services, load_words(language, role))
    return {voice["id"]: voice | {"group": group["key"]} for group in listed["groups"] for voice in group["voices"]}


def test_what_speaks_is_offered_with_its_character(services: Services) -> None:
    found = cards(services)
    assert {voice.id for voice in speaking_voices(services)} <= found.keys()
    aria = found["builtin/aria"]
    assert (aria["line"], aria["gender"], aria["group"]) == ("Female, calm", "female", "builtin")
    assert {"en", "de", "zh"} <= {*aria["languages"]}
    assert "reason" not in aria
    assert found["hibari/heart"]["language"] == "en"


def test_voices_of_models_that_are_not_here_say_so_and_lead_to_them(services: Services) -> None:
    found = cards(services)
    for key in ("custom_1_7b/vivian", "hibari/kore", "piper/de_de-thorsten-medium"):
        assert "not downloaded" in found[key]["reason"]
        assert found[key]["act"] == "tab-models"
    thorsten, vivian = found["piper/de_de-thorsten-medium"], found["custom_1_7b/vivian"]
    assert (thorsten["language"], thorsten["gender"]) == ("de", "male")
    assert (vivian["language"], vivian["gender"], len(vivian["languages"])) == ("zh", "female", 10)
    assert vivian["line"] == f"Chinese · {preset_speakers()['vivian'].about['en']}"


def test_a_model_without_its_weights_is_named_as_incomplete(services: Services) -> None:
    folder = services.settings.paths.models_dir / CUSTOM
    write_checkpoint(folder, kind="custom_voice", geometry="a")
    assert not any("reason" in card for key, card in cards(services).items() if key.startswith("custom_0_6b/"))
    (folder / "model.safetensors").unlink()
    for key, card in cards(services).items():
        if key.startswith("custom_0_6b/"):
            assert card["reason"] == "files are missing"


def test_saved_voices_that_cannot_speak_are_there_with_what_makes_them_ready(services: Services) -> None:
    write_checkpoint(services.settings.paths.models_dir / BASE, kind="base", geometry="a")
    ours = {"kind": "clone", "language": "german"}
    keep(
        services,
        {
            "ready": ours | {"name": "Anna", "model_key": "base_0_6b", "status": "ready", "meta": {"favourite": True}},
            "raw": ours | {"name": "Bert", "model_key": "base_0_6b", "status": "uploaded"},
            "failed": ours | {"name": "Cora", "model_key": "base_0_6b", "status": "failed"},
            "busy": ours | {"name": "Dora", "model_key": "base_0_6b", "status": "cloning"},
            "away": ours | {"name": "Emil", "model_key": "base_1_7b", "status": "ready"},
            "foreign": ours | {"name": "Frida", "model_key": "unheard_of", "status": "ready"},
            "gone": ours | {"name": "Gerda", "model_key": "base_0_6b", "meta": {"deleted_at": "2026-01-01"}},
        },
    )
    found = {card["name"]: card for card in cards(services).values() if card["group"] == "library"}
    assert "Gerda" not in found
    anna = found["Anna"]
    assert ("reason" in anna, anna["favourite"], anna["language"]) == (False, True, "de")
    assert anna["line"] == "Clone · Qwen3-TTS 0.6B Base · German"
    acts = {name: card.get("act", "") for name, card in found.items() if "reason" in card}
    assert acts == {"Bert": "prepare", "Cora": "prepare", "Dora": "", "Emil": "tab-models", "Frida": ""}
    assert found["Emil"]["reason"] == "Model missing"
    of_guests = cards(services, role=Role.GUEST)
    assert all("act" not in card and "favourite" not in card for card in of_guests.values())
    assert {card["reason"] for card in of_guests.values() if card["name"] in acts} == {"Not prepared"}
    assert not any("Base" in card["line"] for card in of_guests.values())


def test_the_chinese_list_has_no_english_sentences(services: Services) -> None:
    for card in cards(services, "zh").values():
        assert not any(word in f"{card['line']} {card.get('reason', '')}" for word in ("female", "English", "download"))


def test_the_filter_has_each_language_once_by_both_names(services: Services) -> None:
    languages = voice_list(services, load_words("zh"))["languages"]
    codes = [code for code, _, _ in languages]
    assert len(codes) == len({*codes})
    assert ["de", "德语", "German"] in languages
    assert len({name for _, name, _ in languages}) == len(languages)


def test_a_label_has_the_name_on_its_first_line(services: Services) -> None:
    labels = {key: label for label, key in voice_choices(load_words("en"), speaking_voices(services))}
    assert labels["builtin/aria"].split("\n") == ["Aria", "Female, calm · Built-in (espeak-ng)"]


@pytest.mark.parametrize(("language", "code"), [("german", "de"), ("cmn", "zh"), ("en-us", "en"), ("auto", "en")])
def test_a_voice_introduces_itself_in_its_own_language(language: str, code: str) -> None:
    assert sample_text(language) == SAMPLE_TEXTS[code]
