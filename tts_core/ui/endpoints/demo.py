"""The endpoints of the published package's demo (qwen_tts/cli/demo.py of qwen-tts 0.1.1) and of its Space, by their
names, parameters and answers, so that scripts for them work here as they are.

Both answer with a file and a sentence about it. A failure is an answer, too: there is no file, and the sentence says
why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.domain.values import AUTO_LANGUAGE, StopReason, SynthesisRequest
from tts_core.services import Services
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.synthesis import collect
from tts_core.ui.endpoints.demo_requests import DemoRecording, DemoRequests
from tts_core.ui.widgets.visitors import visitor_of
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)

Answer = tuple[str | None, str]
"""The path of the file, None where there is none, and the sentence about it."""
FINISHED = "Finished. (生成完成)"
"""The demo's sentence about a file."""
COMPLETED = "{what} completed successfully!"
"""The Space's sentence about a file."""
FAILED = "Error: "
"""The beginning of the Space's sentences about failures."""
DESIGN_TEXT = "It's in the top drawer... wait, it's empty? No way, that's impossible! I'm sure I put it there!"
DESIGN = "Speak in an incredulous tone, but with a hint of panic beginning to creep into your voice."
SPACE_TEXT = "Hello! Welcome to Text-to-Speech system. This is a demo of our TTS capabilities."


class DemoEndpoints:
    """The functions behind the endpoints; methods and parameters have the names of those."""

    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._words = words
        self._requests = DemoRequests(services)

    def run_instruct(self, text: str, lang_disp: str, spk_disp: str, instruct: str, request: gr.Request) -> Answer:
        """Speak in the voice of a preset speaker; an instruction is followed where the model can."""
        return self._demo(request, lang_disp, lambda: self._requests.preset(text, spk_disp, instruct), instruct)

    def run_voice_design(self, text: str, lang_disp: str, design: str, request: gr.Request) -> Answer:
        """Speak in the voice that a description asks for."""
        return self._demo(request, lang_disp, lambda: self._requests.designed(text, design))

    def run_voice_clone(
        self, ref_aud: str | None, ref_txt: str, use_xvec: bool, text: str, lang_disp: str, request: gr.Request
    ) -> Answer:
        """Speak in the voice of a recording, with its words, or by its timbre alone (`use_xvec`)."""
        recording = DemoRecording(ref_aud, ref_txt, use_xvec)
        return self._demo(request, lang_disp, lambda: self._requests.cloned(text, recording))

    def save_prompt(self, ref_aud: str | None, ref_txt: str, use_xvec: bool, request: gr.Request) -> Answer:
        """Prepare a recording's voice and hand it out as a file that qwen-tts and `load_prompt_and_gen` take."""
        recording = DemoRecording(ref_aud, ref_txt, use_xvec)
        return self._answer(request, lambda: (self._requests.prompt_file(recording), FINISHED))

    def load_prompt_and_gen(self, file_obj: str | None, text: str, lang_disp: str, request: gr.Request) -> Answer:
        """Speak in the voice of such a file."""
        return self._demo(request, lang_disp, lambda: self._requests.of_prompt(text, file_obj))

    def generate_voice_design(self, text: str, language: str, voice_description: str, request: gr.Request) -> Answer:
        """Speak in the voice that a description asks for."""

        def asked() -> SynthesisRequest:
            return self._requests.designed(text, voice_description)

        return self._space(request, language, asked, "Voice design generation")

    def generate_voice_clone(
        self,
        ref_audio: str | None,
        ref_text: str,
        target_text: str,
        language: str,
        use_xvector_only: bool,
        model_size: str,
        request: gr.Request,
    ) -> Answer:
        """Speak in the voice of a recording, with the Base model of that size."""
        recording = DemoRecording(ref_audio, ref_text, use_xvector_only)

        def asked() -> SynthesisRequest:
            return self._requests.cloned(target_text, recording, model_size)

        return self._space(request, language, asked, "Voice clone generation")

    def generate_custom_voice(
        self, text: str, language: str, speaker: str, instruct: str, model_size: str, request: gr.Request
    ) -> Answer:
        """Speak in the voice of a preset speaker, with the CustomVoice model of that size."""

        def asked() -> SynthesisRequest:
            return self._requests.preset(text, speaker, instruct, model_size)

        return self._space(request, language, asked, "Generation", instruct)

    def _demo(
        self, request: gr.Request, language: str | None, asked: Callable[[], SynthesisRequest], instruct: str = ""
    ) -> Answer:
        def work() -> tuple[Path, str]:
            wanted = asked()
            spoken = replace(wanted, language=self._requests.spoken_language(wanted, language))
            return self._spoken(spoken, FINISHED, instruct)

        return self._answer(request, work)

    def _space(
        self,
        request: gr.Request,
        language: str | None,
        asked: Callable[[], SynthesisRequest],
        what: str,
        instruct: str = "",
    ) -> Answer:
        def work() -> tuple[Path, str]:
            spoken = replace(asked(), language=language or AUTO_LANGUAGE)
            return self._spoken(spoken, COMPLETED.format(what=what), instruct)

        return self._answer(request, work, FAILED)

    def _spoken(self, asked: SynthesisRequest, sentence: str, instruct: str) -> tuple[Path, str]:
        """The take, and the sentence with a line for whatever is not as it was asked for."""
        take = collect(speak_as_job(self._services.synthesis, self._services.jobs, asked))
        lines = [sentence]
        if (instruct or "").strip() and not asked.instruct:
            lines.append(self._words("demo.instruct_ignored"))
        if take.stop_reason is not StopReason.COMPLETE:
            lines.append(self._words(f"speak.facts_{take.stop_reason.value}"))
        return take.path, "\n".join(lines)

    def _answer(self, request: gr.Request, work: Callable[[], tuple[Path, str]], failed: str = "") -> Answer:
        visitor, quotas = visitor_of(request), self._services.login.quotas
        try:
            with quotas.work(visitor):
                path, sentence = work()
                quotas.keep(visitor, path.stat().st_size)  # the page keeps a copy
                return str(path), sentence
        except StudioError as error:
            return None, failed + self._words.error(error)
        except Exception:  # the page's edge: the program gets a sentence, the log the stack
            logger.exception("A call of the demo failed")
            return None, failed + self._words("error.internal_error")


def publish(services: Services, words: Words) -> None:
    """Add the endpoints; call it inside the page's Blocks. The names are a contract, pinned by a test.

    Parameters take the defaults of hidden widgets, as in the demo: there, one that has a default may come before one
    that has none.
    """
    demo = DemoEndpoints(services, words)
    with gr.Column(visible=False):
        recording, file = gr.Audio(label="recording", type="filepath"), gr.File(label="prompt", type="filepath")
        given, timbre_only = gr.Textbox(label="text"), gr.Checkbox(False, label="timbre only")
        auto, english, size = (gr.Textbox(value, label="choice") for value in ("Auto", "English", "1.7B"))
        vivian, ryan = (gr.Textbox(value, label="speaker") for value in ("Vivian", "Ryan"))
        design_text, design, text = (gr.Textbox(value, label="text") for value in (DESIGN_TEXT, DESIGN, SPACE_TEXT))
        sound, prompt, sentence = gr.Audio(label="sound"), gr.File(label="voice"), gr.Textbox(label="status")
        caller = gr.Button()
    inputs: dict[Callable[..., Answer], list[Any]] = {
        demo.run_instruct: [given, auto, vivian, given],
        demo.run_voice_design: [design_text, auto, design],
        demo.run_voice_clone: [recording, given, timbre_only, given, auto],
        demo.save_prompt: [recording, given, timbre_only],
        demo.load_prompt_and_gen: [file, given, auto],
        demo.generate_voice_design: [design_text, auto, design],
        demo.generate_voice_clone: [recording, given, given, auto, timbre_only, size],
        demo.generate_custom_voice: [text, english, ryan, given, size],
    }
    for function, taken in inputs.items():
        output = prompt if function == demo.save_prompt else sound
        caller.click(
            function,
            taken,
            [output, sentence],
            api_name=function.__name__,
            concurrency_limit=None,
            show_progress="hidden",
        )
