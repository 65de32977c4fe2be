"""What programs ask the page for is decided by what there is now, not by what the page showed when it was built."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.conftest import SOON_S, wait_until
from tests.engines.qwen.formula_checkpoint import reference_audio, write_checkpoint
from tests.serving import serving
from tts_core.cli.serve.studio import build_app
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

pytestmark = pytest.mark.slow

NAMES = {"custom_voice": "0.6B-CustomVoice", "voice_design": "1.7B-VoiceDesign", "base": "0.6B-Base"}
SHORT = {"seed": 3, "max_seconds": 0.5}


@dataclass(frozen=True)
class Grown:
    """A studio whose models came after its pages were built."""

    client: Client
    services: Services


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Iterator[Grown]:
    root = tmp_path_factory.mktemp("grown")
    services = build_services(
        Settings.from_env({"TTS_STUDIO_DATA_DIR": str(root), "TTS_STUDIO_DEVICE": "cpu", "OMP_NUM_THREADS": "1"})
    )
    with serving(build_app(services)) as url:
        kept = str(tmp_path_factory.mktemp("heard"))
        client = Client(url, download_files=kept, verbose=False, httpx_kwargs={"timeout": SOON_S})
        for kind, name in NAMES.items():
            folder = services.settings.paths.models_dir / f"Qwen3-TTS-12Hz-{name}"
            write_checkpoint(folder, kind=kind, geometry="b" if kind == "voice_design" else "a")
        yield Grown(client, services)
        client.close()
    services.close()


def test_a_model_that_came_later_speaks_as_the_default_and_by_name(grown: Grown) -> None:
    for asked in ({}, {"voice": "custom_0_6b/Ryan"}, {"voice": "ryan", "language": "zh"}, {"language": "cmn"}):
        _, facts, *_ = grown.client.predict(text="hello", api_name="/synthesize", **SHORT, **asked)
        assert facts["engine"] == "custom_0_6b", asked


def test_a_clone_is_spoken_in_any_language_of_the_model(grown: Grown, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "me.wav", reference_audio(), 24_000)
    me = {"file": handle_file(str(tmp_path / "me.wav")), "text": "hello", "mode": "timbre_only", **SHORT}
    for asked in ({}, {"language": "Chinese"}, {"language": "en", "model": "base_0_6b"}):
        _, facts, *_ = grown.client.predict(api_name="/clone", **me, **asked)
        assert facts["engine"] == "base_0_6b"
    with pytest.raises(AppError, match="custom_0_6b"):  # the keys that there are
        grown.client.predict(api_name="/clone", **me, model="nothing")


@pytest.mark.parametrize("asked", [{}, {"voice": "voice_design_1_7b/Design", "language": "English"}])
def test_a_voice_is_designed_by_the_best_model_that_can_and_by_a_named_one(
    grown: Grown, asked: dict[str, object]
) -> None:
    jobs = grown.services.jobs
    before = {job.key for job in jobs.jobs()}
    spoken = grown.client.submit(description="Warm.", text="hello", seed=3, api_name="/design", **asked)
    wait_until(lambda: any(job.key not in before for job in jobs.jobs()))
    grown.client.predict(api_name="/stop")
    wait([spoken.future], SOON_S)
    assert [job.subject for job in jobs.jobs() if job.key not in before] == ["voice_design_1_7b/design"]


def test_a_voice_that_follows_no_description_is_not_designed(grown: Grown) -> None:
    with pytest.raises(AppError, match="builtin/aria"):
        grown.client.predict(description="Warm.", text="hello", voice="builtin/aria", api_name="/design")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"voice": "Rian"}, "custom_0_6b/ryan"),
        ({"language": "Klingon"}, "Klingon"),
        ({"temperature": 9}, "5.0"),
        ({"seed": -2}, "4294967295"),
    ],
)
def test_what_does_not_fit_is_refused_in_the_words_of_every_other_way_in(
    grown: Grown, asked: dict[str, object], named: str
) -> None:
    with pytest.raises(AppError, match=named):
        grown.client.predict(text="hello", api_name="/synthesize", **asked)


@pytest.mark.parametrize("odd", [5, ["builtin/aria"], {"path": "/etc/passwd"}])
def test_a_choice_is_a_text(grown: Grown, odd: object) -> None:
    with pytest.raises(AppError):
        grown.client.predict(text="hello", voice=odd, api_name="/synthesize")
