"""Everything that makes projects and their files, put together."""

from __future__ import annotations

from tts_core.platform.jobs import Jobs
from tts_core.speech.synthesis import Synthesis
from tts_core.studio.events import ProjectEvents
from tts_core.studio.export.exporter import Exporter
from tts_core.studio.making.checker import TakeChecker
from tts_core.studio.making.runner import StudioRunner
from tts_core.studio.making.segments import SegmentMaker
from tts_core.studio.projects import Projects
from tts_core.studio.speaking import VoiceFacts


class ProjectMaking:
    def __init__(
        self, projects: Projects, synthesis: Synthesis, checker: TakeChecker, voices: VoiceFacts, jobs: Jobs
    ) -> None:
        self.events = ProjectEvents()
        projects.listen(self.events.add_change)
        maker = SegmentMaker(synthesis, checker, voices)
        self.runner = StudioRunner(projects, synthesis, maker, jobs, self.events.add_run)
        self.exporter = Exporter(projects, voices, jobs)

    def close(self) -> None:
        """End runs and exports, keeping every finished take."""
        self.runner.close()
        self.exporter.close()
        self.events.close()
