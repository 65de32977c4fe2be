"""Both languages say everything: same keys, same parameters, a Chinese sentence for every code."""

from __future__ import annotations

import ast
import string
from collections.abc import Mapping

import pytest

from tests.error_tree import every_error
from tts_core.audio.judging import FINDING_TEMPLATES
from tts_core.domain.errors import QueueFull
from tts_core.models.files.findings import HINT_TEMPLATES, PROBLEM_TEMPLATES
from tts_core.platform.acceleration import REASONS
from tts_core.platform.paths import PACKAGE_DIR
from tts_core.ui.words import LANGUAGES, load_words

CODED = ("error.", "problem.", "hint.", "reason.", "finding.", "language.", "model.")
"""Kinds whose English lives beside the code, or in the catalogue."""
NOT_THE_PAGES = {
    "catalogue_invalid",
    "host_not_allowed",
    "origin_not_allowed",
    "method_not_allowed",
    "provider_must_be_hf_or_modelscope",
    "too_many_streams",
    "upgrade_required",
    "body_too_large",
    "body_too_slow",
    "start_failed",
    "unknown_service",
    "service_port_taken",
    "nothing_supervised",
    "install_failed",
    "python_unsuitable",
    "packages_unreachable",
    "packages_failed",
    "install_disk_low",
    "install_running",
    "model_archive_invalid",
    "language_not_supported",
    "speaker_vector_misfit",
    "speaker_service_unavailable",
    "neighbours_only",
    "measurement_failed",
    "peer_missing",
    "peer_needs_cuda",
    "out_exists",
    "out_unwritable",
    "login_required",
    "wrong_key",
    "accounts_missing",
    "accounts_unusable",
    "accounts_unwritable",
    "unknown_user",
    "unknown_key",
    "user_exists",
    "invalid_account",
}
"""Met at start, on the command line, or by requests that are not the page's."""


def parameters(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_page_text_exists_in_both_languages_with_the_same_parameters() -> None:
    english, chinese = (load_words(language).table for language in LANGUAGES)
    page_keys = {key for key in chinese if not key.startswith(CODED)}
    assert page_keys == {key for key in english if not key.startswith(CODED)}
    for key in english:
        assert parameters(english[key]) == parameters(chinese[key]), key


def test_every_text_that_the_code_asks_for_exists() -> None:
    """Where the key stands in the code as it is: a wrong one would be met only when somebody gets there."""
    asked: dict[str, str] = {}
    for source in sorted((PACKAGE_DIR / "ui").rglob("*.py")):
        for call in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and _name(call.func) in ("words", "_words") and call.args:
                key = call.args[0]
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    asked[key.value] = source.name
    table = load_words("en").table
    assert len(asked) > len(table) / 4, "the calls are no longer found"
    assert {key: source for key, source in asked.items() if key not in table} == {}


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_every_error_that_the_page_can_meet_has_a_chinese_sentence() -> None:
    table = load_words("zh").table
    templates = {kind.code: kind.template for kind in every_error()}
    for code, template in templates.items():
        if code not in NOT_THE_PAGES:
            assert parameters(table[f"error.{code}"]) <= parameters(template), code


@pytest.mark.parametrize(
    ("kind", "templates"),
    [
        ("problem", PROBLEM_TEMPLATES),
        ("hint", HINT_TEMPLATES),
        ("reason", REASONS),
        ("finding", FINDING_TEMPLATES),
    ],
)
def test_every_code_has_a_chinese_sentence(kind: str, templates: Mapping[str, str]) -> None:
    table = load_words("zh").table
    known = {key.split(".", 1)[1] for key in table if key.startswith(f"{kind}.")}
    assert known == set(templates)
    for code, template in templates.items():
        assert parameters(table[f"{kind}.{code}"]) <= parameters(template), code


def test_an_error_is_told_in_the_language_of_the_page() -> None:
    error = QueueFull(waiting=16)
    assert load_words("en").error(error) == error.message
    assert load_words("zh").error(error) == "已有 16 个请求在排队，请稍后再试。"
