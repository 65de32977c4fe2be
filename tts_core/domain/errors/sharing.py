"""The reasons why there is no public link. The studio itself goes on."""

from __future__ import annotations

from tts_core.domain.errors.base import StudioError


class ShareFailed(StudioError):
    code = "share_failed"
    template = "There is no public link: {reason}"


class HelperMissing(ShareFailed):
    """`file` is where the helper belongs, `address` where it comes from, `sha256` the right file's hash or ""."""

    code = "share_helper_missing"
    template = (
        "There is no public link: the helper program is not here and can't be fetched from {address} ({reason}). "
        "Fetch it where that works, or from any mirror, and put it at {file}; its sha256 is {sha256}. "
        "Or name another one with --share-helper FILE."
    )


class HelperDamaged(ShareFailed):
    code = "share_helper_damaged"
    template = (
        "There is no public link: {file} is not the helper program (its sha256 is not {sha256}), so it was not run. "
        "Remove it, or name another one with --share-helper FILE."
    )


class HelperUnsupported(ShareFailed):
    code = "share_helper_unsupported"
    template = (
        "There is no public link: the helper program does not exist for {platform}. "
        "Name your own with --share-helper FILE."
    )


class HelperUnusable(ShareFailed):
    code = "share_helper_unusable"
    template = "There is no public link: {file} can't be run ({reason}). Name another one with --share-helper FILE."


class ShareServerSilent(ShareFailed):
    """The directory that names the share server does not answer."""

    code = "share_server_silent"
    template = (
        "There is no public link: {address} does not say which share server to use ({reason}). "
        "Check the internet connection and proxy, or use a share server of your own: --share-server HOST:PORT."
    )


class TunnelFailed(ShareFailed):
    """`said` is the helper's last line."""

    code = "share_tunnel_failed"
    template = (
        "There is no public link: the helper could not connect to the share server {server} ({said}). "
        "A firewall may block it. Use a share server of your own: --share-server HOST:PORT."
    )


class TunnelSilent(TunnelFailed):
    code = "share_tunnel_silent"
    template = (
        "There is no public link: the share server {server} gave none within {seconds} seconds ({said}). "
        "A firewall may block it. Use a share server of your own: --share-server HOST:PORT."
    )


class TunnelEnded(TunnelFailed):
    code = "share_tunnel_ended"
    template = (
        "The public link has ended: the helper stopped ({said}). Start the studio again with --share for a new link."
    )
