"""Speaking over HTTP: facts or sound, every format, seeking, listening live, and stopping when nobody listens."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from tests.api.conftest import API, RunningApi, client_of
from tests.api.raw_http import RawServer
from tests.conftest import wait_until
from tests.fakes import SAMPLE_RATE, EndlessEngine, FakeEngine, tone
from tests.serving import Serve
from tts_core.api.server import create_api
from tts_core.audio.files import FORMATS
from tts_core.domain.engine import CancelCheck, Engine
from tts_core.domain.events import EngineEvent
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.builtin.engine import VOICE
from tts_core.platform.settings.studio import Limits
from tts_core.services import Services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis

SECRET = "The plums in the icebox were delicious."
FACTS = {
    "url",
    "format",
    "sample_rate",
    "duration_seconds",
    "seed",
    "voice_id",
    "model_key",
    "language",
    "first_audio_seconds",
    "wall_seconds",
    "rtf",
    "stop_reason",
    "finish_reason",
    "retried",
}


def speak(client: httpx.Client, text: str = "Hello there.", **fields: object) -> dict[str, Any]:
    answer = client.post(f"{API}/synthesize", json={"text": text, **fields})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def with_engine(services: Services, engine: Engine, *, queue: SpeechQueue | None = None) -> Services:
    """The services as they are, but with this engine in place of the built-in voice."""
    limits = services.settings.limits
    synthesis = Synthesis([engine], queue or SpeechQueue(limits.max_waiting), services.outputs, limits)
    return dataclasses.replace(services, synthesis=synthesis)


def test_a_text_alone_is_spoken_and_described(client: httpx.Client) -> None:
    answer = client.post(f"{API}/synthesize", json={"text": "Hello there."}).json()
    assert answer["success"] is True
    assert "Built-in (by language)" in answer["message"]
    take = answer["data"]
    assert take.keys() == FACTS
    assert (take["format"], take["voice_id"], take["model_key"]) == ("wav", VOICE, "builtin")
    assert isinstance(take["seed"], int)
    assert (take["stop_reason"], take["language"]) == ("complete", "auto")
    assert 0 < take["first_audio_seconds"] <= take["wall_seconds"]
    samples, rate = soundfile.read(io.BytesIO(client.get(take["url"]).content))
    assert rate == take["sample_rate"]
    assert len(samples) / rate == pytest.approx(take["duration_seconds"], abs=0.001)
    assert np.abs(samples).max() > 0.05


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_comes_as_bytes_that_decode(client: httpx.Client, name: str) -> None:
    answer = client.post(
        f"{API}/synthesize",
        json={"text": "Hello there.", "format": name, "voice_id": "builtin/aria"},
        headers={"Accept": "audio/*"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == FORMATS[name].mime
    assert answer.headers["content-disposition"].endswith(f'{FORMATS[name].extension}"')
    assert "x-seed" not in answer.headers, "this voice draws nothing"
    samples, rate = soundfile.read(io.BytesIO(answer.content))
    assert rate == int(answer.headers["x-sample-rate"])
    assert len(samples) / rate == pytest.approx(float(answer.headers["x-duration-seconds"]), abs=0.1)
    assert np.abs(samples).max() > 0.05


def test_accept_names_the_format_unless_the_body_does(client: httpx.Client) -> None:
    headers = {"Accept": "audio/flac"}
    by_header = client.post(f"{API}/synthesize", json={"text": "Hello."}, headers=headers)
    assert (by_header.headers["content-type"], by_header.content[:4]) == ("audio/flac", b"fLaC")
    by_body = client.post(f"{API}/synthesize", json={"text": "Hello.", "format": "wav"}, headers=headers)
    assert (by_body.headers["content-type"], by_body.content[:4]) == ("audio/wav", b"RIFF")


def test_a_failure_is_json_even_for_who_wants_sound(client: httpx.Client) -> None:
    answer = client.post(f"{API}/synthesize", json={"text": " "}, headers={"Accept": "audio/*"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "empty_text")


@pytest.mark.parametrize(
    ("fields", "voice_id"),
    [
        ({}, VOICE),
        ({"model_key": "builtin"}, VOICE),
        ({"speaker": "Clara"}, "builtin/clara"),
        ({"speaker": "cLARA", "model_key": "builtin"}, "builtin/clara"),
        ({"voice_id": "builtin/ben"}, "builtin/ben"),
        ({"voice_id": "builtin/ben", "model_key": "builtin"}, "builtin/ben"),
        (
            {"voice_id": "", "speaker": None, "model_key": "", "language": None, "instruct": "", "seed": None},
            VOICE,
        ),
    ],
)
def test_model_voice_and_speaker_together_name_the_voice(
    client: httpx.Client, fields: dict[str, object], voice_id: str
) -> None:
    assert speak(client, "Hello there.", **fields)["voice_id"] == voice_id


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": ""}, (422, "empty_text")),
        ({"text": "…!"}, (422, "empty_text")),
        ({"text": "a" * 20_001}, (422, "text_too_long")),
        ({"language": "Klingonese"}, (422, "unknown_language")),
        ({"format": "aac"}, (422, "unsupported_format")),
        ({"instruct": "whisper"}, (422, "instruct_not_supported")),
        ({"speed": 2.5}, (422, "invalid_value")),
        ({"seed": -2}, (422, "invalid_value")),
        ({"seed": 10**400}, (422, "invalid_value")),
        ({"max_seconds": 0}, (422, "invalid_value")),
        ({"sampling": {"temperature": 0}}, (422, "invalid_value")),
        ({"sampling": {"predictor_top_k": 0}}, (422, "invalid_value")),
        ({"model_key": "no_such_model"}, (404, "unknown_model_key")),
        ({"model_key": "base_0_6b"}, (503, "model_not_loadable")),
        ({"model_key": "tokenizer_12hz", "speaker": "Aria"}, (503, "model_not_loadable")),
        ({"voice_id": "no/such"}, (404, "voice_not_found")),
        ({"voice_id": "Aria"}, (404, "voice_not_found")),
        ({"voice_id": "\ud800"}, (404, "voice_not_found")),
        ({"speaker": "Nobody"}, (404, "voice_not_found")),
        ({"speaker": "Nobody", "model_key": "builtin"}, (404, "voice_not_found")),
    ],
)
def test_what_cannot_be_spoken_is_refused_with_its_code(
    client: httpx.Client, fields: dict[str, object], expected: tuple[int, str]
) -> None:
    content = json.dumps({"text": "Hello there.", **fields})
    answer = client.post(f"{API}/synthesize", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == expected


def test_a_number_that_is_none_is_refused(client: httpx.Client) -> None:
    content = '{"text": "Hello.", "speed": NaN}'
    answer = client.post(f"{API}/synthesize", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "invalid_value")


def test_speed_length_and_language_reach_the_voice(client: httpx.Client) -> None:
    normal = speak(client)["duration_seconds"]
    assert speak(client, speed=2.0)["duration_seconds"] < 0.75 * normal
    short = speak(client, max_seconds=0.3)
    assert (short["duration_seconds"], short["stop_reason"]) == (pytest.approx(0.3, abs=0.01), "max_length")
    assert short["finish_reason"] == "length"
    assert speak(client, "你好。", language="Chinese")["language"] == "cmn"


def test_a_take_that_was_cut_is_no_plain_success(client: httpx.Client) -> None:
    body = {"text": "Hello there, and much more.", "max_seconds": 0.3}
    assert "Cut at the maximum length" in client.post(f"{API}/synthesize", json=body).json()["message"]
    sound = {"Accept": "audio/wav"}
    assert client.post(f"{API}/synthesize", json=body, headers=sound).headers["x-finish-reason"] == "length"
    whole = client.post(f"{API}/synthesize", json={"text": "Hello."}, headers=sound)
    assert whole.headers["x-finish-reason"] == "stop"


def test_a_text_is_read_as_markdown_unless_it_is_plain(services: Services, serve: Serve) -> None:
    engine = FakeEngine()
    with client_of(serve(create_api(with_engine(services, engine)))) as client:
        for asked in ({}, {"read_as": "markdown"}, {"read_as": "plain"}):
            speak(client, "**１**", **asked)
        assert [request.text for request in engine.seen] == ["1", "1", "**1**"]
        answer = client.post(f"{API}/synthesize", json={"text": "a", "read_as": "html"})
        assert (answer.status_code, "read_as" in answer.json()["message"]) == (422, True)


def test_a_seed_of_minus_one_is_a_new_one(services: Services, serve: Serve) -> None:
    engine = FakeEngine()
    with client_of(serve(create_api(with_engine(services, engine)))) as client:
        assert speak(client, seed=-1)["seed"] is None  # this engine draws none
        assert client.post(f"{API}/synthesize", json={"text": "a", "seed": -2}).status_code == 422
    assert [request.seed for request in engine.seen] == [None]


def test_what_is_asked_for_reaches_the_engine_unchanged(services: Services, serve: Serve) -> None:
    engine = FakeEngine(speakers=("Low", "High"), supports_instruct=True)
    sampling = {"temperature": 0.5, "top_k": 7, "predictor_top_p": 0.25}
    with client_of(serve(create_api(with_engine(services, engine)))) as client:
        answer = client.post(
            f"{API}/synthesize",
            json={
                "text": "ab",
                "speaker": "High",
                "language": "zh",
                "instruct": "softly",
                "seed": 5,
                "sampling": sampling,
            },
            headers={"Accept": "audio/wav"},
        )
    assert answer.headers["x-seed"] == "5"
    assert answer.headers["x-voice-id"] == "fake/high"
    (seen,) = engine.seen
    assert (seen.text, seen.voice, seen.language, seen.instruct, seen.seed) == ("ab", "fake/high", "zh", "softly", 5)
    assert (seen.sampling.temperature, seen.sampling.top_k, seen.sampling.predictor_top_p) == (0.5, 7, 0.25)
    assert seen.sampling.top_p == 1.0, "what is left out keeps its default"
    samples, rate = soundfile.read(io.BytesIO(answer.content), dtype="float32")
    assert rate == SAMPLE_RATE
    np.testing.assert_allclose(samples, np.concatenate([tone(0), tone(1)]), atol=1 / 32768)


def test_speakers_are_listed_in_the_words_that_synthesize_takes(client: httpx.Client) -> None:
    speakers = client.get(f"{API}/speakers").json()["data"]
    assert speakers[0]["voice_id"] == VOICE
    for speaker in speakers:
        chosen = {name: speaker[name] for name in ("speaker", "model_key")}
        assert speak(client, "Hi.", **chosen)["voice_id"] == speaker["voice_id"]


def test_a_player_can_seek_in_a_take(client: httpx.Client) -> None:
    url = speak(client)["url"]
    whole = client.get(url)
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert client.get(url, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416
    head = client.head(url)
    assert (head.status_code, int(head.headers["content-length"])) == (200, len(whole.content))


@pytest.mark.parametrize("name", FORMATS)
def test_a_take_is_fetched_in_another_format(api: RunningApi, client: httpx.Client, name: str) -> None:
    take = speak(client, voice_id="builtin/aria")
    answer = client.get(take["url"], params={"format": name})
    assert (answer.status_code, answer.headers["content-type"]) == (200, FORMATS[name].mime)
    assert "content-disposition" not in answer.headers, "the link that downloads it gives the name"
    samples, rate = soundfile.read(io.BytesIO(answer.content))
    assert len(samples) / rate == pytest.approx(take["duration_seconds"], abs=0.1)
    assert np.abs(samples).max() > 0.05
    cache = api.services.settings.paths.page_cache_dir
    wait_until(lambda: not cache.is_dir() or not any(cache.iterdir()))
    assert client.get(take["url"]).content[:4] == b"RIFF", "the take is as it was"


def test_a_format_that_cannot_be_written_is_refused(client: httpx.Client) -> None:
    answer = client.get(speak(client)["url"], params={"format": "aac"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "unsupported_format")


def test_a_take_is_deleted_once(client: httpx.Client) -> None:
    first, second = speak(client)["url"], speak(client)["url"]
    assert client.delete(first).json()["success"] is True
    for answer in (client.get(first), client.delete(first)):
        assert (answer.status_code, answer.json()["detail"]) == (404, "audio_not_found")
    assert client.get(second).status_code == 200


@pytest.mark.parametrize(
    "take_id",
    ["0" * 32, "0" * 31, "F" * 32, "..", "%2e%2e%2fstudio.log", "..%2f..%2f..%2fetc%2fpasswd", "*", "%00", "take"],
)
def test_only_takes_are_served(client: httpx.Client, take_id: str) -> None:
    answer = client.get(f"{API}/audio/{take_id}")
    assert answer.status_code == 404
    assert answer.json()["detail"] in ("audio_not_found", "not_found")


def test_speech_is_heard_while_it_is_made(api: RunningApi, client: httpx.Client) -> None:
    stream = api.services.live.open(SAMPLE_RATE)
    stream.write(tone(0))
    with client.stream("GET", f"{API}/live/{stream.id}") as answer:
        assert answer.headers["x-sample-rate"] == str(SAMPLE_RATE)
        assert answer.headers["cache-control"] == "no-store"
        pieces = answer.iter_raw()
        heard = next(pieces)  # arrives although nothing follows yet
        stream.write(tone(1))
        stream.close()
        heard += b"".join(pieces)
    expected = np.concatenate([tone(0), tone(1)])
    np.testing.assert_allclose(np.frombuffer(heard, dtype="<i2") / 32768, expected, atol=1 / 32768)


def test_an_unknown_stream_is_a_404(client: httpx.Client) -> None:
    answer = client.get(f"{API}/live/{'0' * 32}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "audio_not_found")


def test_many_silent_listeners_hold_nobody_up(api: RunningApi, client: httpx.Client) -> None:
    """More than the threads that quick requests share."""
    stream = api.services.live.open(SAMPLE_RATE)
    stream.write(tone(0))
    raw = RawServer(api.url)
    listeners = [raw.connect() for _ in range(50)]
    try:
        for listener in listeners:
            listener.sendall(f"GET {API}/live/{stream.id} HTTP/1.1\r\nHost: {raw.host}\r\n\r\n".encode())
            assert listener.recv(1)
        assert client.get(f"{API}/speakers", timeout=60).status_code == 200
        assert speak(client)["stop_reason"] == "complete"
    finally:
        stream.close()
        for listener in listeners:
            listener.close()


@pytest.fixture
def paused_engine(serve: Serve) -> Iterator[FakeEngine]:
    """Speaks when the test lets it go, at the latest when the test ends, so that its server can end."""
    engine = FakeEngine()
    engine.go.clear()
    yield engine
    engine.go.set()


def begin(server: RawServer, path: str, body: dict[str, object]) -> Callable[[], None]:
    """Send a request without waiting for its answer; returns what hangs up."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: application/json\r\n"
    connection = server.connect()
    connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    return connection.close


def test_hanging_up_stops_the_speaker_and_leaves_no_file(services: Services, serve: Serve) -> None:
    both = dataclasses.replace(
        services,
        synthesis=Synthesis([FakeEngine(), EndlessEngine("endless")], SpeechQueue(1), services.outputs, Limits()),
    )
    server = RawServer(serve(create_api(both)))
    outputs_dir = services.settings.paths.outputs_dir
    hang_up = begin(server, f"{API}/synthesize", {"text": "On and on.", "voice_id": "endless/tone"})
    wait_until(lambda: any(path.stat().st_size > 10_000 for path in outputs_dir.glob("*.part")))  # there is sound
    hang_up()
    with client_of(server.url) as client:
        take = speak(client, "Next")
    only = [take["url"].rpartition("/")[2]]
    wait_until(lambda: [path.stem.removeprefix("take-") for path in outputs_dir.iterdir()] == only)


def test_hanging_up_leaves_the_queue(services: Services, serve: Serve, paused_engine: FakeEngine) -> None:
    queue = SpeechQueue(max_waiting=1)
    server = RawServer(serve(create_api(with_engine(services, paused_engine, queue=queue))))
    hang_up_speaking = begin(server, f"{API}/synthesize", {"text": "abc"})
    wait_until(lambda: bool(paused_engine.seen))
    hang_up_waiting = begin(server, f"{API}/synthesize", {"text": "abc"})
    wait_until(lambda: queue.waiting == 1)
    with client_of(server.url) as client:
        refused = client.post(f"{API}/synthesize", json={"text": "abc"})
    assert (refused.status_code, refused.json()["detail"]) == (429, "queue_full")
    assert int(refused.headers["retry-after"]) > 0
    hang_up_waiting()
    wait_until(lambda: queue.waiting == 0)
    hang_up_speaking()
    assert len(paused_engine.seen) == 1


def test_many_who_wait_hold_nobody_up(services: Services, serve: Serve, paused_engine: FakeEngine) -> None:
    """More than the threads that quick requests share."""
    queue = SpeechQueue(max_waiting=50)
    server = RawServer(serve(create_api(with_engine(services, paused_engine, queue=queue))))
    hang_ups = [begin(server, f"{API}/synthesize", {"text": "abc"}) for _ in range(51)]
    wait_until(lambda: queue.waiting == 50)
    with client_of(server.url) as client:
        assert client.get(f"{API}/speakers", timeout=60).status_code == 200
    for hang_up in hang_ups:
        hang_up()
    wait_until(lambda: queue.waiting == 0)


class TellTale(FakeEngine):
    """Breaks with an error that quotes the text, as libraries do."""

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        raise KeyError(request.text)


def test_no_text_reaches_the_log(services: Services, serve: Serve, log_file: Path) -> None:
    def ask_everything(url: str) -> list[int]:
        with client_of(url) as client:
            bodies: list[Any] = [
                {"text": SECRET},
                {"text": [SECRET]},
                {"text": "a", "instruct": SECRET},
                {"text": "a", "language": SECRET},
                {"text": "a", "speaker": SECRET},
                {"text": "a", SECRET: SECRET},
                SECRET,
            ]
            return [client.post(f"{API}/synthesize", json=body).status_code for body in bodies]

    assert ask_everything(serve(create_api(services))) == [200, 422, 422, 422, 404, 422, 422]
    assert ask_everything(serve(create_api(with_engine(services, TellTale()))))[0] == 500
    log = log_file.read_text(encoding="utf-8")
    assert "KeyError" in log
    assert "plums" not in log
