"""Errors of requests over HTTP: where they come from, how large they are, how many are open."""

from __future__ import annotations

from tts_core.domain.errors import Busy, EngineFailed, Refused, StudioError


class HostNotAllowed(Refused):
    code = "host_not_allowed"
    template = (
        "This address is not served here. Open the address that was printed at start, or allow it with --allow-host."
    )


class OriginNotAllowed(Refused):
    code = "origin_not_allowed"
    template = "Another web site may not change anything here. Use the studio's own page."


class MethodNotAllowed(Refused):
    code = "method_not_allowed"
    template = "This address does not answer {method} requests. /docs lists what it answers."


class BodyTooLarge(Refused):
    code = "body_too_large"
    template = "The upload is larger than the {limit_bytes} bytes that are accepted."


class BodyTooSlow(Refused):
    code = "body_too_slow"
    template = "The rest of the request did not come in time. Send it again."


class UpgradeRequired(Refused):
    code = "upgrade_required"
    template = "This address speaks WebSocket. Connect with a WebSocket client."


class NeighboursOnly(Refused):
    code = "neighbours_only"
    template = (
        "This service answers this machine and its private network only, because nobody has to log in to it. Make "
        "users or keys (python -m tts_core users --help), or start it with --no-auth to answer everybody."
    )


class NotForGuests(Refused):
    code = "not_for_guests"
    template = "Guests may not do this. Ask whoever runs the studio."


class TooManyStreams(Busy):
    code = "too_many_streams"
    template = "{limit} event streams are open already. Close one, or ask for the state instead."


class StreamTooLong(EngineFailed):
    code = "stream_too_long"
    template = "The sound is longer than can be streamed in one answer. Send the text in parts."


class ServerStopping(StudioError):
    code = "server_stopping"
    template = "The studio is being stopped, so this was not finished. Send it again once the studio has started."
