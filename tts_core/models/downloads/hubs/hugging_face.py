"""Hugging Face and its mirrors: listings through huggingface_hub, addresses of files.

The saved token goes to https://huggingface.co alone: huggingface_hub would send it to any endpoint that it is given.
A listing is made as HfApi.model_info does, with its session, headers, errors and types, but for one thing: that call
reads an answer to its end before it looks at it, and an answer without end would take all of this machine's memory.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import tts_core
from tts_core.models.catalogue import ModelEntry
from tts_core.models.download_faults import DownloadFault, Http401, NotAHub, NotFoundThere, ProxyError, TlsVerify
from tts_core.models.download_task import SourceId
from tts_core.models.downloads.hub import Listing, Remote, RemoteFile
from tts_core.models.downloads.hubs.listings import LISTING_S, MOST_BYTES, host_of, in_time, safe_files
from tts_core.platform.settings.sources import HF_ENDPOINT

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

logger = logging.getLogger(__name__)

_NEWEST = "main"


class HuggingFaceHub:
    """The Hub of Hugging Face or a mirror; `hub_id` is "hf" or "mirror". Thread-safe."""

    def __init__(self, hub_id: SourceId, endpoint: str, *, listing_s: float = LISTING_S) -> None:
        self._id = hub_id
        self._endpoint = endpoint
        self._listing_s = listing_s
        self._token: str | None = None
        """The token that the last listing succeeded with; None without one."""

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
        """The list of files, within `listing_s`: sizes of all, sha256 of those in LFS.

        Raises SourceFault, and Offline where huggingface_hub was set offline before the app started.
        """
        if not self.has(entry):
            raise NotFoundThere(source=host_of(self._endpoint))
        revision = _NEWEST if newest else entry.hf_revision
        return in_time(self._asker(entry.hf, revision), self._endpoint, seconds=self._listing_s)

    def remote(self, entry: ModelEntry, listing: Listing, path: str) -> Remote:
        url = f"{self._endpoint}/{entry.hf}/resolve/{quote(listing.revision, safe='')}/{quote(path)}"
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return Remote(url, host_of(self._endpoint), headers)

    def _asker(self, repository: str, revision: str) -> Callable[[], Listing]:
        """The function that asks for a listing; imports come before its clock starts: they may outlast the answer."""
        from huggingface_hub import ModelInfo, constants, get_token  # noqa: PLC0415 - a third of a second

        from tts_core.models.downloads.hubs.hf_faults import hf_fault  # noqa: PLC0415

        # Else huggingface_hub asks HF_ENDPOINT for a list of coding agents before the first listing, even the mirror's.
        constants.HF_HUB_DISABLE_TELEMETRY = True
        url = f"{self._endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}"

        def ask(token: str | None) -> Listing:
            try:
                info = ModelInfo(**_answer(url, token, self._listing_s))  # type: ignore[no-untyped-call]
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
                token, listing = None, ask(None)  # an expired token must not shut out from public models
            self._token = token
            return listing

        return run

    def _saved_token(self, get_token: Callable[[], str | None]) -> str | None:
        if self._endpoint != HF_ENDPOINT:
            return None
        try:
            return get_token()
        except Exception:  # renewing the token needs the network; the models are public
            logger.warning("the saved Hugging Face token can't be used", exc_info=True)
            return None

    def _files(self, info: ModelInfo) -> dict[str, RemoteFile]:
        rows = (
            (row.rfilename, row.lfs.size if row.lfs else row.size, row.lfs.sha256 if row.lfs else None)
            for row in info.siblings or ()
        )
        return safe_files(rows, self._endpoint)


def _answer(url: str, token: str | None, timeout_s: float) -> dict[str, Any]:
    """The JSON object at `url`. Raises NotAHub where it is too long for a list, else huggingface_hub's errors."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # noqa: PLC0415
        build_hf_headers,
        get_session,
        hf_raise_for_status,
    )

    try:
        session = get_session()
    except Exception as error:  # errors of several libraries, about the environment's proxies and certificates
        raise (TlsVerify if isinstance(error, OSError) else ProxyError)(source=host_of(url)) from error
    headers = build_hf_headers(token=token or False, library_name="tts-studio", library_version=tts_core.__version__)
    with session.stream("GET", url, headers=headers, params={"blobs": True}, timeout=timeout_s) as response:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                raise NotAHub(source=host_of(url))
        hf_raise_for_status(response)
    fields: dict[str, Any] = json.loads(body)
    return fields
