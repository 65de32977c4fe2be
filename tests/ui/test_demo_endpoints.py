"""Scripts for the demo of qwen-tts 0.1.1 and for its Space run here as they are: the calls below are written as theirs.

The models are tiny ones whose weights follow from a formula; the Space's 1.7B ones are not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from gradio_client import Client, handle_file

from tests.conftest import SOON_S
from tests.engines.qwen.formula_checkpoint import reference_audio, write_checkpoint
from tests.serving import serving
from tts_core.cli.serve.studio import build_app
from tts_core.domain.errors import ModelNotReady
from tts_core.domain.events import SpeakEvent
from tts_core.domain.values import SynthesisRequest
from tts_core.platform.jobs import Jobs
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.synthesis import Synthesis
from tts_core.ui.endpoints import demo
from tts_core.ui.endpoints.demo import DESIGN, DESIGN_TEXT, FINISHED, SPACE_TEXT
from tts_core.voices.faults import TranscriptMissing

pytestmark = pytest.mark.slow

MODELS = {
    "Qwen3-TTS-12Hz-0.6B-Base": ("base", "a"),
    "Qwen3-TTS-12Hz-0.6B-CustomVoice": ("custom_voice", "a"),
    "Qwen3-TTS-12Hz-1.7B-VoiceDesign": ("voice_design", "b"),
}
"""Folder to kind and geometry."""
SEED_THAT_SPEAKS, SHORT_S = 3, 0.5
"""The demo takes no seed and no length; with that seed none of these models ends at once."""
NEEDED = "must be given"
SIGNATURES: dict[str, dict[str, Any]] = {
    "/run_instruct": {"text": NEEDED, "lang_disp": "Auto", "spk_disp": "Vivian", "instruct": NEEDED},
    "/run_voice_design": {"text": DESIGN_TEXT, "lang_disp": "Auto", "design": DESIGN},
    "/run_voice_clone": {
        "ref_aud": NEEDED,
        "ref_txt": NEEDED,
        "use_xvec": False,
        "text": NEEDED,
        "lang_disp": "Auto",
    },
    "/save_prompt": {"ref_aud": NEEDED, "ref_txt": NEEDED, "use_xvec": False},
    "/load_prompt_and_gen": {"file_obj": NEEDED, "text": NEEDED, "lang_disp": "Auto"},
    "/generate_voice_design": {"text": DESIGN_TEXT, "language": "Auto", "voice_description": DESIGN},
    "/generate_voice_clone": {
        "ref_audio": NEEDED,
        "ref_text": NEEDED,
        "target_text": NEEDED,
        "language": "Auto",
        "use_xvector_only": False,
        "model_size": "1.7B",
    },
    "/generate_custom_voice": {
        "text": SPACE_TEXT,
        "language": "English",
        "speaker": "Ryan",
        "instruct": NEEDED,
        "model_size": "1.7B",
    },
}
"""The parameters in their order, with their defaults, as `view_api` shows them for the originals."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("demo")
    variables = {"TTS_STUDIO_DATA_DIR": str(root), "TTS_STUDIO_DEVICE": "cpu"}
    services = build_services(Settings.from_env(variables))
    for folder, (kind, geometry) in MODELS.items():
        write_checkpoint(services.settings.paths.models_dir / folder, kind=kind, geometry=geometry)
    with pytest.MonkeyPatch.context() as patch, serving(build_app(services)) as url:
        patch.setattr(demo, "speak_as_job", _speak_shortly)
        client = Client(url, download_files=str(root / "got"), verbose=False, httpx_kwargs={"timeout": SOON_S})
        yield client
        client.close()
    services.close()


def _speak_shortly(synthesis: Synthesis, jobs: Jobs, request: SynthesisRequest) -> Iterator[SpeakEvent]:
    return speak_as_job(synthesis, jobs, replace(request, seed=SEED_THAT_SPEAKS, max_seconds=SHORT_S))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("recording") / "me.wav"
    soundfile.write(path, reference_audio(), 24_000)
    return handle_file(str(path))


def seconds(answer: Any, sentence: str) -> float:
    """The length of the answer's sound; its sentence begins so."""
    file, status = answer
    assert status.startswith(sentence), status
    return float(soundfile.info(file).duration)


def test_names_order_and_defaults_are_those_of_the_demo_and_the_space(client: Client) -> None:
    api = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    for name, wanted in SIGNATURES.items():
        found = [
            (one["parameter_name"], one["parameter_default"] if one["parameter_has_default"] else NEEDED)
            for one in api[name]["parameters"]
        ]
        assert found == list(wanted.items()), name
        first = "File" if name == "/save_prompt" else "Audio"
        assert [one["component"] for one in api[name]["returns"]] == [first, "Textbox"]


def test_a_preset_speaker_speaks(client: Client) -> None:
    assert seconds(client.predict("Hello.", "Auto", "Uncle Fu", "", api_name="/run_instruct"), FINISHED) > 0
    asked = {"text": "Hello.", "language": "English", "speaker": "Uncle_fu", "instruct": "", "model_size": "0.6B"}
    done = client.predict(**asked, api_name="/generate_custom_voice")
    assert seconds(done, "Generation completed successfully!") > 0


def test_an_instruction_that_no_model_follows_is_left_out_and_that_is_said(client: Client) -> None:
    answer = client.predict(text="Hello.", lang_disp="English", instruct="Angry.", api_name="/run_instruct")
    assert seconds(answer, FINISHED) > 0
    assert "does not follow any" in answer[1]


def test_a_described_voice_speaks(client: Client) -> None:
    design = "A warm, calm voice."
    assert seconds(client.predict("Hello.", "English", design, api_name="/run_voice_design"), FINISHED) > 0
    asked = {"text": "Hello.", "language": "Auto", "voice_description": design}
    done = client.predict(**asked, api_name="/generate_voice_design")
    assert seconds(done, "Voice design generation completed successfully!") > 0


def test_a_recording_is_imitated(client: Client, recording: Any) -> None:
    for words, use_xvec in (("hello world", False), ("", True)):
        answer = client.predict(recording, words, use_xvec, "Hello.", "Chinese", api_name="/run_voice_clone")
        assert seconds(answer, FINISHED) > 0
    answer = client.predict(
        ref_audio=recording,
        ref_text="hello world",
        target_text="Hello.",
        language="English",
        use_xvector_only=False,
        model_size="0.6B",
        api_name="/generate_voice_clone",
    )
    assert seconds(answer, "Voice clone generation completed successfully!") > 0


@pytest.mark.parametrize("use_xvec", [False, True])
def test_a_saved_prompt_is_the_demos_and_speaks(client: Client, recording: Any, use_xvec: bool) -> None:
    words = "" if use_xvec else "hello world"
    file, status = client.predict(ref_aud=recording, ref_txt=words, use_xvec=use_xvec, api_name="/save_prompt")
    assert (status, Path(file).suffix) == (FINISHED, ".pt")
    (item,) = torch.load(file, map_location="cpu", weights_only=True)["items"]
    assert (item["ref_code"] is None, item["x_vector_only_mode"], item["icl_mode"]) == (
        use_xvec,
        use_xvec,
        not use_xvec,
    )
    answer = client.predict(handle_file(file), "Hello.", "Auto", api_name="/load_prompt_and_gen")
    assert seconds(answer, FINISHED) > 0


def test_a_failure_is_an_answer_without_a_file(client: Client, recording: Any) -> None:
    missing = TranscriptMissing().message
    assert client.predict(recording, "", False, "Hello.", "Auto", api_name="/run_voice_clone") == (None, missing)
    asked = {"ref_audio": recording, "ref_text": "hello world", "target_text": "Hello."}
    absent = f"Error: {ModelNotReady(name='Qwen3-TTS 1.7B Base').message}"
    assert client.predict(**asked, api_name="/generate_voice_clone") == (None, absent)
    unknown = client.predict("Hello.", "Klingon", "Ryan", "", "0.6B", api_name="/generate_custom_voice")
    assert unknown[0] is None
    assert "Klingon" in unknown[1]
    assert seconds(client.predict("Hello.", "Klingon", "Ryan", "", api_name="/run_instruct"), FINISHED) > 0
