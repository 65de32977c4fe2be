"""Settings of the projects of long texts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tts_core.platform.settings.environ import Environ

PROJECTS_VARIABLE = "TTS_STUDIO_MAX_PROJECTS"
SEGMENTS_VARIABLE = "TTS_STUDIO_MAX_SEGMENTS"
CHARS_VARIABLE = "TTS_STUDIO_MAX_PROJECT_CHARS"
TAKES_VARIABLE = "TTS_STUDIO_KEPT_TAKES"
RESUME_VARIABLE = "TTS_STUDIO_RESUME"


class ResumePolicy(str, Enum):
    """The handling of runs that an earlier process left unfinished."""

    ASK = "ask"
    """A button lets them go on."""
    AUTO = "auto"
    """Runs go on without a question."""
    OFF = "off"

    @classmethod
    def from_env(cls, environ: Environ) -> ResumePolicy:
        """Raises InvalidSetting."""
        return cls(environ.choice(RESUME_VARIABLE, tuple(one.value for one in cls)))


@dataclass(frozen=True, slots=True)
class ProjectLimits:
    """The caps on projects; each has its own clear error."""

    projects: int = 200
    segments: int = 20_000
    """The most segments of one project."""
    chars: int = 2_000_000
    """The most characters of one project."""
    takes: int = 8
    """The takes of a segment that are kept; beyond it the oldest goes that has no star and was not chosen."""

    changes: int = 50
    """The changes of a project that can be taken back."""

    @classmethod
    def from_env(cls, environ: Environ) -> ProjectLimits:
        """Raises InvalidSetting."""
        usual = cls()
        return cls(
            projects=environ.count(PROJECTS_VARIABLE, usual.projects),
            segments=environ.count(SEGMENTS_VARIABLE, usual.segments),
            chars=environ.count(CHARS_VARIABLE, usual.chars),
            takes=environ.count(TAKES_VARIABLE, usual.takes),
        )
