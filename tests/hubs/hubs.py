"""The three hubs together, and what makes the app use them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from tests.hubs.hub import LoopbackHub
from tests.hubs.hugging_face import HuggingFaceHub
from tests.hubs.models import PublishedModel, write_catalogue
from tests.hubs.modelscope import ModelScopeHub
from tts_core.platform.settings.sources import SourceSettings


class Hubs:
    """`folder` takes the catalogue file, and homes that hold no cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hf = HuggingFaceHub("hf")
        self.mirror = HuggingFaceHub("mirror")
        self.modelscope = ModelScopeHub("modelscope")
        self.models: dict[str, PublishedModel] = {}
        self._stack = ExitStack()

    @property
    def all(self) -> tuple[LoopbackHub, ...]:
        return self.hf, self.mirror, self.modelscope

    def __enter__(self) -> Hubs:
        for hub in self.all:
            self._stack.enter_context(hub)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def publish(self, *models: PublishedModel) -> None:
        """On every hub, and in the catalogue file."""
        for model in models:
            self.models[model.key] = model
            for hub in self.all:
                hub.publish(model)
        write_catalogue(self.catalogue_file, self.models.values())

    @property
    def catalogue_file(self) -> Path:
        return self.folder / "catalogue.json"

    def environ(self) -> dict[str, str]:
        """Variables for the app: these hubs, this catalogue, and nobody's caches."""
        home = self.folder / "home"
        return {
            "HF_ENDPOINT": self.hf.endpoint,
            "HF_MIRROR_ENDPOINT": self.mirror.endpoint,
            "MODELSCOPE_ENDPOINT": self.modelscope.endpoint,
            "TTS_STUDIO_CATALOG": str(self.catalogue_file),
            "HOME": str(home),
            "USERPROFILE": str(home),
            "HF_HOME": str(home / "hf"),
            "MODELSCOPE_CACHE": str(home / "modelscope"),
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def settings(self) -> SourceSettings:
        """The same for tests that need no process."""
        return SourceSettings(
            hf_endpoint=self.hf.endpoint,
            mirror_endpoint=self.mirror.endpoint,
            modelscope_endpoint=self.modelscope.endpoint,
        )

    def sent(self, file: str | None = None) -> int:
        """File bytes that all hubs handed to the network."""
        return sum(hub.log.sent(file) for hub in self.all)


def refused_endpoint() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
