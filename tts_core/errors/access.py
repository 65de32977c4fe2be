"""What is not allowed from there."""

from __future__ import annotations

from tts_core.errors.base import Refused


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


class UpgradeRequired(Refused):
    code = "upgrade_required"
    template = "This address speaks WebSocket. Connect with a WebSocket client."
