"""Hugging Face and its mirrors: listings through huggingface_hub, addresses of files.

The saved token goes to https://huggingface.co alone: huggingface_hub would send it to any endpoint that it is given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

import tts_core
from tts_core.catalogue import ModelEntry
from tts_core.downloads.faults import DownloadFault, Http401, NotFoundThere
from tts_core.downloads.hub import Listing, Remote, RemoteFile
from tts_core.downloads.listings import LISTING_S, host_of, in_time, safe_files
from tts_core.downloads.task import SourceId
from tts_core.source_settings import HF_ENDPOINT

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

logger = logging.getLogger(__name__)

_NEWEST = "main"


class HuggingFaceHub:
    """Fits Hub. `hub_id` is "hf" or "mirror". Thread-safe."""

    def __init__(self, hub_id: SourceId, endpoint: str, *, listing_s: float = LISTING_S) -> None:
        self._id = hub_id
        self._endpoint = endpoint
        self._listing_s = listing_s
        self._token: str | None = None
        """The one that the last listing was let in with."""

    @property
    def id(self) -> SourceId:
        return self._id

    @property
    def endpoint(self) -> str:
        return self._endpoint

    def has(self, entry: ModelEntry) -> bool:
        return bool(entry.hf)

    def probe_url(self, entry: ModelEntry) -> str:
        return f"{self._endpoint}/api/models/{entry.hf}"

    def listing(self, entry: ModelEntry, *, newest: bool = False) -> Listing:
        """Within `listing_s`. Sizes of all files, sha256 of those in LFS. Raises SourceFault, and Offline where
        huggingface_hub was told so before the app started."""
        if not self.has(entry):
            raise NotFoundThere(source=host_of(self._endpoint))
        revision = _NEWEST if newest else entry.hf_revision
        return in_time(self._asker(entry.hf, revision), self._endpoint, seconds=self._listing_s)

    def remote(self, entry: ModelEntry, listing: Listing, path: str) -> Remote:
        url = f"{self._endpoint}/{entry.hf}/resolve/{quote(listing.revision, safe='')}/{quote(path)}"
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return Remote(url, host_of(self._endpoint), headers)

    def _asker(self, repository: str, revision: str) -> Callable[[], Listing]:
        """Imports before the clock starts: that takes longer than many an answer."""
        from huggingface_hub import HfApi, constants, get_token  # noqa: PLC0415 - a third of a second

        from tts_core.downloads.hf_faults import hf_fault  # noqa: PLC0415

        # Else it asks HF_ENDPOINT for a list of coding agents before the first listing, the mirror's included.
        constants.HF_HUB_DISABLE_TELEMETRY = True
        api = HfApi(
            endpoint=self._endpoint, token=False, library_name="tts-studio", library_version=tts_core.__version__
        )

        def ask(token: str | None) -> Listing:
            try:
                info = api.model_info(
                    repository, revision=revision, files_metadata=True, timeout=self._listing_s, token=token or False
                )
                return Listing(info.sha or revision, self._files(info))
            except DownloadFault:
                raise
            except Exception as error:
                logger.info("%s gives no list of %s: %s", host_of(self._endpoint), repository, type(error).__name__)
                raise hf_fault(error, self._endpoint) from error

        def run() -> Listing:
            token = self._saved_token(get_token)
            try:
                listing = ask(token)
            except Http401:
                if token is None:
                    raise
                token, listing = None, ask(None)  # a token that has run out must not shut out from public models
            self._token = token
            return listing

        return run

    def _saved_token(self, get_token: Callable[[], str | None]) -> str | None:
        if self._endpoint != HF_ENDPOINT:
            return None
        try:
            return get_token()
        except Exception:  # renewing it needs the network; the models are public
            logger.warning("the saved Hugging Face token can't be used", exc_info=True)
            return None

    def _files(self, info: ModelInfo) -> dict[str, RemoteFile]:
        rows = (
            (row.rfilename, row.lfs.size if row.lfs else row.size, row.lfs.sha256 if row.lfs else None)
            for row in info.siblings or ()
        )
        return safe_files(rows, self._endpoint)
