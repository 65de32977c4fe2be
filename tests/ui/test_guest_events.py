"""Every event of the guests' pages and every route that guests may ask: none tells more of a saved voice than they may
know, and each that makes an engine or a decoder work is counted once. An event that is not in the table fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import soundfile

from tests.api.conftest import API, client_of
from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.serving import serving
from tts_core.access.accounts import AccountsFile
from tts_core.access.quotas import Quota, Quotas
from tts_core.access.visitor import Role, Visitor
from tts_core.api.protection import guest_rules as rights
from tts_core.audio import reading
from tts_core.cli.serve.studio import build_app
from tts_core.engines.whisper.transcriber import Transcriber
from tts_core.models.memory import ModelMemory
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.queue import SpeechQueue
from tts_core.ui.clone.handler import CloneHandler
from tts_core.voices.record import SavedVoice, VoiceStatus
from tts_core.voices.store import VoiceStore

SECRET = "S3CRET"
HERE, GONE = "aaaaaaaaaaaaaaa1", "aaaaaaaaaaaaaaa2"
MAY_BE_TOLD = {"id", "name", "kind", "language"}
EVERYTHING = {role: Quota(10**6, 10**6, 10**3, 10**6) for role in Role}
NO_PLACE = {role: Quota(10**6, 10**6, 0, 10**6) for role in Role}

FILE = "the upload"
"""In the place of a file in the table."""
SPEAK = ["Hello.", None, "auto", "", 1.0, "wav", 0, -1, 0.9, 50, 1.0, 1.05, 0.9, 50, 1.0, "plain"]
AIM = ["auto", "Hello."]
DEMO = "endpoints.demo.DemoEndpoints"


@dataclass(frozen=True)
class Asked:
    """What an event is sent."""

    values: list[Any] = field(default_factory=list)
    data: dict[str, Any] | None = None
    """Of the browser's event."""


CHEAP: dict[str, Asked] = {
    "speak.player.wire.remember": Asked(data={"id": "", "details": {}, "form": {}}),
    "speak.check_panel.wire.<lambda>": Asked([None]),
    "speak.check_panel._Checking.halt": Asked(),
    "speak.check_panel._Checking.follow": Asked(),
    "speak.preview_panel.add.show": Asked(["Hello.", None, "auto", 1.0, "plain"]),
    "speak.tab._wire_seed.keep": Asked([True, 1, None]),
    "speak.tab._wire_seed.keep_of_take": Asked([True, 1, None]),
    "speak.tab._Followers.follow": Asked(["builtin/aria", "auto"]),
    "speak.tab._Followers.loaded": Asked(["builtin/aria", None, "auto"]),
    "speak.tab._Followers.look_again": Asked(["builtin/aria", None, "auto"]),
    "speak.tab._Followers.use_again": Asked(["builtin/aria"], {"form": {"text": "Hello.", "voice": "library/nobody"}}),
    "clone.tab._wire_models.look": Asked([None, "auto"]),
    "clone.sentence_card.wire.switched": Asked(["german", ""]),
    "clone.sentence_card.wire.pressed": Asked([None, None, ""], {"action": "choose"}),
    "clone.sentence_card.wire.compared": Asked([None, ""]),
    "clone.tab._wire_recording.<lambda>": Asked([None, *AIM]),
    "clone.tab._wire_mode.<lambda>": Asked(["in_context"]),
    "transcribe.button._wire_offer.<lambda>": Asked(),
    "transcribe.button._Hearing.halt": Asked(),
    "transcribe.button._Hearing.place": Asked([None, None, "", None]),
    "transcribe.button._Hearing.act": Asked([None, None, ""], {"action": "use"}),
    "clone.tab._wire_transcribe.learn": Asked([None, None, *AIM]),
    "clone.tab._wire_transcribe.judge": Asked([None, *AIM]),
    "clone.tab._wire_check.<lambda>": Asked([FILE, None]),
    "design.tab._wire_models.look": Asked(["auto"]),
    "design.tab._wire_lock.<lambda>": Asked([None]),
    "design.making.Making.halt": Asked(),
    "library.guests.wire.listed": Asked(["", "name", 40]),
    "library.guests.wire.more": Asked(["", "language", 40]),
    "widgets.voice_picker.render.listed": Asked(),
    "speak.voice_use.wire.use": Asked(data={"key": HERE}),
    "endpoints.studio.publish.stop": Asked(),
    "endpoints.studio.publish.list_voices": Asked(),
    "endpoints.studio.publish.list_languages": Asked(["builtin/aria"]),
    "endpoints.studio.publish.list_models": Asked(),
    "endpoints.voices.publish.list_saved_voices": Asked([""]),
}
"""Events that look up or change what is shown."""
WORKS: dict[str, Asked] = {
    "synthesize": Asked(SPEAK),
    "clone": Asked([FILE, "Hello.", "", "auto", None, "timbre_only", True, -1, 0, "plain"]),
    "design": Asked(["A warm voice.", "Hello.", None, "auto", -1, "plain"]),
    "design.making.Making.press": Asked(["A warm voice.", "Hello.", None, "auto", -1, "plain", None]),
    "speak.check_panel._Checking.listen": Asked([None, None, None]),
    "transcribe.button._Hearing.listen": Asked([None]),
    "clone.tab._wire_recording.changed": Asked([None, FILE, *AIM]),
    "clone.tab._wire_recording.mended": Asked([None, *AIM], {"action": "trim"}),
    "clone.tab._wire_check.compare": Asked([None, None]),
    f"{DEMO}.run_instruct": Asked(["Hello.", "Auto", "Vivian", ""]),
    f"{DEMO}.run_voice_design": Asked(["Hello.", "Auto", "A warm voice."]),
    f"{DEMO}.run_voice_clone": Asked([FILE, "", True, "Hello.", "Auto"]),
    f"{DEMO}.save_prompt": Asked([FILE, "", True]),
    f"{DEMO}.load_prompt_and_gen": Asked([FILE, "Hello.", "Auto"]),
    f"{DEMO}.generate_voice_design": Asked(["Hello.", "Auto", "A warm voice."]),
    f"{DEMO}.generate_voice_clone": Asked([FILE, "", "Hello.", "Auto", True, "1.7B"]),
    f"{DEMO}.generate_custom_voice": Asked(["Hello.", "English", "Ryan", "", "1.7B"]),
}
"""Events that make an engine or a decoder work."""


class Entered(Quotas):
    """Notes who asked for a place."""

    def __init__(self, quotas: dict[Role, Quota]) -> None:
        super().__init__(quotas)
        self.works = 0

    @contextmanager
    def work(self, visitor: Visitor) -> Iterator[None]:
        assert visitor.is_guest
        self.works += 1
        with super().work(visitor):
            yield


@dataclass(frozen=True)
class Event:
    number: int
    name: str


@dataclass
class Studio:
    client: httpx.Client
    services: Services
    worked: list[int]
    """How many places were taken whenever an engine or a decoder began."""

    def events(self, page: str) -> list[Event]:
        """Those that run here, by the names of their functions."""
        pages = [route.app for route in self.client_app.routes if getattr(route, "path", "") == f"/guest{page}"]
        blocks = pages[0].get_blocks()
        return [Event(number, _name(found)) for number, found in blocks.fns.items() if found.fn is not None]

    client_app: Any = None

    def quotas(self, allowed: dict[Role, Quota]) -> Entered:
        self.services.login.quotas = quotas = Entered(allowed)
        self.worked.clear()
        return quotas

    def ask(self, event: Event, asked: Asked, session: str, page: str = "") -> str:
        """All that is answered."""
        body = {"fn_index": event.number, "data": asked.values, "session_hash": session, "event_data": asked.data}
        self.client.post(f"{page}/gradio_api/queue/join", json=body).raise_for_status()
        with self.client.stream("GET", f"{page}/gradio_api/queue/data?session_hash={session}") as stream:
            return "".join(stream.iter_lines())

    def upload(self, content: bytes, page: str) -> dict[str, Any]:
        answer = self.client.post(f"{page}/gradio_api/upload", files={"files": ("me.wav", content)})
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}


def _name(found: Any) -> str:
    """Public ones by their contract, others by where they are written."""
    if found.api_visibility == "public" and found.api_name in ("synthesize", "clone", "design"):
        return str(found.api_name)
    module = found.fn.__module__.removeprefix("tts_core.ui.")
    return f"{module}.{found.fn.__qualname__.replace('<locals>.', '')}"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    settings = Settings.from_env(
        {"TTS_STUDIO_DATA_DIR": str(tmp_path_factory.mktemp("guests")), "TTS_STUDIO_AUTH": "on"}
    )
    _, key = AccountsFile(settings.paths.accounts_file).add_key("program", Role.GUEST)
    store = VoiceStore(settings.paths.voices_file)
    for voice_id, deleted_at in ((HERE, None), (GONE, "2026-01-01T00:00:00+00:00")):
        store.put(_full_of_secrets(voice_id, deleted_at))
    services = build_services(settings)
    app = build_app(services)
    worked: list[int] = []
    with pytest.MonkeyPatch.context() as patch, serving(app) as url, client_of(url) as client:
        for kind, name in (
            (SpeechQueue, "join"),
            (ModelMemory, "begin"),
            (reading, "_read_decoded"),
            (reading, "_read_plain"),
        ):
            _spy(patch, kind, name, lambda: worked.append(services.login.quotas._guests_working))
        ready = (services.models.statuses()[0],)
        # As if models were there that listen and compare; no event may come so far that it needs them.
        patch.setattr(Transcriber, "ready", lambda _self: ready)
        patch.setattr(CloneHandler, "models", lambda _self: [("Base", "base_0_6b")])
        patch.setattr(CloneHandler, "capabilities", lambda _self, _model: services.synthesis.capabilities(None))
        client.headers["Authorization"] = f"Bearer {key}"
        yield Studio(client, services, worked, app)
    services.close()


def _full_of_secrets(voice_id: str, deleted_at: str | None) -> SavedVoice:
    meta = {"tags": [SECRET], "favourite": True, "consent": {"who": SECRET, "note": SECRET}, "deleted_at": deleted_at}
    return SavedVoice(
        voice_id,
        "Anna",
        model_key="base_0_6b",
        language="english",
        speaker=SECRET,
        ref_audio_path=SECRET,
        ref_text=SECRET,
        instruct=SECRET,
        status=VoiceStatus.FAILED,
        last_error=SECRET,
        meta={name: value for name, value in meta.items() if value is not None},
        others={"notes": SECRET},
    )


def _spy(patch: pytest.MonkeyPatch, owner: Any, name: str, note: Any) -> None:
    before = getattr(owner, name)

    def spied(*args: Any, **named: Any) -> Any:
        note()
        return before(*args, **named)

    patch.setattr(owner, name, spied)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("recording") / "me.wav"
    soundfile.write(path, reference_audio(), 24_000)
    return path.read_bytes()


@pytest.mark.parametrize("page", ["", "/zh"])
def test_every_event_of_the_guests_pages_is_known(studio: Studio, page: str) -> None:
    assert {event.name for event in studio.events(page)} == CHEAP.keys() | WORKS.keys()


def test_events_work_for_guests_in_a_place_only_and_tell_no_secrets(studio: Studio, recording: bytes) -> None:
    page, session = "/zh", "walk"
    events = studio.events(page)
    by_name = {event.name: event for event in events}
    upload = studio.upload(recording, page)
    quotas = studio.quotas(EVERYTHING)
    spoken = studio.ask(by_name["synthesize"], WORKS["synthesize"], session, page)
    take = {"id": spoken.split("process_completed")[1].split("take-")[1][:32], "details": {"language": "en"}}
    for event in events:
        if event.name == "speak.player.wire.remember":  # each tab that speaks has one
            studio.ask(event, Asked(data=take | {"form": {"text": "Hello."}}), session, page)
    studio.ask(by_name["clone.tab._wire_recording.changed"], Asked([None, upload, *AIM]), session, page)
    studio.ask(by_name["clone.tab._wire_check.<lambda>"], Asked([upload, None]), session, page)
    assert (quotas.works, set(studio.worked)) == (2, {1})

    another = studio.upload(recording + b"\0\0", page)
    files = {FILE: another}
    quotas = studio.quotas(NO_PLACE)
    for event in events:
        asked = {**CHEAP, **WORKS}[event.name]
        values = [files.get(value, value) if isinstance(value, str) else value for value in asked.values]
        before = quotas.works
        # Others get a session of their own: they change what those that work begin with.
        own = session if event.name in WORKS else f"{session}cheap"
        answer = studio.ask(event, Asked(values, asked.data), own, page)
        assert SECRET not in answer, event.name
        assert '"success":true' in answer or event.name in WORKS, (event.name, answer)
        assert quotas.works - before == (event.name in WORKS), (event.name, answer)
        assert studio.worked == [], event.name


def test_a_search_for_what_guests_may_not_know_finds_nothing(studio: Studio) -> None:
    studio.quotas(EVERYTHING)
    by_name = {event.name: event for event in studio.events("")}
    for name in ("library.guests.wire.listed", "endpoints.voices.publish.list_saved_voices"):
        more = ["name", 40] if "listed" in name else []
        found = studio.ask(by_name[name], Asked(["Anna", *more]), "s")
        assert HERE in found
        assert GONE not in found
        for hidden in (SECRET, "favourite", "base_0_6b"):
            assert HERE not in studio.ask(by_name[name], Asked([hidden, *more]), "s"), hidden
    offered = studio.ask(by_name["widgets.voice_picker.render.listed"], Asked(), "s")
    assert HERE in offered
    assert GONE not in offered


def test_rest_tells_guests_four_facts_of_a_voice_that_was_not_deleted(studio: Studio) -> None:
    studio.quotas(EVERYTHING)
    listed = studio.client.get(f"{API}/voices").json()["data"]
    assert [(voice["id"], voice.keys()) for voice in listed] == [(HERE, MAY_BE_TOLD)]
    assert studio.client.get(f"{API}/voices/{HERE}").json()["data"] == listed[0]
    assert studio.client.get(f"{API}/voices/{GONE}").status_code == 404
    assert studio.client.get(f"{API}/voices", params={"search": SECRET}).json()["data"] == []
    refused = studio.client.get(f"{API}/voices", params={"deleted": "1"})
    assert (refused.status_code, refused.json()["detail"]) == (403, "not_for_guests")


def test_no_route_that_guests_may_ask_tells_a_secret_or_works_without_a_place(studio: Studio) -> None:
    quotas = studio.quotas(NO_PLACE)
    routes = studio.client_app.openapi()["paths"]
    for path, methods in routes.items():
        for method in (method.upper() for method in methods):
            for voice_id in (HERE, GONE):
                asked = path.replace("{voice_id}", voice_id).replace("{", "").replace("}", "")
                right = rights.of_guest(method, asked)
                if right is None:
                    continue
                answer = studio.client.request(method, asked, params={"deleted": "1"} if "voices" in path else {})
                assert SECRET not in answer.text, path
                is_work = method == "POST" and not path.endswith(("/cancel", "/preview"))
                assert (answer.status_code == 429) == is_work, (method, path, answer.text)
    assert studio.client.post("/mcp", json={}).status_code == 429
    openai = studio.client.post("/v1/audio/speech", json={"input": "Hello."}).json()
    assert openai["error"]["code"] == "too_many_at_once"
    assert (quotas.works, studio.worked) == (0, [])


def test_a_deleted_voice_is_as_if_it_had_never_been(studio: Studio) -> None:
    studio.quotas(EVERYTHING)
    for body in ({"voice_id": GONE}, {"voice_id": HERE}):
        answer = studio.client.post("/similarity", json={"first": body, "second": {"voice_id": GONE}})
        assert "Anna" not in answer.text or body["voice_id"] == HERE
        assert answer.status_code in (404, 422)
    for key in (GONE, "aaaaaaaaaaaaaaa9"):
        spoken = studio.client.post(f"{API}/synthesize", json={"text": "Hello.", "voice_id": key})
        assert (spoken.status_code, spoken.json()["detail"]) == (404, "voice_not_found")
        assert "Anna" not in spoken.text
