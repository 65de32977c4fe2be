"""Errors of the command line: files to write, services served together, measurements."""

from __future__ import annotations

from tts_core.domain.errors import InvalidRequest, StudioError


class OutputExists(InvalidRequest):
    code = "out_exists"
    template = "{path} exists and is not replaced. Choose another name or add --force."


class OutputUnwritable(InvalidRequest):
    code = "out_unwritable"
    template = "{path} can't be written: {reason}"


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


class NothingServed(StudioError):
    code = "nothing_supervised"
    template = "Nothing answers at {url}: start the services with serve-all, or say their ports."


class StartFailed(StudioError):
    code = "start_failed"
    template = "The app did not serve its page: {reason}"


class MeasurementFailed(StudioError):
    code = "measurement_failed"
    template = "{subject} can't be measured: {reason}"


class PeerMissing(MeasurementFailed):
    code = "peer_missing"
    template = (
        "{subject} can't be loaded by {python}: {reason}. Install it in an environment of its own and name that "
        "environment's Python with --peer-python."
    )


class PeerNeedsCuda(MeasurementFailed):
    code = "peer_needs_cuda"
    template = "{subject} computes on NVIDIA cards only, and its Python can't use one here for {device}."
