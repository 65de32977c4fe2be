from __future__ import annotations

import copy
import importlib.resources
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.models.model_folders import CUSTOM_KEY, PUBLISHED, catalogue_entry, write_catalogue
from tts_core.domain.errors import UnknownModelKey
from tts_core.engines.hibari.voices import VOICES
from tts_core.models.catalogue import ModelKind, inference_files, load_catalogue
from tts_core.models.faults import CatalogueInvalid

ENTRY = catalogue_entry(ModelKind.CUSTOM_VOICE, "My-Voice-0.6B", PUBLISHED[CUSTOM_KEY])
WHISPER_FILES = (*inference_files(ModelKind.WHISPER), "vocabulary.txt")


def entry_with(path: str, value: object) -> dict[str, Any]:
    """ENTRY with one field set: "files>config.json>size" goes down into it."""
    changed: dict[str, Any] = copy.deepcopy(ENTRY)
    *parents, last = path.split(">")
    target = changed
    for name in parents:
        target = target[name]
    target[last] = value
    return changed


def refusal(tmp_path: Path, entries: object) -> str:
    file = tmp_path / "mine.json"
    file.write_text(entries if isinstance(entries, str) else json.dumps(entries), encoding="utf-8")
    with pytest.raises(CatalogueInvalid) as caught:
        load_catalogue(file)
    assert str(file) in caught.value.message
    return caught.value.message


def test_the_packaged_catalogue_holds_the_published_models() -> None:
    catalogue = load_catalogue()
    others = [entry for entry in catalogue.entries() if not entry.kind.is_single_voice]
    assert {entry.key: (entry.kind.value, entry.size, len(entry.files)) for entry in others} == {
        "tokenizer_12hz": ("tokenizer", "", 4),
        "base_0_6b": ("base", "0.6B", 11),
        "custom_0_6b": ("custom_voice", "0.6B", 11),
        "base_1_7b": ("base", "1.7B", 11),
        "custom_1_7b": ("custom_voice", "1.7B", 11),
        "voice_design_1_7b": ("voice_design", "1.7B", 11),
        "whisper_tiny": ("whisper", "tiny", 4),
        "whisper_base": ("whisper", "base", 4),
        "whisper_small": ("whisper", "small", 4),
        "whisper_medium": ("whisper", "medium", 4),
        "whisper_large_v3_turbo": ("whisper", "large-v3-turbo", 5),
        "whisper_large_v3": ("whisper", "large", 5),
    }
    whisper = [entry for entry in others if entry.kind is ModelKind.WHISPER]
    assert sum(entry.total_bytes for entry in others if entry not in whisper) == 19_281_269_289
    assert sum(entry.total_bytes for entry in whisper) == 6_955_372_352


def test_every_packaged_file_has_a_checksum_and_every_entry_both_sources() -> None:
    for entry in load_catalogue().entries():
        assert all(file.sha256 for file in entry.files)
        if entry.kind.is_single_voice:
            continue
        owner = "Systran" if entry.kind is ModelKind.WHISPER else "Qwen"
        assert entry.modelscope == f"{owner}/{entry.local}"
        assert entry.hf.partition("/")[2] == entry.local
        assert len(entry.hf_revision) == 40
        assert set(entry.inference_files) <= {file.path for file in entry.files}


def test_the_natural_voices_are_those_of_the_package() -> None:
    """The package's own list names their files, sizes and hashes; the studio fetches them itself."""
    voices = {
        entry.key.removeprefix("hibari_"): entry
        for entry in load_catalogue().entries()
        if entry.kind is ModelKind.HIBARI
    }
    table = Path(str(importlib.resources.files("hibari"))) / "assets" / "voices.json"
    published = json.loads(table.read_text(encoding="utf-8"))
    assert published.keys() - {"heart"} == voices.keys() == {voice.key for voice in VOICES if voice.model_key}
    for name, entry in voices.items():
        [file] = entry.files
        expected = tuple(published[name][field] for field in ("file", "bytes", "sha256"))
        assert (file.path.removeprefix("voices/"), file.size, file.sha256) == expected


def test_the_piper_voices_lie_where_their_repository_has_them() -> None:
    voices = [entry for entry in load_catalogue().entries() if entry.kind is ModelKind.PIPER]
    assert len(voices) == 10
    for entry in voices:
        name = entry.local.removeprefix("Piper-")
        language, voice, quality = name.split("-")
        path = f"{language[:2]}/{language}/{voice}/{quality}/{name}.onnx"
        assert [file.path for file in entry.files] == [path, f"{path}.json"] == list(entry.inference_files)
        assert (entry.hf, entry.modelscope, len(entry.hf_revision)) == ("rhasspy/piper-voices", "", 40)
        assert entry.key == f"piper_{name}".lower().replace("-", "_")
        assert entry.size == ""


@pytest.mark.parametrize(
    "names",
    [("a.onnx",), ("a.onnx.json",), ("a.onnx", "b.onnx.json"), ("a.onnx", "a.onnx.json", "b.onnx", "b.onnx.json")],
)
def test_a_piper_voice_is_one_model_with_its_description(tmp_path: Path, names: tuple[str, ...]) -> None:
    piper = {**ENTRY, "kind": "piper", "files": {name: {"size": 1} for name in names}}
    assert "must list one NAME.onnx" in refusal(tmp_path, {"mine": piper})


def test_the_speech_tokenizer_is_the_same_file_in_all_six_models() -> None:
    weights = [file for entry in load_catalogue().entries() for file in entry.files if file.size == 682_293_092]
    assert len(weights) == 6
    assert len({file.sha256 for file in weights}) == 1


def test_the_smaller_whisper_models_share_tokenizer_and_vocabulary() -> None:
    files = {
        entry.size: {file.path: file.sha256 for file in entry.files}
        for entry in load_catalogue().entries()
        if entry.kind is ModelKind.WHISPER
    }
    for name in ("tokenizer.json", "vocabulary.txt"):
        assert files["tiny"][name] == files["base"][name] == files["small"][name] == files["medium"][name]
    assert files["large"]["vocabulary.json"] == files["large-v3-turbo"]["vocabulary.json"]


def test_each_kind_has_its_own_sizes(tmp_path: Path) -> None:
    whisper = {**ENTRY, "kind": "whisper", "files": {name: {"size": 1} for name in WHISPER_FILES}}
    assert "must be one of tiny" in refusal(tmp_path, {"mine": {**whisper, "size": "0.6B"}})
    assert "must be one of 0.6B" in refusal(tmp_path, {"mine": {**ENTRY, "size": "tiny"}})
    catalogue = load_catalogue(write_catalogue(tmp_path / "mine.json", {"mine": {**whisper, "size": "medium"}}))
    assert catalogue.entry("mine").size == "medium"
    catalogue = load_catalogue(write_catalogue(tmp_path / "mine.json", {"mine_0_6b": whisper}))
    assert catalogue.entry("mine_0_6b").size == ""


@pytest.mark.parametrize("name", WHISPER_FILES)
def test_a_whisper_model_lists_what_it_cannot_run_without(tmp_path: Path, name: str) -> None:
    files = {path: {"size": 1} for path in WHISPER_FILES if path != name}
    assert f"must list {name}" in refusal(tmp_path, {"mine": {**ENTRY, "kind": "whisper", "files": files}})


def test_a_whisper_model_that_is_not_converted_is_refused_with_what_to_write(tmp_path: Path) -> None:
    files = {path: {"size": 1} for path in ("config.json", "model.safetensors", "tokenizer.json")}
    reason = refusal(tmp_path, {"mine": {**ENTRY, "kind": "whisper", "files": files}})
    assert "must list model.bin instead of model.safetensors" in reason
    assert "ct2-transformers-converter --model OWNER/NAME --output_dir FOLDER" in reason


def test_a_single_voice_says_its_gender(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    assert {voice.model_key: voice.gender for voice in VOICES if voice.model_key} == {
        entry.key: entry.gender for entry in catalogue.entries() if entry.kind is ModelKind.HIBARI
    }
    assert {entry.gender for entry in catalogue.entries() if entry.kind is ModelKind.PIPER} == {"female", "male"}
    assert "gender must be female or male" in refusal(tmp_path, {"mine": {**ENTRY, "gender": 1}})


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownModelKey, match="custom_1_7b"):
        load_catalogue().entry("nope")


def test_an_extra_catalogue_adds_entries_and_overrides_whole_ones(tmp_path: Path) -> None:
    override = {**ENTRY, "local": "Qwen3-TTS-12Hz-0.6B-CustomVoice"}
    file = write_catalogue(tmp_path / "mine.json", {"my_voice_1_7b": ENTRY, CUSTOM_KEY: override})
    catalogue = load_catalogue(file)
    assert len(catalogue.keys()) == len(load_catalogue().keys()) + 1
    assert catalogue.entry(CUSTOM_KEY).total_bytes == sum(map(len, PUBLISHED[CUSTOM_KEY].values()))
    assert catalogue.entry(CUSTOM_KEY).hf == "Qwen/My-Voice-0.6B"
    assert catalogue.entry("my_voice_1_7b").display_name == "My-Voice-0.6B"


@pytest.mark.parametrize(
    ("key", "fields", "size"),
    [
        ("voice_1_7b", {"local": "x"}, "1.7B"),
        ("voice", {"local": "Voice-0.6B-zh"}, "0.6B"),
        ("voice", {"local": "Voice-10.6B"}, ""),
        ("voice_0_6b", {"local": "x", "size": "1.7B"}, "1.7B"),
        ("voice_0_6b", {"local": "x", "size": ""}, ""),
    ],
)
def test_the_size_is_stated_or_read_from_the_names(tmp_path: Path, key: str, fields: dict[str, str], size: str) -> None:
    entry = {name: value for name, value in ENTRY.items() if name not in ("hf", "modelscope")}
    assert load_catalogue(write_catalogue(tmp_path / "c.json", {key: {**entry, **fields}})).entry(key).size == size


def test_what_may_be_left_out_may_be_left_out(tmp_path: Path) -> None:
    bare = catalogue_entry(ModelKind.CUSTOM_VOICE, "我的声音", PUBLISHED[CUSTOM_KEY], with_hashes=False)
    del bare["hf"], bare["modelscope"]
    entry = load_catalogue(write_catalogue(tmp_path / "c.json", {"mine": bare})).entry("mine")
    assert (entry.hf, entry.modelscope, entry.hf_revision, entry.size) == ("", "", "main", "")
    assert all(file.sha256 is None for file in entry.files)


def test_a_byte_order_mark_and_upper_case_checksums_are_accepted(tmp_path: Path) -> None:
    entry = entry_with("files>config.json>sha256", "AB" * 32)
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"mine": entry}), encoding="utf-8-sig")
    assert load_catalogue(file).entry("mine").files[0].sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("kind", "singer", "kind must be one of"),
        ("kind", None, "kind must be one of"),
        ("hf", "not a repository", "hf must be"),
        ("hf", "../../etc", "hf must be"),
        ("modelscope", 7, "modelscope must be"),
        ("hf_revision", "a b", "hf_revision must be"),
        ("local", "", "local must be"),
        ("local", 3, "local must be"),
        ("size", "7B", "size must be"),
        ("display_name", " ", "display_name must be"),
        ("total_bytes", 1, "total_bytes must be"),
        ("total_bytes", True, "total_bytes must be"),
        ("colour", "red", "unknown field 'colour'"),
        ("files", {}, "files must be"),
        ("files", ["config.json"], "files must be"),
        ("files>config.json", 12, "config.json"),
        ("files>config.json>size", -1, "size"),
        ("files>config.json>size", 1.5, "size"),
        ("files>config.json>size", True, "size"),
        ("files>config.json>size", None, "size"),
        ("files>config.json>sha256", "12", "sha256"),
        ("files>config.json>md5", "12", "unknown field 'md5'"),
        ("files>CONFIG.json", {"size": 1}, "one file on some systems"),
        ("files>config.json/x", {"size": 1}, "both as a file and as the folder"),
    ],
)
def test_a_wrong_field_is_refused_by_name(tmp_path: Path, path: str, value: object, words: str) -> None:
    message = refusal(tmp_path, {"my_voice": entry_with(path, value)})
    assert "'my_voice'" in message
    assert words in message


@pytest.mark.parametrize(
    "name",
    ["..", ".", "a/b", "a\\b", "/etc", "C:", "C:\\x", "a:b", "con", "NUL.txt", "end.", " a", "a ", "a\n", "a\u202e"],
)
def test_a_folder_name_that_is_unsafe_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    assert "local must be" in refusal(tmp_path, {"my_voice": {**ENTRY, "local": name}})


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/passwd", "C:/x", "a\\b", "a//b", "a/", "", "./a", "a/./b", "aux/x", "a?"]
)
def test_a_file_path_that_could_leave_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    assert "relative paths" in refusal(tmp_path, {"my_voice": entry_with(f"files>{path}", {"size": 1})})


@given(name=st.text(max_size=30))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_name_is_accepted_stays_directly_below_the_models_folder(tmp_path: Path, name: str) -> None:
    file = write_catalogue(tmp_path / "c.json", {"mine": {**ENTRY, "local": name}})
    try:
        local = load_catalogue(file).entry("mine").local
    except CatalogueInvalid:
        return
    assert (tmp_path / local).resolve().parent == tmp_path.resolve()
    assert local == name


@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["kind", "local", "files", "size", "x"]), x),
        max_leaves=12,
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_other_json_is_refused_rather_than_crashing(tmp_path: Path, data: object) -> None:
    assert "'mine'" in refusal(tmp_path, {"mine": data})


@pytest.mark.parametrize("key", ["My_Voice", "a-b", "", "a/b", "x" * 65])
def test_a_key_of_other_characters_is_refused(tmp_path: Path, key: str) -> None:
    assert f"{key!r}: key" in refusal(tmp_path, {key: ENTRY})


def test_a_model_that_lacks_what_inference_needs_is_refused(tmp_path: Path) -> None:
    entry = copy.deepcopy(ENTRY)
    del entry["files"]["speech_tokenizer/model.safetensors"]  # type: ignore[attr-defined]
    assert "must list speech_tokenizer/model.safetensors" in refusal(tmp_path, {"my_voice": entry})


def test_two_models_in_one_folder_are_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, {"my_voice": {**ENTRY, "local": "qwen3-tts-12hz-0.6b-base"}})
    assert "already the folder of 'base_0_6b'" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ('{"a": {"kind": "base", "kind": "base"}}', "'kind' stands twice"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match="can't be read"):
        load_catalogue(tmp_path / "absent.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogueInvalid, match="not JSON"):
        load_catalogue(tmp_path / "binary.json")
