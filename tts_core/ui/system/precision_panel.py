"""The precision in which models compute, a part of the System tab: the choices of this device, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.engines.qwen.engine import QWEN
from tts_core.platform.acceleration import Acceleration
from tts_core.platform.settings.compute import AUTO, PRECISION_VARIABLE
from tts_core.platform.settings.preferences import PreferencesFile
from tts_core.services import Services
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words

FAST = "int8"


@dataclass(frozen=True, slots=True)
class PrecisionPanel:
    choice: gr.Radio
    advice: gr.HTML
    """The advice about the choice on this machine."""
    fast: gr.Button
    """The button that chooses the precision that most people on a CPU want."""
    message: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.choice, self.advice, self.fast, self.message]


def render(services: Services, words: Words) -> PrecisionPanel:
    fixed = PRECISION_VARIABLE in services.settings.fixed
    info = words("sources.fixed", {"name": PRECISION_VARIABLE}) if fixed else words("precision.info")
    choice = gr.Radio(
        _named(words, [services.settings.precision_now()]),
        value=services.settings.precision_now(),
        label=words("precision.label"),
        info=info,
        interactive=not fixed,
        elem_id="system-precision",
    )
    advice = gr.HTML(js_on_load=None, elem_id="system-precision-advice")
    fast = gr.Button(words("precision.fast"), visible=False, elem_id="system-precision-fast")
    return PrecisionPanel(choice, advice, fast, gr.HTML(js_on_load=None, elem_id="system-precision-message"))


def precisions(services: Services, found: Acceleration) -> list[str]:
    """The precisions to choose from: AUTO and those of the device, which is the one asked for or the one found."""
    device = _device(services, found)
    if device == "cpu":
        return [AUTO, "float32", *found.processor.whole_numbers]
    return [AUTO, "float32", "float16"] if device == "mps" else [AUTO, "float32", "bfloat16", "float16", FAST]


def _device(services: Services, found: Acceleration) -> str:
    asked = services.settings.device
    return found.preferred_device if asked == AUTO else asked


def _is_card(services: Services, found: Acceleration) -> bool:
    return _device(services, found) != "cpu"


def shown(services: Services, words: Words, found: Acceleration, message: str = "") -> list[Any]:
    """Updates for `outputs`: the choices, and the present one, whoever made it."""
    now, able = services.settings.precision_now(), precisions(services, found)
    free = PRECISION_VARIABLE not in services.settings.fixed
    slow = now in (AUTO, "float32") and FAST in able and not _is_card(services, found)
    listed = able if now in able else [*able, now]
    return [
        gr.update(choices=_named(words, listed), value=now),
        _advice(words, now, found, slow=slow) if not _is_card(services, found) else "",
        gr.update(visible=slow and free),
        message,
    ]


def wire(panel: PrecisionPanel, services: Services, words: Words) -> None:
    def choose(precision: str) -> list[Any]:
        found = services.system.acceleration()
        if PRECISION_VARIABLE in services.settings.fixed or precision not in precisions(services, found):
            return shown(services, words, found)
        chosen = "" if precision == AUTO else precision
        try:
            file = PreferencesFile(services.settings.paths.preferences_file)
            file.change(lambda now: replace(now, precision=chosen))
        except StudioError as error:
            return shown(services, words, found, fragments.alert(words("system.not_done"), words.error(error)))
        services.memory.let_go(QWEN)
        return shown(services, words, found, fragments.done(words("precision.chosen")))

    panel.choice.input(choose, panel.choice, panel.outputs, api_visibility="private", show_progress="hidden")
    panel.fast.click(lambda: choose(FAST), None, panel.outputs, api_visibility="private", show_progress="hidden")


def _named(words: Words, names: list[str]) -> list[tuple[str, str]]:
    return [(words(f"precision.{name}"), name) for name in names]


def _advice(words: Words, now: str, found: Acceleration, *, slow: bool) -> str:
    if now == "int4":
        return fragments.alert(words("precision.warning"), words("precision.int4_advice"))
    if slow:
        return fragments.hint(words("precision.slow"))
    if now == FAST:
        return fragments.hint(words("precision.int8_advice"))
    if not found.supported and (problem := found.processor.compiler_problem):
        return fragments.hint(words("precision.no_compiler", {"error": problem}))
    return ""
