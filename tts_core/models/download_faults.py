"""The faults of a download, one class per code, each with the rule for going on.

`rule` is the whole policy: the job that runs a download reads it and never looks at an exception's text.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from tts_core.domain.errors import StudioError


class Rule(Enum):
    """The reaction to a fault."""

    RETRY = "retry"
    """Try the same source once more with a fresh address, then take another one."""
    RESOLVE = "resolve"
    """Ask the hub for a new address once, then take another source."""
    WAIT = "wait"
    """Wait as long as the source asks if that is a minute at most, else take another one."""
    SWITCH = "switch"
    """Take another source at once."""
    DISCARD = "discard"
    """The bytes are wrong: set them aside, take another source."""
    PAUSE = "pause"
    """No source can help; keep every byte and wait for the user."""
    STOP = "stop"
    """The source has not failed: stop here."""


class DownloadFault(StudioError):
    """The base of all faults; each names its `rule`."""

    code = "DOWNLOAD_FAILED"
    template = "The download failed ({reason}). The log has the details."
    rule: ClassVar[Rule] = Rule.SWITCH


class SourceFault(DownloadFault):
    """The source can't deliver; another may. Params always hold `source`, an endpoint's host name."""


class NetDns(SourceFault):
    code = "NET_DNS"
    template = "The name {source} can't be found. Check the network connection."
    rule = Rule.RETRY


class NetConnect(SourceFault):
    code = "NET_CONNECT"
    template = "{source} can't be reached."
    rule = Rule.RETRY


class NetTimeout(SourceFault):
    code = "NET_TIMEOUT"
    template = "{source} does not answer."
    rule = Rule.RETRY


class NetStalled(SourceFault):
    code = "NET_STALLED"
    template = "{source} stopped sending."
    rule = Rule.RETRY


class TlsVerify(SourceFault):
    code = "TLS_VERIFY"
    template = "The certificate of {source} can't be trusted: a company proxy, or a wrong clock on this machine."


class ProxyError(SourceFault):
    code = "PROXY_ERROR"
    template = "The proxy on the way to {source} refuses. Check HTTPS_PROXY and NO_PROXY."


class NotAHub(SourceFault):
    code = "NOT_A_HUB"
    template = "{source} answers, but not as a model hub: a login page, a proxy or a wrong address."


class Http401(SourceFault):
    code = "HTTP_401"
    template = "{source} wants a login for this model."


class Http403(SourceFault):
    code = "HTTP_403"
    template = "{source} refuses this model."


class Gated(SourceFault):
    code = "GATED"
    template = "{source} gives this model only to accounts that accepted its terms."


class NotFoundThere(SourceFault):
    code = "NOT_FOUND"
    template = "{source} has no such model or file."


class RevisionNotFound(SourceFault):
    code = "REVISION_NOT_FOUND"
    template = "{source} does not have this version of the model."


class RateLimited(SourceFault):
    """The params hold `retry_after_s`, seconds or None."""

    code = "RATE_LIMITED"
    template = "{source} asks to slow down."
    rule = Rule.WAIT


class ServerError(SourceFault):
    code = "SERVER_5XX"
    template = "{source} has trouble (status {status})."
    rule = Rule.RESOLVE


class UrlExpired(SourceFault):
    code = "URL_EXPIRED"
    template = "The address that {source} gave for the file has expired."
    rule = Rule.RESOLVE


class UnsafePath(SourceFault):
    code = "UNSAFE_PATH"
    template = "{source} lists a file name that leaves the model's folder: refused."


class SizeMismatch(SourceFault):
    code = "SIZE_MISMATCH"
    template = "{source} sends {file} with another size than the published one."


class HashMismatch(SourceFault):
    code = "HASH_MISMATCH"
    template = "{file} from {source} is not the published file (another sha256)."
    rule = Rule.DISCARD


class RemoteChanged(SourceFault):
    code = "REMOTE_CHANGED"
    template = "{file} changed at {source} while it was being fetched."
    rule = Rule.DISCARD


class DiskFault(DownloadFault):
    """The disk here can't keep the bytes: no source can help."""

    rule = Rule.PAUSE


class DiskFull(DiskFault):
    code = "DISK_FULL"
    template = "The disk of {folder} is full. Free some space, then resume: everything fetched so far is kept."


class DiskLow(DiskFault):
    code = "DISK_LOW"
    template = "{folder} has {free_bytes} bytes free, {needed_bytes} are needed. Free some space, then go on."


class ReadOnly(DiskFault):
    code = "READ_ONLY"
    template = "{folder} can't be written: it is read-only."


class PermissionRefused(DiskFault):
    code = "PERMISSION"
    template = "{folder} can't be written: permission refused."


class FileLocked(DiskFault):
    code = "FILE_LOCKED"
    template = "{file} is held by another program. Close it, then resume."


class DiskError(DiskFault):
    code = "DISK_ERROR"
    template = "{folder} can't be written: {reason}."


class Interrupted(DownloadFault):
    """The download was asked to stop; fetched bytes are kept."""

    code = "INTERRUPTED"
    template = "The download was stopped."
    rule = Rule.STOP


class Offline(DownloadFault):
    code = "OFFLINE"
    template = "Downloads are switched off by HF_HUB_OFFLINE. Unset it, or copy the files by hand."
    rule = Rule.STOP


class OwnedByOther(DownloadFault):
    code = "OWNED_BY_OTHER_PROCESS"
    template = "Another TTS Studio is downloading into this folder (process {pid}). Wait for it."
    rule = Rule.STOP


class FilesStillWrong(DownloadFault):
    """The params hold `reasons`, one sentence per file."""

    code = "FILES_STILL_WRONG"
    template = "Nothing more can be fetched, and the model is not ready; nothing is lost. {reasons}"
    rule = Rule.STOP


class AllSourcesFailed(DownloadFault):
    """The params hold `reasons`, one sentence per source."""

    code = "ALL_SOURCES_FAILED"
    template = "No source could deliver this model; nothing that was fetched is lost. {reasons}"
    rule = Rule.STOP
