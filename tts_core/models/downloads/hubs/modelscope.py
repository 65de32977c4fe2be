"""ModelScope: listings and addresses of files.

The listing is one GET of our own, /api/v1/models/{owner}/{name}/repo/files, which modelscope_hub 0.5 makes, too. Its
own call can't be used for people who wait: it tries four times (a minute with a silent source, half of one with "slow
down"), so that its caller never learns in time what is wrong; it takes `"Success": false` for an empty repository; it
unpickles cookies from the home folder and leaves an install id there, which it sends along. Errors are still read by
modelscope_hub: status and ModelScope's own codes become its typed errors, which become faults here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import tts_core
from tts_core.models.catalogue import ModelEntry
from tts_core.models.download_faults import DownloadFault, Http401, NotAHub, NotFoundThere, RateLimited
from tts_core.models.download_task import SourceId
from tts_core.models.downloads.hub import Listing, Remote, RemoteFile
from tts_core.models.downloads.hubs.listings import (
    CONNECT_S,
    LISTING_S,
    MOST_BYTES,
    host_of,
    in_time,
    no_login,
    safe_files,
)

if TYPE_CHECKING:
    import requests

_BRANCH = "master"
_CHUNK_BYTES = 64 << 10


class ModelScopeHub:
    """The Hub of ModelScope. Sends no token and no cookie. Thread-safe."""

    def __init__(self, endpoint: str, *, listing_s: float = LISTING_S) -> None:
        self._endpoint = endpoint
        self._listing_s = listing_s

    @property
    def id(self) -> SourceId:
        return "modelscope"

    @property
    def endpoint(self) -> str:
        return self._endpoint

    def has(self, entry: ModelEntry) -> bool:
        return bool(entry.modelscope)

    def probe_url(self, entry: ModelEntry) -> str:
        return f"{self._endpoint}/api/v1/models/{entry.modelscope}"

    def listing(self, entry: ModelEntry, *, newest: bool = False) -> Listing:
        """The list of files, within `listing_s`, with sizes and sha256 of all.

        It is always the newest one: ModelScope's commits are not those of the catalogue.
        """
        if not self.has(entry):
            raise NotFoundThere(source=host_of(self._endpoint))
        query = urlencode({"Revision": _BRANCH, "Recursive": "True"})
        url = f"{self._endpoint}/api/v1/models/{entry.modelscope}/repo/files?{query}"
        return Listing(_BRANCH, in_time(lambda: self._ask(url), url, seconds=self._listing_s))

    def remote(self, entry: ModelEntry, listing: Listing, path: str) -> Remote:
        query = urlencode({"Revision": listing.revision, "FilePath": path}, quote_via=quote)
        return Remote(f"{self._endpoint}/api/v1/models/{entry.modelscope}/repo?{query}", host_of(self._endpoint))

    def _ask(self, url: str) -> dict[str, RemoteFile]:
        import requests  # noqa: PLC0415 - starting stays light

        from tts_core.models.downloads.http_faults import HTTP_ERRORS, ask_fault  # noqa: PLC0415

        try:
            with requests.get(
                url,
                headers={"User-Agent": f"tts-studio/{tts_core.__version__}", "Accept": "application/json"},
                timeout=(min(CONNECT_S, self._listing_s), self._listing_s),
                stream=True,
                auth=no_login,
            ) as response:
                body = _body(response)
        except HTTP_ERRORS as error:
            raise ask_fault(error, host_of(url)) from error
        if not response.ok:
            raise _refusal(response, body, url)
        return safe_files(_rows(body, url), url)


def _body(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > MOST_BYTES:
            raise NotAHub(source=host_of(response.url))
    return bytes(body)


def _refusal(response: requests.Response, body: bytes, url: str) -> DownloadFault:
    """The fault that an answer with an error status means, as modelscope_hub reads it."""
    import requests  # noqa: PLC0415
    from modelscope_hub import errors  # noqa: PLC0415 - a fifth of a second

    from tts_core.models.downloads.http_faults import retry_after_s, status_fault  # noqa: PLC0415

    whole = requests.Response()  # the same answer with its body: the streamed one has been read
    whole.status_code, whole.headers, whole.url, whole.request = (
        response.status_code,
        response.headers,
        response.url,
        response.request,
    )
    whole.raw = io.BytesIO(body)
    source = host_of(url)
    try:
        errors.raise_for_status(whole)
    except errors.RateLimitError:
        return RateLimited(source=source, retry_after_s=retry_after_s(response.headers))
    except errors.AuthenticationError:
        return Http401(source=source)
    except errors.NotExistError:
        return NotFoundThere(source=source)
    except errors.HubError:
        pass
    return status_fault(response.status_code, response.headers, source)


def _rows(body: bytes, url: str) -> Iterator[tuple[object, object, object]]:
    """The path, size and sha256 of each file. Raises NotAHub for an answer that is no list, or a refusal in one."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotAHub(source=host_of(url)) from error
    data = answer.get("Data") if isinstance(answer, dict) and answer.get("Success") is not False else None
    rows = data.get("Files") if isinstance(data, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotAHub(source=host_of(url))
    return ((row.get("Path"), row.get("Size"), row.get("Sha256")) for row in rows if row.get("Type") != "tree")
