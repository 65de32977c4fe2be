"""Errors of serving: several services that can't be served together, and a server that is about to end."""

from __future__ import annotations

from tts_core.domain.errors.base import InvalidRequest, StudioError


class UnknownService(InvalidRequest):
    code = "unknown_service"
    template = "There is no service {name!r}. Choose among: {known}."


class ServicePortTaken(StudioError):
    """`finder` is the command that names the program that has the port."""

    code = "service_port_taken"
    template = (
        "Port {port}, which {service} wants, is taken by {holder}. End that, or choose another port: {flag} N. "
        "This shows who has it: {finder}"
    )


class ServerStopping(StudioError):
    code = "server_stopping"
    template = "The studio is being stopped, so this was not finished. Send it again once the studio has started."


class NothingServed(StudioError):
    code = "nothing_supervised"
    template = "Nothing answers at {url}: start the services with serve-all, or say their ports."
