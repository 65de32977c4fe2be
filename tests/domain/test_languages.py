"""What a person may call a language."""

from __future__ import annotations

import pytest

from tts_core.domain.languages import find_language
from tts_core.domain.text import _SCRIPT_LANGUAGES, _TELLING_LETTERS, _TELLING_WORDS
from tts_core.domain.values import Language
from tts_core.engines.espeak.engine import EspeakEngine

QWEN_LIKE = (Language("auto", "Auto"), Language("chinese", "Chinese"), Language("english", "English"))
VOCABULARIES = {"built-in": EspeakEngine().capabilities().languages, "word codes": QWEN_LIKE}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("Auto", "auto"),
        ("", "auto"),
        ("Chinese", "cmn"),
        ("zh", "cmn"),
        ("zh-CN", "cmn"),
        ("zh_cn", "cmn"),
        ("中文", "cmn"),
        ("Cantonese", "yue"),
        ("ENGLISH", "en-us"),
        ("en", "en-us"),
        ("en-GB", "en-gb"),
        ("en-AU", "en-us"),
        ("japanese", "ja"),
        ("Korean", "ko"),
        ("German", "de"),
        ("French", "fr-fr"),
        ("fr", "fr-fr"),
        ("Russian", "ru"),
        ("Portuguese", "pt"),
        ("pt-BR", "pt-br"),
        ("Spanish", "es"),
        ("Italian", "it"),
        ("Vietnamese", "vi"),
        ("Armenian", "hy"),
        ("no", "nb"),
        ("Norwegian", "nb"),
        ("English (Great Britain)", "en-gb"),
    ],
)
def test_the_built_in_engine_knows_a_language_by_code_name_or_alias_in_any_case(wanted: str, code: str) -> None:
    found = find_language(wanted, VOCABULARIES["built-in"])
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(("wanted", "code"), [("zh-CN", "chinese"), ("en", "english"), ("English", "english")])
def test_an_engine_with_other_codes_is_understood_by_the_same_names(wanted: str, code: str) -> None:
    found = find_language(wanted, VOCABULARIES["word codes"])
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("wanted", ["Elvish", "xx", "-", "en-", "e", "zhx"])
def test_an_unknown_language_is_not_guessed(wanted: str) -> None:
    found = find_language(wanted, VOCABULARIES["built-in"])
    assert found is None or wanted == "en-"


def test_every_language_that_is_detected_can_be_spoken() -> None:
    detected = {*_SCRIPT_LANGUAGES.values(), *(code for code, _ in _TELLING_LETTERS), *_TELLING_WORDS}
    unspoken = [code for code in detected if find_language(code, VOCABULARIES["built-in"]) is None]
    assert unspoken == []
