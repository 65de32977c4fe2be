"""Projects over REST: from a text to chapters and segments, every edit, takes, and what others may not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from tests.studio.stage import add_take
from tts_core.api.server import create_api
from tts_core.platform.logs import setup_logging
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.studio.model import Difference, TakeCheck, TakeFlag

PROJECTS = "/api/studio/projects"
TEXT = "Chapter 1\n\nIt was a secret morning. Nobody spoke a word.\n\nChapter 2\n\nThe end came soon."


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    built = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path_factory.mktemp("projects"))}))
    yield built
    built.close()


@pytest.fixture(scope="module")
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_api(services), base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as client:
        yield client


def data(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["success"] is (status < 400)
    return body["data"] if status < 400 else body["detail"]


@pytest.fixture
def project(client: TestClient) -> str:
    """The address of a new project with three segments in two chapters."""
    body = {"text": TEXT, "title": "Morning", "language": "en", "split": "sentences", "voice": "builtin/aria"}
    return f"{PROJECTS}/{data(client.post(PROJECTS, json=body))['project']['id']}"


def opened(services: Services, project: str) -> Any:
    return services.projects.open(project.rpartition("/")[2])


def rows(client: TestClient, project: str, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data(client.get(f"{project}/segments", params=filters))["rows"]
    return found


def test_a_pasted_text_is_shown_before_it_is_made_a_project(client: TestClient) -> None:
    before = len(data(client.get(PROJECTS)))
    preview = data(client.post(PROJECTS, json={"text": TEXT, "dry_run": True}))
    assert preview["project"] is None
    assert [chapter["title"] for chapter in preview["preview"]["chapters"]] == ["Chapter 1", "Chapter 2"]
    assert preview["preview"]["expected_seconds"] > 3
    assert len(data(client.get(PROJECTS))) == before


def test_a_file_in_an_old_encoding_becomes_a_project_as_it_was_chosen_in_the_preview(
    client: TestClient, services: Services
) -> None:
    content = "第一章 开始\n\n你好，世界。今天天气很好。\n\n第二章 结束\n\n再见。\n".encode("gb18030")
    files = {"file": ("book.txt", content)}
    preview = data(client.post(f"{PROJECTS}/import", files=files, data={"dry_run": "true"}))["preview"]
    assert (preview["encoding"], preview["title"], len(preview["chapters"])) == ("gb18030", "book", 2)
    chosen = {"included": json.dumps([True, False]), "titles": json.dumps(["起", "终"]), "language": "zh"}
    made = data(client.post(f"{PROJECTS}/import", files=files, data=chosen))["project"]
    assert [(one["title"], one["included"]) for one in made["chapters"]] == [("起", True), ("终", False)]
    assert made["defaults"]["voice"]
    sources = services.settings.paths.projects_dir / made["id"] / "sources"
    assert (sources / "book.txt").read_bytes() == content
    assert data(client.post(f"{PROJECTS}/import", files=files, data={"titles": "[1]"}), 422) == "invalid_request"
    assert data(client.post(f"{PROJECTS}/import", files={"file": ("a.exe", b"MZ")}), 422) == "import_unsupported"
    assert data(client.post(f"{PROJECTS}/import", data={"title": "x"}), 422) == "invalid_request"


def test_more_chapters_are_added_and_taken_back(client: TestClient, services: Services, project: str) -> None:
    made = data(client.post(f"{project}/import", data={"text": "Chapter 3\n\nMore."}))["project"]
    sources = services.settings.paths.projects_dir / made["id"] / "sources"
    assert sorted(file.name for file in sources.iterdir()) == ["pasted-2.txt", "pasted.txt"]
    assert [chapter["title"] for chapter in made["chapters"]] == ["Chapter 1", "Chapter 2", "Chapter 3"]
    undone = data(client.post(f"{project}/undo"))
    assert (undone["label"], len(undone["project"]["chapters"])) == ("import", 2)


def test_segments_come_in_pages_and_by_filter(client: TestClient, project: str) -> None:
    page = data(client.get(f"{project}/segments", params={"size": 2, "page": 9}))
    assert (page["page"], page["pages"], page["total"]) == (2, 2, 3)
    assert [row["number"] for row in page["rows"]] == [3]
    assert [row["text"] for row in rows(client, project, chapter="c002")] == ["The end came soon."]
    assert [row["id"] for row in rows(client, project, q="NOBODY")] == ["s00002"]
    assert rows(client, project, state="ready") == []
    assert len(rows(client, project, state=["waiting", "stale"])) == 3


def test_an_edit_answers_with_the_row_and_an_old_one_is_refused(client: TestClient, project: str) -> None:
    segment = f"{project}/segments/s00001"
    done = data(client.patch(segment, json={"text": "Good morning.", "speed": 1.2, "revision": 0}))
    assert [row["id"] for row in done["rows"]] == ["s00001"]
    row = done["rows"][0]
    assert (row["text"], row["revision"], row["own"]["speed"]) == ("Good morning.", 1, 1.2)
    assert data(client.patch(segment, json={"text": "Old page.", "revision": 0}), 409) == "edit_conflict"
    data(client.patch(f"{project}/segments/s00002", json={"skipped": True, "revision": 0}))
    back = data(client.patch(segment, json={"reset": ["speed"]}))["rows"][0]
    assert (back["own"]["speed"], back["delivery"]["speed"]) == (None, 1.0)
    assert data(client.patch(segment, json={"speed": 3}), 422) == "invalid_request"
    assert data(client.patch(f"{project}/segments/s9", json={"text": "x"}), 404) == "segment_not_found"


def test_segments_are_split_merged_inserted_moved_and_removed(client: TestClient, project: str) -> None:
    segments = f"{project}/segments"
    second = data(client.post(f"{segments}/s00001/split", json={"place": 6}))["rows"][1]
    assert second["text"] == "a secret morning."
    assert data(client.post(f"{segments}/s00001/split", json={"place": 99}), 422) == "split_outside"
    data(client.post(f"{segments}/s00001/merge", json={}))
    assert data(client.post(f"{segments}/s00003/merge", json={}), 422) == "nothing_to_merge"
    new = data(client.post(f"{segments}/s00002/insert", json={"text": "New.", "speaker": "Ann"}))["rows"][0]
    assert (new["number"], new["speaker"], new["chapter"]) == (3, "Ann", "c001")
    data(client.post(f"{segments}/{new['id']}/move", json={"chapter": "c002", "after": "s00003"}))
    assert [row["text"] for row in rows(client, project, chapter="c002")] == ["The end came soon.", "New."]
    data(client.delete(f"{segments}/{new['id']}"))
    data(client.post(f"{project}/chapters/c002/insert", json={"text": "First."}))
    assert [row["text"] for row in rows(client, project, chapter="c002")] == ["First.", "The end came soon."]
    for _ in range(6):
        data(client.post(f"{project}/undo"))
    assert [row["text"] for row in rows(client, project)] == [
        "It was a secret morning.",
        "Nobody spoke a word.",
        "The end came soon.",
    ]
    assert data(client.post(f"{project}/undo"), 409) == "nothing_to_undo"
    assert data(client.post(f"{project}/redo"))["label"] == "split"


def test_many_segments_are_changed_at_once(client: TestClient, project: str) -> None:
    body = {"segments": ["s00001", "s00003"], "voice": "builtin/bob", "pause_seconds": 1.5}
    done = data(client.patch(f"{project}/segments", json=body))
    assert [row["delivery"]["voice"] for row in done["rows"]] == ["builtin/bob"] * 2
    data(client.post(f"{project}/undo"))
    assert {row["pause_seconds"] for row in rows(client, project)} == {None}


def test_chapters_are_arranged(client: TestClient, project: str) -> None:
    chapters = f"{project}/chapters"
    data(client.post(chapters, json={"segment": "s00002", "title": "Middle"}))
    made = data(client.patch(f"{chapters}/c001", json={"title": "Start", "included": False}))
    assert [chapter["title"] for chapter in made["chapters"]] == ["Start", "Middle", "Chapter 2"]
    assert made["counts"]["segments"] == 2
    moved = data(client.post(f"{chapters}/c002/move", json={}))
    assert [chapter["title"] for chapter in moved["chapters"]] == ["Chapter 2", "Start", "Middle"]
    merged = data(client.post(f"{chapters}/c001/merge", json={}))
    assert [chapter["counts"]["segments"] for chapter in merged["chapters"]] == [1, 2]
    assert len(data(client.delete(f"{chapters}/c001"))["chapters"]) == 1
    assert data(client.delete(f"{chapters}/c9"), 404) == "chapter_not_found"


def test_settings_cast_and_lexicon_of_a_project(client: TestClient, project: str) -> None:
    cast = [{"name": "Ann", "aliases": ["Anna"], "voice": "builtin/bob"}]
    lexicon = [{"term": "secret", "reading": "see-kret"}]
    body = {"title": "Evening", "cast": cast, "lexicon": lexicon, "check": "all", "settings": {"export": {"rate": 1}}}
    made = data(client.patch(project, json=body))
    assert (made["title"], made["cast"][0]["aliases"], made["check"]) == ("Evening", ["Anna"], "all")
    data(client.patch(f"{project}/segments/s00001", json={"speaker": "Anna"}))
    row = rows(client, project)[0]
    assert (row["delivery"]["voice"], row["spoken"]) == ("builtin/bob", "It was a see-kret morning.")
    twice = {"cast": [{"name": "Ann"}, {"name": "Bob", "aliases": ["Ann"]}]}
    assert data(client.patch(project, json=twice), 422) == "invalid_request"
    assert data(client.patch(project, json={"title": "  "}), 422) == "invalid_request"


def test_find_counts_before_replace_changes(client: TestClient, project: str) -> None:
    search = {"text": "o", "match_case": True}
    found = data(client.post(f"{project}/find", json=search))
    assert (found["places"], len(found["segments"])) == (7, 3)
    done = data(client.post(f"{project}/replace", json={**search, "replacement": "0"}))
    assert done["places"] == 7
    assert rows(client, project)[1]["text"] == "N0b0dy sp0ke a w0rd."
    assert data(client.post(f"{project}/find", json={"text": ""}), 422) == "search_empty"
    data(client.post(f"{project}/undo"))
    assert rows(client, project)[1]["text"] == "Nobody spoke a word."


def test_takes_are_heard_chosen_starred_and_deleted(client: TestClient, services: Services, project: str) -> None:
    first = add_take(opened(services, project), "s00001", seconds=0.5)
    second = add_take(opened(services, project), "s00001", seconds=0.25)
    row = rows(client, project, state="ready")[0]
    assert [(take["current"], take["fits"]) for take in row["takes"]] == [(False, True), (True, True)]
    takes = f"{project}/segments/s00001/takes"
    assert row["takes"][0]["url"] == f"{takes}/{first.id}/audio"
    sound = client.get(row["takes"][0]["url"], headers={"Range": "bytes=0-3"})
    assert (sound.status_code, sound.content, sound.headers["content-type"]) == (206, b"RIFF", "audio/wav")
    shape = data(client.get(f"{takes}/{first.id}/peaks", params={"count": 10}))
    assert (len(shape["peaks"]), shape["duration_seconds"]) == (10, 0.5)
    done = data(client.patch(f"{takes}/{first.id}", json={"chosen": True, "starred": True}))["rows"][0]["takes"]
    assert [(take["current"], take["starred"]) for take in done] == [(True, True), (False, False)]
    space = data(client.get(f"{project}/space"))
    assert 0 < space["unchosen_bytes"] < space["takes_bytes"] < space["total_bytes"]
    data(client.delete(f"{takes}/{second.id}"))
    assert len(rows(client, project)[0]["takes"]) == 1
    data(client.post(f"{project}/undo"))
    assert len(rows(client, project)[0]["takes"]) == 2
    assert data(client.post(f"{project}/drop-takes"))["freed_bytes"] == space["unchosen_bytes"]
    assert [take["id"] for take in rows(client, project)[0]["takes"]] == [first.id]
    assert data(client.delete(f"{takes}/{second.id}"), 404) == "take_not_found"
    assert data(client.get(f"{takes}/..%2F..%2Fproject/audio"), 404) in ("take_not_found", "not_found")


def test_what_a_person_accepts_is_no_longer_flagged(client: TestClient, services: Services, project: str) -> None:
    check = TakeCheck((TakeFlag.WRONG_WORDS,), errors=1, units=4, differences=(Difference("spoke", "spoken"),))
    take = add_take(opened(services, project), "s00002", check=check)
    row = rows(client, project, state="flagged")[0]
    assert (row["takes"][0]["flags"], row["takes"][0]["differences"]) == (
        ["wrong_words"],
        [{"expected": "spoke", "actual": "spoken"}],
    )
    accepted = data(client.post(f"{project}/segments/s00002/accept", json={}))["rows"][0]
    assert (accepted["state"], accepted["takes"][0]["accepted"]) == ("ready", True)
    segment = opened(services, project).segment("s00002")
    assert segment.accepted == (take.id,)
    assert [one.actual for one in segment.tolerated] == ["spoken"]
    assert data(client.post(f"{project}/segments/s00001/accept", json={}), 404) == "take_not_found"


def test_a_recording_of_ones_own_is_a_take_that_counts(
    client: TestClient, services: Services, project: str, tmp_path: Path
) -> None:
    add_take(opened(services, project), "s00003")
    takes = f"{project}/segments/s00003/takes"
    wave = 0.5 * np.sin(np.arange(44_100) / 20).astype(np.float32)
    soundfile.write(tmp_path / "me.wav", wave, 44_100)
    row = data(client.post(takes, files={"file": ("me.wav", (tmp_path / "me.wav").read_bytes())}))
    assert [(take["origin"], take["current"]) for take in row["takes"]] == [("auto", False), ("recorded", True)]
    assert row["takes"][1]["duration_seconds"] == pytest.approx(1.0, abs=0.01)
    data(client.patch(project, json={"voice": "builtin/bob"}))
    assert rows(client, project)[2]["state"] == "ready"
    assert data(client.post(takes, files={"file": ("me.wav", b"no sound at all")}), 422) == "audio_unreadable"
    soundfile.write(tmp_path / "silence.wav", np.zeros(44_100), 44_100)
    silence = {"file": ("silence.wav", (tmp_path / "silence.wav").read_bytes())}
    assert data(client.post(takes, files=silence), 422) == "recording_silent"


def test_a_deleted_project_can_be_restored_and_a_removed_one_not(client: TestClient, project: str) -> None:
    data(client.delete(project))
    assert data(client.get(project), 404) == "project_not_found"
    deleted = data(client.get(PROJECTS, params={"deleted": True}))
    assert [card["id"] for card in deleted if project.endswith(card["id"])]
    assert data(client.post(f"{project}/restore"))["title"] == "Morning"
    assert data(client.delete(project, params={"remove_files": True}))["removed"]
    assert data(client.get(project), 404) == "project_not_found"
    assert data(client.post(f"{project}/restore"), 404) == "project_not_found"


def test_a_project_that_another_process_writes_is_shown_and_refused(client: TestClient, services: Services) -> None:
    made = data(client.post(PROJECTS, json={"text": "Mine.", "voice": "builtin/aria"}))["project"]
    services.projects.close()
    root = services.settings.paths
    other = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(root.data_dir)}))
    other.projects.open(made["id"])
    project = f"{PROJECTS}/{made['id']}"
    assert data(client.get(project))["read_only"]["code"] == "project_in_use"
    assert data(client.patch(project, json={"title": "x"}), 409) == "project_in_use"
    other.close()
    assert data(client.patch(project, json={"title": "x"}))["title"] == "x"


def test_texts_are_never_logged(
    client: TestClient, services: Services, tmp_path: Path, log_handlers_put_back: None
) -> None:
    setup_logging(tmp_path / "studio.log", console=False)
    word = "hippopotamus"
    made = data(
        client.post(PROJECTS, json={"text": f"The {word} sang.", "title": f"A {word}", "voice": "builtin/aria"})
    )
    project = f"{PROJECTS}/{made['project']['id']}"
    client.patch(f"{project}/segments/s00001", json={"text": f"{word} again", "speed": 9})
    client.patch(f"{project}/segments/s00001", json={"text": f"{word} again"})
    folder = opened(services, project).folder
    services.projects.close()
    folder.chapter("c001").write_text(f'{{"{word}', encoding="utf-8")
    (folder.revisions / "00000001.json").write_text(f'"{word}"', encoding="utf-8")
    assert data(client.get(project))["notes"][0]["code"] == "chapter_restored"
    client.post(f"{PROJECTS}/import", files={"file": (f"{word}.txt", f"\0\1\2\3{word}".encode() * 9)})
    log = (tmp_path / "studio.log").read_text(encoding="utf-8")
    assert "can't be read" in log
    assert word not in log


def test_every_route_of_the_studio_is_refused_to_guests(client: TestClient) -> None:
    """The rules allow by name; whatever they do not name is refused. The test of the entrance asks each with a key."""
    from tts_core.api.protection.guest_rules import of_guest  # noqa: PLC0415

    document = client.get("/openapi.json").json()
    routes = [
        (method.upper(), re.sub(r"\{[^}]+\}", "0123456789abcdef", path))
        for path, methods in document["paths"].items()
        if path.startswith("/api/studio")
        for method in methods
    ]
    assert len(routes) > 25
    assert [route for route in routes if of_guest(*route) is not None] == []
