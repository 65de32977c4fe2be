"""Whole downloads through the services, from real hubs on loopback into real folders."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hubs.faults import Fault
from tests.hubs.fixtures import hubs, small_model
from tests.hubs.hub import LoopbackHub
from tests.hubs.hubs import Hubs, refused_endpoint
from tests.hubs.models import CODEC_FILE, MAIN_FILE, PublishedModel, make_model, write_catalogue
from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, config, noise, weights
from tts_core.models.catalogue import ModelKind
from tts_core.models.download_task import DownloadTask, Provider
from tts_core.models.downloads.hubs import ordering as sources
from tts_core.models.downloads.transfer.part_file import PartStore, Want
from tts_core.models.files.findings import ModelState, Verification
from tts_core.models.files.verdict import loads_anyway
from tts_core.platform.job import JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

__all__ = ["hubs", "small_model"]

PATIENCE_S = 120.0
NewApp = Callable[..., Services]


@pytest.fixture(autouse=True)
def a_busy_machine_abroad(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the tests run, sources have one order, and however slow that is, they answer in time."""
    monkeypatch.setattr(sources, "is_mainland", lambda: False)
    monkeypatch.setattr(sources, "PROBE_S", PATIENCE_S)


@pytest.fixture(autouse=True)
def made_up_weights_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models of these tests are noise, which no engine would take for a fine-tune."""
    monkeypatch.setattr("tts_core.services.FolderCheck", lambda: loads_anyway)


@pytest.fixture
def new_app(hubs: Hubs, tmp_path: Path) -> Iterator[NewApp]:
    """Each is as a process of its own on the same folders; `environ` changes some variables."""
    with ExitStack() as opened:

        def build(**environ: str) -> Services:
            folders = {"TTS_STUDIO_DATA_DIR": str(tmp_path / "data"), "QWEN_TTS_MODELS_DIR": str(tmp_path / "models")}
            services = build_services(Settings.from_env({**hubs.environ(), **folders, **environ}))
            opened.callback(services.close)
            return services

        yield build


@pytest.fixture
def app(new_app: NewApp) -> Services:
    return new_app()


def until(app: Services, condition: Callable[[DownloadTask], bool], key: str = CUSTOM_KEY) -> DownloadTask:
    deadline = time.monotonic() + PATIENCE_S
    while (task := app.downloads.task(key)) is None or not condition(task):
        assert time.monotonic() < deadline, f"never came true: {task}"
        time.sleep(0.01)
    return task


def download(app: Services, provider: Provider = "auto", key: str = CUSTOM_KEY) -> DownloadTask:
    """To its end."""
    app.downloads.start(key, provider)
    *_, last = app.downloads.follow(key)
    return last


def until_stalled(app: Services, model: PublishedModel, at: int) -> DownloadTask:
    """The large file has come as far as `at`, where the hub stops; small ones are there."""
    done = at + sum(file.size for file in model.files.values() if file.size < 10_000)
    return until(app, lambda task: task.file == MAIN_FILE and task.bytes_done == done)


def sha256_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def differing(folder: Path, model: PublishedModel) -> list[str]:
    """Files that are not the published ones."""
    return [
        path
        for path, file in model.files.items()
        if not (folder / path).is_file() or sha256_of(folder / path) != file.sha256
    ]


def copy_of(model: PublishedModel, folder: Path, changes: Mapping[str, bytes | None]) -> None:
    """The model as somebody put it there, with other content or without (None) some files."""
    for path, file in model.files.items():
        content = changes.get(path, file.source.read_bytes())
        if content is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def fetched(hubs: Hubs) -> set[str]:
    return {request.file for hub in hubs.all for request in hub.log.bytes_requests()}


def asked(hubs: Hubs) -> int:
    return sum(len(hub.log.requests()) for hub in hubs.all)


def codes(task: DownloadTask) -> list[tuple[str, str, str]]:
    return [(note.code, note.source, note.next_source) for note in task.notes]


@pytest.mark.parametrize("provider", ["auto", "hf", "mirror", "modelscope"])
def test_a_model_arrives_and_is_known_to_be_right(
    app: Services, hubs: Hubs, small_model: PublishedModel, provider: Provider
) -> None:
    task = download(app, provider)
    assert (task.state, task.progress, task.code, task.notes) == (JobState.DONE, 100.0, "", ())
    assert task.source == provider or (provider == "auto" and task.source in ("hf", "mirror", "modelscope"))
    assert task.source_reason in (("fastest", "nearby") if provider == "auto" else ("chosen",))
    assert differing(app.models.folder(CUSTOM_KEY), small_model) == []
    assert hubs.sent() == small_model.total_bytes, [hub.log.ranges(MAIN_FILE) for hub in hubs.all]
    # Verified by the download itself: no second reading is needed.
    status = app.models.status(CUSTOM_KEY)
    assert (status.state, status.verification) == (ModelState.READY, Verification.VERIFIED)
    before = asked(hubs)
    assert download(app).state is JobState.DONE
    assert asked(hubs) == before


def test_what_two_models_share_is_fetched_once(app: Services, hubs: Hubs, tmp_path: Path) -> None:
    other = make_model(tmp_path / "other", BASE_KEY)
    hubs.publish(other)
    assert download(app).state is JobState.DONE
    app = build_again(app)
    sent = hubs.sent(CODEC_FILE)
    assert download(app, key=BASE_KEY).state is JobState.DONE
    assert hubs.sent(CODEC_FILE) == sent
    folders = [app.models.folder(key) for key in (CUSTOM_KEY, BASE_KEY)]
    assert (folders[0] / CODEC_FILE).samefile(folders[1] / CODEC_FILE)
    assert differing(folders[1], other) == []


def build_again(app: Services) -> Services:
    """With the catalogue as it is now."""
    app.close()
    return build_services(app.settings)


class TestRepair:
    def test_only_bad_and_missing_files_are_fetched(
        self, app: Services, hubs: Hubs, small_model: PublishedModel
    ) -> None:
        folder = app.models.folder(CUSTOM_KEY)
        broken = bytearray(small_model.files[MAIN_FILE].source.read_bytes())
        broken[-1] ^= 1
        copy_of(small_model, folder, {MAIN_FILE: bytes(broken), "vocab.json": None, "merges.txt": b"<html>"})
        (folder / "mine.txt").write_text("mine", encoding="utf-8")
        assert app.models.status(CUSTOM_KEY).state is ModelState.ERROR

        task = download(app)
        assert task.state is JobState.DONE
        assert fetched(hubs) == {MAIN_FILE, "vocab.json", "merges.txt"}
        assert codes(task) == [("HASH_MISMATCH", "local", "")]  # why the bar fell
        assert differing(folder, small_model) == []
        assert (folder / f"{MAIN_FILE}.wrong-1").read_bytes() == broken
        assert (folder / "merges.txt.wrong-1").read_bytes() == b"<html>"
        assert (folder / "mine.txt").read_text(encoding="utf-8") == "mine"

    def test_whoever_opens_a_file_that_is_replaced_finds_the_old_one_or_the_new_one(
        self, app: Services, small_model: PublishedModel
    ) -> None:
        """As an engine does that loads the model, or has it in memory."""
        folder = app.models.folder(CUSTOM_KEY)
        old = b"{" + small_model.files[MAIN_FILE].source.read_bytes()[1:]
        copy_of(small_model, folder, {MAIN_FILE: old, "vocab.json": None})
        seen: set[int] = set()
        with (folder / MAIN_FILE).open("rb") as used:
            task = app.downloads.start(CUSTOM_KEY)
            while not task.state.is_over:
                seen.add((folder / MAIN_FILE).stat().st_ino)
                task = app.downloads.task(CUSTOM_KEY) or task
            assert task.state is JobState.DONE
            assert used.read() == old
        assert len(seen | {(folder / MAIN_FILE).stat().st_ino}) == 2

    def test_a_flipped_byte_in_a_model_that_looks_ready(
        self, app: Services, hubs: Hubs, small_model: PublishedModel
    ) -> None:
        """`ready` and right sha256 come together: what was never read is read first."""
        folder = app.models.folder(CUSTOM_KEY)
        broken = bytearray(small_model.files[CODEC_FILE].source.read_bytes())
        broken[5000] ^= 1
        copy_of(small_model, folder, {CODEC_FILE: bytes(broken)})
        assert app.models.status(CUSTOM_KEY).verification is Verification.UNCHECKED
        assert download(app).state is JobState.DONE
        assert fetched(hubs) == {CODEC_FILE}
        assert differing(folder, small_model) == []

    def test_a_sound_copy_is_read_and_nothing_is_asked(
        self, app: Services, hubs: Hubs, small_model: PublishedModel
    ) -> None:
        copy_of(small_model, app.models.folder(CUSTOM_KEY), {})
        task = download(app)
        assert (task.state, task.source, asked(hubs)) == (JobState.DONE, "local", 0)
        assert app.models.status(CUSTOM_KEY).verification is Verification.VERIFIED

    def test_placeholders_of_git_lfs_are_replaced(self, app: Services, hubs: Hubs, small_model: PublishedModel) -> None:
        folder, main = app.models.folder(CUSTOM_KEY), small_model.files[MAIN_FILE]
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{main.sha256}\nsize {main.size}\n".encode()
        copy_of(small_model, folder, {MAIN_FILE: pointer})
        assert download(app).state is JobState.DONE
        assert fetched(hubs) == {MAIN_FILE}
        assert (folder / f"{MAIN_FILE}.wrong-1").read_bytes() == pointer

    def test_a_fine_tune_is_left_alone(self, app: Services, hubs: Hubs, small_model: PublishedModel) -> None:
        folder = app.models.folder(CUSTOM_KEY)
        own = weights(noise(800_000, "fine-tune"))
        copy_of(small_model, folder, {MAIN_FILE: own})
        for _ in range(2):
            task = download(app)
            assert (task.state, asked(hubs)) == (JobState.DONE, 0)
        assert (folder / MAIN_FILE).read_bytes() == own
        assert app.models.status(CUSTOM_KEY).verification is Verification.UNVERIFIED

    def test_a_fine_tune_gets_what_it_lacks(self, app: Services, hubs: Hubs, small_model: PublishedModel) -> None:
        folder = app.models.folder(CUSTOM_KEY)
        own = weights(noise(800_000, "fine-tune"))
        copy_of(small_model, folder, {MAIN_FILE: own, CODEC_FILE: None})
        assert download(app).state is JobState.DONE
        assert fetched(hubs) == {CODEC_FILE}
        assert (folder / MAIN_FILE).read_bytes() == own

    def test_another_kind_of_model_in_the_folder_does_not_become_a_fine_tune(
        self, app: Services, small_model: PublishedModel
    ) -> None:
        folder = app.models.folder(CUSTOM_KEY)
        own = weights(noise(800_000, "a base model"))
        copy_of(small_model, folder, {MAIN_FILE: own, "config.json": config(ModelKind.BASE)})
        assert download(app).state is JobState.DONE
        assert differing(folder, small_model) == []
        assert (folder / f"{MAIN_FILE}.wrong-1").read_bytes() == own


class TestFallback:
    def test_a_source_that_failed_is_not_asked_for_the_next_file(self, app: Services, hubs: Hubs) -> None:
        hubs.hf.faults.add(Fault(status=403), on="bytes", file="config.json")
        task = download(app, "hf")
        assert (task.state, task.source) == (JobState.DONE, "mirror")
        assert codes(task) == [("HTTP_403", "hf", "mirror")]
        assert hubs.hf.log.requests(MAIN_FILE) == ()

    def test_it_is_asked_again_when_all_others_fail(self, app: Services, hubs: Hubs) -> None:
        hubs.hf.faults.add(Fault(status=403), on="bytes", file="config.json")
        for hub in (hubs.mirror, hubs.modelscope):
            hub.faults.add(Fault(status=404), on="bytes", file=MAIN_FILE)
        task = download(app, "hf")
        assert task.state is JobState.DONE
        assert [code for code, _, _ in codes(task)] == ["HTTP_403", "NOT_FOUND", "NOT_FOUND"]
        assert hubs.hf.log.sent(MAIN_FILE) > 0

    def test_a_file_begun_at_one_source_is_finished_by_another(
        self, app: Services, hubs: Hubs, small_model: PublishedModel
    ) -> None:
        hubs.hf.faults.add(Fault(cut_at=300_000), on="bytes", file=MAIN_FILE, times=1)
        hubs.hf.faults.add(Fault(status=404), on="bytes", file=MAIN_FILE)
        task = download(app, "hf")
        assert (task.state, codes(task)[0][1]) == (JobState.DONE, "hf")
        sent = hubs.sent(MAIN_FILE)
        assert sent == small_model.files[MAIN_FILE].size
        assert hubs.hf.log.sent(MAIN_FILE) == 300_000

    def test_wrong_bytes_are_kept_aside_and_another_source_takes_over(
        self, app: Services, hubs: Hubs, small_model: PublishedModel
    ) -> None:
        hubs.hf.faults.add(Fault(corrupt_at=5), on="bytes", file=MAIN_FILE)
        task = download(app, "hf")
        assert (task.state, task.source) == (JobState.DONE, "mirror")
        assert codes(task) == [("HASH_MISMATCH", "hf", "mirror")]
        assert differing(app.models.folder(CUSTOM_KEY), small_model) == []

    def test_wrong_from_two_sources_is_the_end(self, app: Services, hubs: Hubs, small_model: PublishedModel) -> None:
        for hub in hubs.all:
            hub.faults.add(Fault(corrupt_at=5), on="bytes", file=MAIN_FILE)
        task = download(app)
        assert (task.state, task.code, len(task.notes)) == (JobState.ERROR, "HASH_MISMATCH", 2)
        assert len(list(app.settings.paths.parts_dir.glob("*.bad"))) == 1
        assert not (app.models.folder(CUSTOM_KEY) / MAIN_FILE).exists()
        status = app.models.status(CUSTOM_KEY)
        assert (status.state, status.reason_code) == (ModelState.INCOMPLETE, "HASH_MISMATCH")

    def test_bytes_damaged_by_an_earlier_source_are_not_held_against_the_one_that_finished(
        self, app: Services, hubs: Hubs
    ) -> None:
        hubs.hf.faults.add(Fault(corrupt_at=5, cut_at=300_000), on="bytes", file=MAIN_FILE, times=1)
        hubs.hf.faults.add(Fault(status=404), on="bytes", file=MAIN_FILE)
        task = download(app, "hf")
        assert (task.state, task.source) == (JobState.DONE, "mirror")
        assert [(code, source) for code, source, _ in codes(task)][1:] == [("HASH_MISMATCH", "mirror")]

    @pytest.mark.parametrize("fault", [Fault(status=503), Fault(drop=True)], ids=["busy", "cut"])
    def test_a_listing_is_asked_for_a_second_time(self, app: Services, hubs: Hubs, fault: Fault) -> None:
        hubs.hf.faults.add(fault, on="listing", times=1)
        last = download(app, "hf")
        assert (last.state, last.source, last.notes) == (JobState.DONE, "hf", ())

    def test_a_short_pause_that_a_source_asks_for_is_kept(self, app: Services, hubs: Hubs) -> None:
        hubs.hf.faults.add(Fault(status=429, headers={"Retry-After": "1"}), on="listing", times=1)
        hubs.hf.faults.add(Fault(status=429, headers={"Retry-After": "1"}), on="bytes", file=MAIN_FILE, times=1)
        task = download(app, "hf")
        assert (task.state, task.source) == (JobState.DONE, "hf")
        assert hubs.mirror.log.requests() == ()

    @pytest.mark.parametrize("provider", ["auto", "hf"])
    def test_all_failed(self, app: Services, hubs: Hubs, provider: Provider) -> None:
        for hub, answer in ((hubs.hf, 403), (hubs.mirror, 500), (hubs.modelscope, 404)):
            hub.faults.add(Fault(status=answer))
        task = download(app, provider)
        assert task.state is JobState.ERROR
        assert task.code == ("HTTP_403" if provider == "hf" else "ALL_SOURCES_FAILED")
        assert {(note.code, note.source) for note in task.notes} == {
            ("HTTP_403", "hf"),
            ("SERVER_5XX", "mirror"),
            ("NOT_FOUND", "modelscope"),
        }
        status = app.models.status(CUSTOM_KEY)
        assert (status.state, status.reason_code) == (ModelState.ERROR, task.code)

    def test_the_only_source_that_answered_says_what_is_wrong(self, new_app: NewApp, hubs: Hubs) -> None:
        app = new_app(HF_ENDPOINT=refused_endpoint(), HF_MIRROR_ENDPOINT=refused_endpoint())
        hubs.modelscope.faults.add(Fault(html=True))
        task = download(app)
        assert (task.state, task.code) == (JobState.ERROR, "NOT_A_HUB")
        assert {note.code for note in task.notes} == {"NET_CONNECT", "NOT_A_HUB"}

    def test_a_folder_that_keeps_changing_is_given_up_with_the_reason(
        self, app: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish = PartStore.publish

        def spoil(parts: PartStore, want: Want, target: Path) -> None:
            publish(parts, want, target)
            if want.file == "config.json":
                target.write_bytes(b"<html>")

        monkeypatch.setattr(PartStore, "publish", spoil)
        task = download(app, "hf")
        assert (task.state, task.code) == (JobState.ERROR, "FILES_STILL_WRONG")
        assert "config.json is a web page" in str(task.params["reasons"])

    def test_another_version_upstream_is_skipped_before_it_sends_anything(self, app: Services, hubs: Hubs) -> None:
        hubs.hf.faults.add(Fault(listed_sha256="0" * 64), on="listing", file=MAIN_FILE)
        task = download(app, "hf")
        assert (task.state, codes(task)) == (JobState.DONE, [("REMOTE_CHANGED", "hf", "mirror")])
        assert hubs.hf.log.sent() == 0


def test_pause_and_go_on_elsewhere(app: Services, hubs: Hubs, small_model: PublishedModel) -> None:
    hubs.hf.faults.add(Fault(stall_at=400_000), on="bytes", file=MAIN_FILE)
    app.downloads.start(CUSTOM_KEY, "hf")
    until_stalled(app, small_model, 400_000)
    paused = app.downloads.pause(CUSTOM_KEY)
    assert paused.state is JobState.PAUSED
    task = download(app, "modelscope")
    assert (task.state, task.source) == (JobState.DONE, "modelscope")
    assert hubs.sent() == small_model.total_bytes, [hub.log.ranges(MAIN_FILE) for hub in hubs.all]


def test_closing_keeps_everything_and_the_next_start_goes_on(
    new_app: NewApp, hubs: Hubs, small_model: PublishedModel
) -> None:
    first = new_app()
    first.downloads.restore(first.jobs.restore(), resume=False)
    hubs.hf.faults.add(Fault(stall_at=400_000), on="bytes", file=MAIN_FILE)
    first.downloads.start(CUSTOM_KEY, "hf")
    until_stalled(first, small_model, 400_000)
    began = time.monotonic()
    first.close()
    assert time.monotonic() - began < 20  # about a tenth of a second where nothing else runs
    hubs.hf.faults.clear()

    second = new_app()
    second.downloads.restore(second.jobs.restore(), resume=False)
    status = second.models.status(CUSTOM_KEY)
    assert (status.state, status.reason_code) == (ModelState.INCOMPLETE, "paused")
    assert status.bytes_done >= 400_000
    second.downloads.resume(CUSTOM_KEY)
    assert until(second, lambda task: task.state.is_over).state is JobState.DONE
    assert hubs.sent() == small_model.total_bytes, [hub.log.ranges(MAIN_FILE) for hub in hubs.all]


def test_without_a_queue_the_parts_still_count(new_app: NewApp, hubs: Hubs, small_model: PublishedModel) -> None:
    """As after `kill -9` of a command: nothing remembers it but the disk."""
    first = new_app()
    hubs.hf.faults.add(Fault(stall_at=400_000), on="bytes", file=MAIN_FILE)
    first.downloads.start(CUSTOM_KEY, "hf")
    until_stalled(first, small_model, 400_000)
    first.close()
    status = new_app().models.status(CUSTOM_KEY)
    assert (status.state, status.reason_code) == (ModelState.INCOMPLETE, "missing")
    assert status.bytes_done >= 400_000


def test_two_processes_share_one_transfer(new_app: NewApp, hubs: Hubs, small_model: PublishedModel) -> None:
    first, second = new_app(), new_app()
    for hub in hubs.all:
        hub.faults.add(Fault(stall_at=400_000), on="bytes", file=MAIN_FILE)
    first.downloads.start(CUSTOM_KEY, "hf")
    until_stalled(first, small_model, 400_000)
    second.downloads.start(CUSTOM_KEY)
    # What the first one tells is a second old at most.
    task = until(second, lambda task: task.foreign and task.file == MAIN_FILE and task.bytes_done >= 400_000)
    assert task.state is JobState.WAITING
    for hub in hubs.all:
        hub.faults.clear()
    assert until(first, lambda task: task.state.is_over).state is JobState.DONE
    assert until(second, lambda task: task.state.is_over).state is JobState.DONE
    assert hubs.sent() == small_model.total_bytes, [hub.log.ranges(MAIN_FILE) for hub in hubs.all]


def test_offline_is_said_at_once(new_app: NewApp, hubs: Hubs) -> None:
    task = download(new_app(HF_HUB_OFFLINE="1"))
    assert (task.state, task.code, asked(hubs)) == (JobState.ERROR, "OFFLINE", 0)


def test_a_folder_that_can_not_be_written_pauses(app: Services, hubs: Hubs) -> None:
    parts = app.settings.paths.parts_dir
    parts.parent.mkdir(parents=True)
    parts.write_text("in the way", encoding="utf-8")
    app.downloads.start(CUSTOM_KEY)
    assert until(app, lambda task: bool(task.code)).state is JobState.PAUSED
    assert app.models.status(CUSTOM_KEY).reason_code == "DISK_ERROR"
    parts.unlink()
    app.downloads.resume(CUSTOM_KEY)
    assert until(app, lambda task: task.state.is_over).state is JobState.DONE


def test_a_catalogue_without_checksums(new_app: NewApp, hubs: Hubs, small_model: PublishedModel) -> None:
    write_catalogue(hubs.catalogue_file, [small_model], with_hashes=False)
    app = new_app()
    task = download(app, "modelscope")
    assert (task.state, task.source) == (JobState.DONE, "modelscope")
    assert differing(app.models.folder(CUSTOM_KEY), small_model) == []
    assert app.models.status(CUSTOM_KEY).verification is Verification.UNVERIFIED


@pytest.mark.parametrize("hub_index", [0, 2])
def test_without_checksums_the_listings_count(
    new_app: NewApp, hubs: Hubs, small_model: PublishedModel, hub_index: int
) -> None:
    write_catalogue(hubs.catalogue_file, [small_model], with_hashes=False)
    hub: LoopbackHub = hubs.all[hub_index]
    hub.faults.add(Fault(corrupt_at=600_000), on="bytes", file=MAIN_FILE)
    app = new_app()
    task = download(app, "hf" if hub_index == 0 else "modelscope")
    assert (task.state, task.notes[0].code) == (JobState.DONE, "HASH_MISMATCH")
    assert differing(app.models.folder(CUSTOM_KEY), small_model) == []


def test_a_model_that_is_published_nowhere(new_app: NewApp, hubs: Hubs, small_model: PublishedModel) -> None:
    entry = {**small_model.entry(), "hf": "", "modelscope": ""}
    hubs.catalogue_file.write_text(json.dumps({CUSTOM_KEY: entry}), encoding="utf-8")
    task = download(new_app())
    assert (task.state, task.code, asked(hubs)) == (JobState.ERROR, "NOT_FOUND", 0)


def test_a_named_source_that_does_not_publish_it(new_app: NewApp, hubs: Hubs, small_model: PublishedModel) -> None:
    entry = {**small_model.entry(), "modelscope": ""}
    hubs.catalogue_file.write_text(json.dumps({CUSTOM_KEY: entry}), encoding="utf-8")
    task = download(new_app(), "modelscope")
    assert (task.state, task.notes[0].code, task.notes[0].source) == (JobState.DONE, "NOT_FOUND", "modelscope")
    assert task.source in ("hf", "mirror")
