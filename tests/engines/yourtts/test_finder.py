"""Where the model is looked for, what makes one, and whose paths its config has; no model is loaded."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tts_core.engines.yourtts.finder import PUBLISHED_NAME, ModelFinder
from tts_core.engines.yourtts.model_folder import missing_from, open_folder
from tts_core.platform.settings.environ import Environ
from tts_core.platform.settings.studio import Settings
from tts_core.platform.settings.yourtts import YourTtsSettings

FILES = {
    "config.json": {
        "audio": {"sample_rate": 16000, "stats_path": "/elsewhere/scale_stats.npy"},
        "d_vector_file": ["/elsewhere/speakers.json"],
        "model_args": {
            "language_ids_file": "/elsewhere/language_ids.json",
            "d_vector_file": "/elsewhere/speakers.json",
        },
    },
    "language_ids.json": {"en": 0, "fr-fr": 1},
    "speakers.json": {"a.wav": {"name": "male-en-2\n", "embedding": [0.1]}, "b.wav": {"name": "female-en-5"}},
    "config_se.json": {},
}


def model(folder: Path, checkpoint: str = "model_file.pth", encoder: str = "model_se.pth") -> Path:
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_text(json.dumps(content))
    for name in (checkpoint, encoder):
        (folder / name).write_bytes(b"weights")
    return folder


def finder(tmp_path: Path, **variables: Path | str) -> ModelFinder:
    environ = {"TTS_STUDIO_DATA_DIR": str(tmp_path / "data"), **{name: str(value) for name, value in variables.items()}}
    settings = Settings.from_env(environ)
    return ModelFinder(settings.paths.models_dir, settings.yourtts)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have Coqui TTS."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))


def test_every_place_is_known_and_the_nearest_one_wins(tmp_path: Path) -> None:
    named, home, xdg = tmp_path / "named", tmp_path / "coqui", tmp_path / "xdg"
    places = {"TTS_STUDIO_YOURTTS_MODEL": named, "TTS_HOME": home, "XDG_DATA_HOME": xdg}
    candidates = [
        named,
        tmp_path / "data" / "models" / "Qwen" / "YourTTS",
        tmp_path / "data" / "models" / "Qwen" / PUBLISHED_NAME,
        home / "tts" / PUBLISHED_NAME,
        home / PUBLISHED_NAME,
        xdg / "tts" / PUBLISHED_NAME,
        tmp_path / "home" / ".local" / "share" / "tts" / PUBLISHED_NAME,
    ]
    assert finder(tmp_path, **places).find().model is None
    for folder in reversed(candidates):
        model(folder)
        found = finder(tmp_path, **places).find().model
        assert found is not None
        assert found.folder == folder


def test_the_log_tells_once_what_was_taken_and_why_others_were_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    half = tmp_path / "half"
    half.mkdir()
    (half / "config.json").write_text("{}")
    whole = model(tmp_path / "coqui" / "tts" / PUBLISHED_NAME)
    looker = finder(tmp_path, TTS_STUDIO_YOURTTS_MODEL=half, TTS_HOME=tmp_path / "coqui")
    looker.find()
    looker.find()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert f"YourTTS's model is {whole} (TTS_HOME)" in lines[0]
    assert f"{half} (the named folder): lacks model_file.pth, speakers.json" in lines[0]


@pytest.mark.parametrize(
    ("checkpoint", "encoder"),
    [("model_file.pth", "model_se.pth"), ("model_file.pth.tar", "model_se.pth.tar"), ("model.pth", "model_se.pth")],
)
def test_names_of_other_releases_count(tmp_path: Path, checkpoint: str, encoder: str) -> None:
    found = open_folder(model(tmp_path / "m", checkpoint, encoder))
    assert (found.checkpoint.name, found.files["speaker_encoder_model_path"].name) == (checkpoint, encoder)


@pytest.mark.parametrize("name", [*FILES, "model_file.pth", "model_se.pth"])
def test_a_missing_or_empty_file_makes_it_no_model(tmp_path: Path, name: str) -> None:
    folder = model(tmp_path / "m")
    (folder / name).write_bytes(b"")
    assert missing_from(folder) == [name]
    with pytest.raises(FileNotFoundError, match=name):
        open_folder(folder)


def test_its_config_gets_the_paths_of_this_machine_and_stays_as_it_is_on_the_disk(tmp_path: Path) -> None:
    folder = model(tmp_path / "m")
    found = open_folder(folder)
    config = found.config()
    assert config["d_vector_file"] == [str(folder / "speakers.json")]
    assert config["model_args"]["d_vector_file"] == str(folder / "speakers.json")
    assert config["model_args"]["language_ids_file"] == str(folder / "language_ids.json")
    assert config["audio"]["stats_path"] is None
    assert json.loads((folder / "config.json").read_text()) == FILES["config.json"]
    assert found.languages() == ("en", "fr-fr")
    assert found.speakers() == ("female-en-5", "male-en-2\n")


def test_the_models_address_may_be_another_one_but_not_in_the_open() -> None:
    assert YourTtsSettings.from_env(Environ({})).model_url.startswith("https://github.com/coqui-ai/TTS/releases/")
    local = {"TTS_STUDIO_YOURTTS_URL": "http://127.0.0.1:9/m.zip"}
    assert YourTtsSettings.from_env(Environ(local)).model_url == "http://127.0.0.1:9/m.zip"
    wrong = YourTtsSettings.from_env(Environ({"TTS_STUDIO_YOURTTS_URL": "http://example.org/m.zip"}))
    assert wrong.url_problem is not None
    assert "http://example.org/m.zip" in wrong.url_problem.message
