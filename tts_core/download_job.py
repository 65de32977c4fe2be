"""One model onto this disk."""

from __future__ import annotations

from tts_core.download_run import Run
from tts_core.downloads.faults import DownloadFault
from tts_core.downloads.task import Provider
from tts_core.model_manager import ModelManager


class DownloadJob:
    def __init__(self, models: ModelManager) -> None:
        self._models = models

    def is_ready(self, key: str, run: Run) -> bool:
        return self._models.status(key).valid and not run.cancelled()

    def fetch(self, key: str, provider: Provider, run: Run) -> None:
        raise DownloadFault
