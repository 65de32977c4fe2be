"""The Clone tab: record or choose a voice, see how good the recording is, save the voice, listen to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.audio.judging import Fix
from tts_core.domain.errors import StudioError
from tts_core.domain.values import AUTO_LANGUAGE, NEW_SEED
from tts_core.services import Services
from tts_core.ui.clone import save_panel, sentence_card, view as clone_view
from tts_core.ui.clone.handler import CloneHandler, Compared, Desk
from tts_core.ui.clone.save_panel import SavePanel
from tts_core.ui.clone.sentence_card import SentenceCard
from tts_core.ui.clone.view import DROP, RESTORE, REVERT
from tts_core.ui.speak import player
from tts_core.ui.speak.handler import SpeakEndpoint, SpeakHandler
from tts_core.ui.speak.player import WAVE, Player
from tts_core.ui.transcribe import button as transcribe_button, words as transcribe_words
from tts_core.ui.transcribe.button import Source, TranscribeButton, Transcribed
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.forms import IN_CONTEXT, TIMBRE_ONLY, CloneForm
from tts_core.ui.widgets.scripts import ACTIONS
from tts_core.ui.widgets.visitors import visitor_of
from tts_core.ui.widgets.voice_choices import language_choices
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class CloneTab:
    """The widgets of CloneForm carry its field names."""

    note: gr.HTML
    sentence: SentenceCard
    file: gr.Audio
    coach: gr.HTML
    another: gr.Button
    transcript: gr.Textbox
    transcribe: TranscribeButton
    mode: gr.Radio
    text: gr.Textbox
    model: gr.Dropdown
    language: gr.Dropdown
    append_silence: gr.Checkbox
    seed: gr.Number
    max_seconds: gr.Number
    read_as: gr.Radio
    player: Player
    check: gr.HTML
    needs_model: gr.Column
    """The widgets that work only where a model can clone."""
    save: SavePanel | None
    """The panel that keeps a voice; None on the page for guests, who keep nothing."""
    desk: gr.State

    @property
    def recording_outputs(self) -> list[Any]:
        return [self.desk, self.file, self.coach, self.another, *self.transcribe.fresh]

    @property
    def aim(self) -> list[Any]:
        """The widgets that decide the language that the clone is to speak."""
        return [self.language, self.text]


def render(words: Words) -> CloneTab:
    note = gr.HTML(js_on_load=None, elem_id="clone-note", elem_classes="studio-strip")
    with gr.Row(equal_height=False, elem_classes="studio-speak"):
        with gr.Column(scale=6, min_width=320, elem_classes="studio-card"):
            recording = _render_recording(words)
            transcript = _render_transcript(words)
        with gr.Column(scale=6, min_width=320, visible=False, elem_classes="studio-stack") as needs_model:
            save = None
            if not words.is_for_guests:
                with gr.Column(elem_classes="studio-card"):
                    save = save_panel.render(words)
            with gr.Column(elem_classes="studio-card"):
                spoken = _render_text(words)
    return CloneTab(
        note=note, needs_model=needs_model, save=save, desk=gr.State(Desk()), **recording, **transcript, **spoken
    )


def _render_recording(words: Words) -> dict[str, Any]:
    gr.HTML(
        f"<h2>{words('clone.step_voice')}</h2><p>{words('clone.intro')}</p>",
        js_on_load=None,
        elem_classes="studio-step",
    )
    gr.HTML(_no_microphone(words), js_on_load=None, elem_classes="studio-no-microphone")
    sentence = sentence_card.render(words)
    file = gr.Audio(
        sources=["upload", "microphone"],
        type="filepath",
        label=words("clone.recording"),
        show_label=False,
        buttons=["download"],
        waveform_options=WAVE,
        elem_id="clone-file",
    )
    gr.HTML(_recorder(words), js_on_load=None, elem_id="clone-recorder")
    return {
        "sentence": sentence,
        "file": file,
        "coach": gr.HTML(js_on_load=ACTIONS, elem_id="clone-coach"),
        "another": gr.Button(words("clone.another"), size="sm", visible=False, elem_id="clone-another"),
    }


def _recorder(words: Words) -> str:
    """The element that assets/scripts/recorder.js fills while the microphone records."""
    texts = "".join(f' data-{state}="{escape(words(f"recorder.{state}"))}"' for state in ("short", "good", "enough"))
    return f"<studio-recorder{texts}></studio-recorder>"


def _no_microphone(words: Words) -> str:
    """A note for browsers that hide the microphone from this address; page.js shows it there."""
    ways = "".join(f"<li>{words(f'microphone.way_{number}')}</li>" for number in (1, 2, 3))
    note = f"<strong>{words('microphone.title')}</strong><p>{words('microphone.why')}</p>"
    return f'<div class="studio-note">{note}<ul>{ways}</ul></div>'


def _render_transcript(words: Words) -> dict[str, Any]:
    """The widgets of the recording's transcript: typed, or transcribed."""
    mode = gr.Radio(
        [(words("clone.in_context"), IN_CONTEXT), (words("clone.timbre_only"), TIMBRE_ONLY)],
        value=IN_CONTEXT,
        label=words("clone.mode"),
        elem_id="clone-mode",
    )
    transcript = gr.Textbox(
        value="",
        label=words("clone.transcript"),
        info=words("clone.transcript_info"),
        placeholder=words("clone.transcript_placeholder"),
        lines=2,
        max_lines=8,
        elem_id="clone-transcript",
    )
    return {"mode": mode, "transcript": transcript, "transcribe": transcribe_button.render(words, "clone")}


def _render_text(words: Words) -> dict[str, Any]:
    step = "clone.step_listen_only" if words.is_for_guests else "clone.step_listen"
    gr.HTML(f"<h2>{words(step)}</h2>", js_on_load=None, elem_classes="studio-step")
    text = gr.Textbox(label=words("speak.text"), value=words("clone.text"), lines=4, max_lines=16, elem_id="clone-text")
    with gr.Row():
        model = gr.Dropdown([], label=words("clone.model"), elem_id="clone-model", min_width=180)
        language = gr.Dropdown(
            [(words("speak.language_auto"), AUTO_LANGUAGE)],
            value=AUTO_LANGUAGE,
            label=words("speak.language"),
            elem_id="clone-language",
            min_width=180,
        )
    with gr.Accordion(words("speak.advanced"), open=False, elem_id="clone-advanced"):
        read_as = player.read_as_choice(words)
        append_silence = gr.Checkbox(label=words("clone.silence"), info=words("clone.silence_info"), value=True)
        with gr.Row():
            seed = gr.Number(label=words("speak.seed"), info=words("speak.seed_info"), precision=0, value=NEW_SEED)
            max_seconds = gr.Number(label=words("speak.max_seconds"), info=words("speak.max_seconds_info"), value=0)
    sound = player.render(words, "clone")
    if not words.is_for_guests:
        sound.run.variant = "secondary"  # the tab's main act is to save the voice
    return {
        "text": text,
        "model": model,
        "language": language,
        "append_silence": append_silence,
        "seed": seed,
        "max_seconds": max_seconds,
        "read_as": read_as,
        "player": sound,
        "check": gr.HTML(js_on_load=None, elem_id="clone-check"),
    }


def wire(
    tab: CloneTab, places: tuple[gr.Blocks, gr.Tab], services: Services, speaker: SpeakHandler, words: Words
) -> None:
    """Wire the tab. `places`: the page and the tab that hold the widgets; when they open, models may have come or
    gone."""
    handler = CloneHandler(services)
    _wire_models(tab, places, services, handler, words)
    _wire_mode(tab)
    sentence_card.wire(tab.sentence, tab.transcript, tab.transcribe, words)
    _wire_recording(tab, services, handler, words)
    _wire_transcribe(tab, places, services, handler, words)
    event = SpeakEndpoint("clone", CloneForm, handler.spoken)

    def generate() -> gr.events.Dependency:
        return player.wire(tab.player, tab, event, services, speaker, words)

    _wire_check(tab, generate, services, handler, words)
    if tab.save is not None:
        save_panel.wire(tab.save, tab, services, handler, words)


def _wire_models(
    tab: CloneTab, places: tuple[gr.Blocks, gr.Tab], services: Services, handler: CloneHandler, words: Words
) -> None:
    def look(chosen: str | None, language: str) -> list[Any]:
        models = handler.models()
        keys = [key for _, key in models]
        key = chosen if chosen in keys else keys[0] if keys else None
        auto = [(words("speak.language_auto"), AUTO_LANGUAGE)]
        languages = language_choices(words, handler.capabilities(key)) if key else auto
        codes = [code for _, code in languages]
        return [
            "" if models else fragments.missing(words, "clone.no_model"),
            gr.update(choices=models, value=key, interactive=bool(models)),
            gr.update(choices=languages, value=language if language in codes else AUTO_LANGUAGE),
            gr.update(visible=bool(models)),
        ]

    page, item = places
    for opened in (page.load, item.select):
        opened(
            look,
            [tab.model, tab.language],
            [tab.note, tab.model, tab.language, tab.needs_model],
            api_visibility="private",
            show_progress="hidden",
        )


def _wire_recording(tab: CloneTab, services: Services, handler: CloneHandler, words: Words) -> None:
    def shown(desk: Desk, aim: tuple[str, ...], *, is_other: bool = False) -> list[Any]:
        """Updates for `recording_outputs`; the transcript's status goes with another recording."""
        working = str(desk.working) if desk.working else None
        fresh = ["", None] if is_other else [gr.skip()] * 2
        return [desk, working, _coach(words, desk, *aim), gr.update(visible=desk.working is not None), *fresh]

    def worked(request: gr.Request, desk: Desk, step: Callable[[], Desk], aim: tuple[str, ...]) -> list[Any]:
        """Run a step and count it, so that nobody can take all: it reads a recording and mostly writes another."""
        visitor, quotas = visitor_of(request), services.login.quotas
        try:
            with quotas.work(visitor):
                now = step()
                if now.working is not None and now.working not in (desk.working, desk.plain):
                    quotas.keep(visitor, now.working.stat().st_size)
        except StudioError as error:
            alert = fragments.alert(words("clone.not_usable"), words.error(error))
            return [*shown(desk, aim)[:2], alert + clone_view.removed(words, desk), *[gr.skip()] * 3]
        return shown(now, aim, is_other=now.upload != desk.upload)

    def changed(request: gr.Request, desk: Desk, file: str | None, *aim: str) -> Iterator[list[Any]]:
        """Take in the page's recording. Gradio calls this also when the page has just got one from here; then nothing
        changes."""
        path = Path(file) if file else None
        if desk.shows(path):
            yield [gr.skip()] * 6
            return
        if path is None:
            yield shown(handler.take_in(desk, None), aim, is_other=True)
            return
        yield [gr.skip(), gr.skip(), fragments.busy(words("coach.listening")), *[gr.skip()] * 3]
        yield worked(request, desk, lambda: handler.take_in(desk, path), aim)

    def mended(event: gr.EventData, request: gr.Request, desk: Desk, *aim: str) -> list[Any]:
        action = event.action
        if action in (DROP, RESTORE):
            now = handler.restored(desk) if action == RESTORE else handler.without(desk, keeps_earlier=False)
            return shown(now, aim)
        step = (lambda: handler.revert(desk)) if action == REVERT else (lambda: handler.mend(desk, Fix(action)))
        return worked(request, desk, step, aim)

    tab.file.change(
        changed, [tab.desk, tab.file, *tab.aim], tab.recording_outputs, api_visibility="private", show_progress="hidden"
    )
    tab.coach.click(
        mended, [tab.desk, *tab.aim], tab.recording_outputs, api_visibility="private", show_progress="hidden"
    )
    tab.another.click(
        lambda desk, *aim: shown(handler.put_aside(desk), aim),
        [tab.desk, *tab.aim],
        tab.recording_outputs,
        api_visibility="private",
        show_progress="hidden",
    )


def _wire_mode(tab: CloneTab) -> None:
    tab.mode.input(
        lambda mode: [gr.update(visible=mode == IN_CONTEXT)] * 2,
        tab.mode,
        [tab.transcript, tab.transcribe.panel],
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )


def _coach(words: Words, desk: Desk, language: str, text: str) -> str:
    """The coach's findings; `language` and `text` are what the clone is to speak."""
    return clone_view.coach(
        words, desk, transcribe_words.unlike(language, desk.language, text) if desk.language else ""
    )


def _wire_transcribe(
    tab: CloneTab, places: tuple[gr.Blocks, gr.Tab], services: Services, handler: CloneHandler, words: Words
) -> None:
    def learn(desk: Desk, transcribed: Transcribed | None, *aim: str) -> list[Any]:
        """Note the recording's language once it was transcribed."""
        if transcribed is None:
            return [gr.skip(), gr.skip()]
        now = handler.note_language(desk, transcribed.recording, transcribed.language)
        return [now, _coach(words, now, *aim)]

    def judge(desk: Desk, *aim: str) -> Any:
        return _coach(words, desk, *aim) if desk.language else gr.skip()

    page, item = places
    source = Source([tab.desk], lambda desk: desk.working, tab.transcript)
    done = transcribe_button.wire(tab.transcribe, source, [page.load, item.select], services, words)
    done.success(
        learn,
        [tab.desk, tab.transcribe.transcribed, *tab.aim],
        [tab.desk, tab.coach],
        api_visibility="private",
        show_progress="hidden",
    )
    for changed in (tab.language.change, tab.text.blur):
        changed(judge, [tab.desk, *tab.aim], tab.coach, api_visibility="private", show_progress="hidden")


def _wire_check(
    tab: CloneTab,
    generate: Callable[[], gr.events.Dependency],
    services: Services,
    handler: CloneHandler,
    words: Words,
) -> None:
    """Wire the check of the take. The request is remembered at the click: the recording may be another one before the
    take is finished.

    `generate` wires the button's own work. It comes after, for Gradio starts one listener of a click after the other.
    """
    asked = gr.State(None)

    def compare(take: str | None, with_what: Compared | None, request: gr.Request) -> Iterator[str]:
        if take is None or with_what is None:
            yield ""
            return
        yield fragments.busy(words("likeness.comparing"))
        try:
            with services.login.quotas.work(visitor_of(request)):
                found = handler.compare(Path(take), with_what)
            yield clone_view.likeness(words, found)
        except StudioError as error:
            yield fragments.hint(words.error(error))

    tab.player.run.click(
        lambda file, model: [handler.compared(file, model), ""],
        [tab.file, tab.model],
        [asked, tab.check],
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
    generate().success(compare, [tab.player.audio, asked], tab.check, api_visibility="private", show_progress="hidden")
