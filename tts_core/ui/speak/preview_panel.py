"""The fold below the Speak tab that shows how a text will be spoken: its segments, their spoken form, their seconds."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.domain.values import AUTO_LANGUAGE, ReadAs, SynthesisRequest
from tts_core.services import Services
from tts_core.speech.plan.plan import PlannedSegment, SpeechPlan
from tts_core.ui.speak import lexicon_panel
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class TextWidgets:
    """The widgets of the tab that decide how a text is spoken."""

    text: gr.Textbox
    voice: gr.Dropdown
    language: gr.Dropdown
    speed: gr.Slider
    read_as: gr.Radio

    @property
    def inputs(self) -> list[Any]:
        return [self.text, self.voice, self.language, self.speed, self.read_as]


def add(services: Services, words: Words, text: TextWidgets) -> None:
    """Render and wire the folds below the tab: the preview, and on the owner's page the lexicon."""

    def show(text: str, voice: str | None, language: str, speed: float, read_as: str) -> str:
        request = SynthesisRequest(
            text=text or "",
            voice=voice or None,
            language=language or AUTO_LANGUAGE,
            speed=speed,
            read_as=ReadAs.named(read_as),
        )
        return preview(services, words, request)

    with gr.Column(elem_classes="studio-card studio-folds"):
        with gr.Accordion(words("preview.title"), open=False, elem_id="speak-preview") as fold:
            gr.HTML(fragments.hint(words("preview.info")), js_on_load=None)
            again = gr.Button(words("preview.run"), size="sm", min_width=150, elem_id="speak-preview-run")
            shown = gr.HTML(js_on_load=None, elem_id="speak-preview-shown")
        if not words.is_for_guests:
            lexicon_panel.add(services, words, text.voice)
    for event in (fold.expand, again.click):
        event(show, text.inputs, shown, api_visibility="private", show_progress="hidden", queue=False)


def preview(services: Services, words: Words, request: SynthesisRequest) -> str:
    """The segments of a text as HTML; the reason where there are none."""
    try:
        plan = services.synthesis.preview(request)
    except StudioError as error:
        return fragments.hint(words.error(error))
    return preview_html(words, plan, request.speed)


def preview_html(words: Words, plan: SpeechPlan, speed: float) -> str:
    pauses_s = plan.lead_s + sum(segment.pause_after_s for segment in plan.segments)
    total_s = pauses_s + sum(segment.expected_s for segment in plan.segments) / speed
    facts = {"count": len(plan.segments), "time": clock(total_s)}
    rows = "".join(_row(words, segment, speed) for segment in plan.segments)
    lead = f"<p>{escape(words('preview.lead', {'seconds': _seconds(plan.lead_s)}))}</p>" if plan.lead_s else ""
    ignored = words("preview.ignored", {"tags": "  ".join(dict.fromkeys(plan.ignored))}) if plan.ignored else ""
    return (
        f'<div class="studio-plan"><p role="status"><strong>{escape(words("preview.facts", facts))}</strong></p>'
        f"{fragments.hint(ignored)}{lead}<ol>{rows}</ol></div>"
    )


def clock(seconds: float) -> str:
    """Minutes and seconds: 151 is "2:31"."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def _row(words: Words, segment: PlannedSegment, speed: float) -> str:
    spoken = ""
    if segment.spoken != segment.text:
        spoken = f'<p class="studio-plan-spoken">{escape(words("preview.spoken", {"text": segment.spoken}))}</p>'
    facts = words("preview.seconds", {"seconds": _seconds(segment.expected_s / speed)})
    if segment.pause_after_s:
        reason = words(f"preview.reason_{segment.reason.value}")
        facts += " · " + words("preview.pause", {"seconds": _seconds(segment.pause_after_s), "reason": reason})
    return f"<li><p>{escape(segment.text)}</p>{spoken}<small>{escape(facts)}</small></li>"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 1 or not round(seconds * 100) % 10 else f"{seconds:.2f}"
