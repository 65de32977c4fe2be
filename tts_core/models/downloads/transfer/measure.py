"""The size of a file at a fixed address, where there is no listing."""

from __future__ import annotations

import requests

from tts_core.models.download_faults import NotAHub, SourceFault
from tts_core.models.downloads.http_faults import HTTP_ERRORS, ask_fault, status_fault
from tts_core.models.downloads.hub import Remote

_TIMEOUT_S = 30.0


def remote_size(remote: Remote) -> int:
    """The file's size in bytes, by a HEAD request. Raises SourceFault."""
    fault: SourceFault
    try:
        answer = requests.head(
            remote.url,
            headers={**remote.headers, "Accept-Encoding": "identity"},
            allow_redirects=True,
            timeout=_TIMEOUT_S,
        )
    except HTTP_ERRORS as error:
        fault = ask_fault(error, remote.source)
    else:
        length = answer.headers.get("Content-Length", "")
        if answer.status_code == requests.codes.ok and length.isascii() and length.isdigit() and int(length) > 0:
            return int(length)
        is_refused = answer.status_code != requests.codes.ok
        fault = (
            status_fault(answer.status_code, answer.headers, remote.source)
            if is_refused
            else NotAHub(source=remote.source)
        )
    raise fault
