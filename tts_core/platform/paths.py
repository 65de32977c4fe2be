"""The places of the studio's files and folders on disk. Nothing else builds these paths."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

PACKAGE_DIR = Path(__file__).resolve().parent.parent
ROOT_DIR = PACKAGE_DIR.parent
ASSETS_DIR = ROOT_DIR / "assets"
REQUIREMENTS_FILE = ROOT_DIR / "requirements.txt"
PIPER_REQUIREMENTS_FILE = ROOT_DIR / "requirements-piper.txt"
PACKAGED_CATALOGUES = tuple(
    PACKAGE_DIR / "models" / "data" / name
    for name in ("qwen3_tts_models.json", "whisper_models.json", "hibari_voices.json", "piper_voices.json")
)
SPEAKERS_FILE = PACKAGE_DIR / "models" / "data" / "qwen3_tts_speakers.json"
OPENAI_NAMES = PACKAGE_DIR / "api" / "openai" / "names.json"


def default_data_dir() -> Path:
    """The user's data folder; the name is shared with the desktop app that keeps its models there."""
    return Path(platformdirs.user_data_dir("SuperAutoCutVideo", appauthor=False))


def shared_temporary_dir() -> Path:
    """The folder where programs put their temporary files. Python looks for one that it can write to, which a full disk
    has not; then it is the usual one of the system, where old files may make room."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return Path.home() / "AppData" / "Local" / "Temp" if os.name == "nt" else Path("/tmp")  # noqa: S108 - a place


@dataclass(frozen=True, slots=True)
class Paths:
    data_dir: Path
    models_dir: Path
    """The folder with a folder for each model, named by the catalogue entry's `local`."""

    @property
    def outputs_dir(self) -> Path:
        """The finished takes, kept for a while; the only folder whose files are served."""
        return self.data_dir / "cache" / "outputs"

    @property
    def page_cache_dir(self) -> Path:
        """The folder of Gradio's own copies of shown files."""
        return self.data_dir / "cache" / "page"

    @property
    def hash_cache_file(self) -> Path:
        """The sha256 of model files, keyed by path, size, mtime and inode."""
        return self.data_dir / "cache" / "model_hashes.json"

    @property
    def bench_dir(self) -> Path:
        """The models with random weights that benchmarks have made for themselves."""
        return self.data_dir / "cache" / "bench"

    @property
    def default_models_dir(self) -> Path:
        """The models folder unless a setting names another."""
        return self.data_dir / "models" / "Qwen"

    @property
    def default_piper_dir(self) -> Path:
        """The folder for the user's own Piper voices."""
        return self.data_dir / "models" / "piper"

    @property
    def preferences_file(self) -> Path:
        """The user's choices in the app."""
        return self.data_dir / "preferences.json"

    @property
    def accounts_file(self) -> Path:
        """Users and keys; readable for the owner only."""
        return self.data_dir / "accounts.json"

    @property
    def share_certificate_file(self) -> Path:
        """The certificate of the share server that a public link leads through."""
        return self.data_dir / "cache" / "share_server.pem"

    @property
    def move_file(self) -> Path:
        """The progress of a move of the models folder; the file exists only while one is under way."""
        return self.data_dir / "models_move.json"

    @property
    def downloads_file(self) -> Path:
        """The queue of downloads of earlier versions; read once, then removed."""
        return self.data_dir / "downloads.json"

    @property
    def parts_dir(self) -> Path:
        """The unfinished downloads; on the models' volume, so that a finished file only changes its name."""
        return self.models_dir / ".downloads"

    @property
    def voices_file(self) -> Path:
        """The voice library; other programs of the user's read and write it too."""
        return self.data_dir / "qwen3_tts_voices.json"

    @property
    def voices_dir(self) -> Path:
        """The folder with a folder for each saved voice."""
        return self.data_dir / "uploads" / "audios" / "qwen3_tts_voices"

    @property
    def projects_dir(self) -> Path:
        """The folder with a folder for each project of a long text."""
        return self.data_dir / "projects"

    @property
    def transcription_dir(self) -> Path:
        """The recordings that programs sent to be transcribed, until that is done."""
        return self.data_dir / "cache" / "heard"

    @property
    def yourtts_dir(self) -> Path:
        """YourTTS's own Python environment."""
        return self.data_dir / "yourtts"

    @property
    def registered_speakers_dir(self) -> Path:
        """The speakers that programs registered over /register_speaker."""
        return self.data_dir / "registered_speakers"

    @property
    def lexicon_file(self) -> Path:
        """The user's readings of words."""
        return self.data_dir / "lexicon.json"

    @property
    def jobs_file(self) -> Path:
        return self.data_dir / "jobs.json"

    @property
    def private(self) -> tuple[Path, ...]:
        """The files and folders with people's voices, texts and accounts, copies set aside included: private to the
        user."""
        kept = (
            self.voices_file,
            self.jobs_file,
            self.preferences_file,
            self.accounts_file,
            self.downloads_file,
            self.lexicon_file,
        )
        files = [
            found for file in kept for name in (f"{file.stem}.*", f".{file.name}.*") for found in file.parent.glob(name)
        ]
        folders = (
            self.voices_dir,
            self.projects_dir,
            self.registered_speakers_dir,
            self.transcription_dir,
            self.outputs_dir,
            self.page_cache_dir,
        )
        return *files, *folders, self.log_file.parent

    @property
    def log_file(self) -> Path:
        return self.data_dir / "logs" / "tts_studio.log"
