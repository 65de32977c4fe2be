"""Errors of access: log-in, accounts, quotas, and the public link."""

from __future__ import annotations

from tts_core.domain.errors import Busy, Conflict, InvalidRequest, NotFound, Refused, StudioError


class LoginRequired(Refused):
    code = "login_required"
    template = "Log in first, or send a key: `Authorization: Bearer KEY`."


class WrongPassword(LoginRequired):
    code = "wrong_password"
    template = "Wrong name or password."


class WrongKey(LoginRequired):
    code = "wrong_key"
    template = "This key is not known here. Ask whoever runs the studio for one."


class TooManyAttempts(Busy):
    """`retry_after_s` is in whole seconds."""

    code = "too_many_attempts"
    template = "Too many wrong passwords or keys came from there. Try again in {retry_after_s} seconds."


class TooManyRequests(Busy):
    """`retry_after_s` is in whole seconds."""

    code = "too_many_requests"
    template = "{limit} requests a minute are answered. Try again in {retry_after_s} seconds."


class TooManyAtOnce(Busy):
    code = "too_many_at_once"
    template = "{limit} of your requests are at work or waiting already. Try again when one has ended."


class GuestsWaiting(Busy):
    code = "guests_waiting"
    template = "{limit} requests of guests are at work or waiting already. Try again in a moment."


class SpaceUsedUp(Busy):
    """`retry_after_s` is in whole seconds."""

    code = "space_used_up"
    template = (
        "What you have sent and made within a day takes {limit_mb} MB, as much as is kept for one visitor. It is "
        "removed a day after it came. Try again in {hours} hours."
    )


class GuestsSpaceUsedUp(Busy):
    """`retry_after_s` is in whole seconds."""

    code = "guests_space_used_up"
    template = (
        "The {limit_mb} MB that are kept for all guests together are used up. Files are removed a day after they came. "
        "Try again in some hours, or ask whoever runs the studio."
    )


class AccountsMissing(StudioError):
    """`command` is the command line that makes the first account."""

    code = "accounts_missing"
    template = (
        "Whoever reaches {host} could use this studio, and nobody has an account yet. Make one, then start again:\n"
        "    {command}\n"
        "Or, in a network where everybody may do everything: start it with --no-auth."
    )


class AccountsUnusable(StudioError):
    code = "accounts_unusable"
    template = (
        "The accounts in {file} can't be used: {reason}. Put a copy of the file in its place that is whole, or move it "
        "away and add the users again; the studio leaves it as it is."
    )


class AccountsUnwritable(StudioError):
    code = "accounts_unwritable"
    template = "The accounts can't be saved in {file}: {reason}. Check the folder's permissions and free space."


class UnknownUser(NotFound):
    code = "unknown_user"
    template = "There is no user {name!r}. `users list` names all."


class UnknownKey(NotFound):
    code = "unknown_key"
    template = "There is no key {key!r}. `keys list` names all."


class UserExists(Conflict):
    code = "user_exists"
    template = "There is a user {name!r} already. `users password` changes the password."


class InvalidAccount(InvalidRequest):
    code = "invalid_account"
    template = "{what} can't be used: expected {expected}."


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
    """`last_line` is the last one of the helper's output."""

    code = "share_tunnel_failed"
    template = (
        "There is no public link: the helper could not connect to the share server {server} ({last_line}). "
        "A firewall may block it. Use a share server of your own: --share-server HOST:PORT."
    )


class TunnelSilent(TunnelFailed):
    code = "share_tunnel_silent"
    template = (
        "There is no public link: the share server {server} gave none within {seconds} seconds ({last_line}). "
        "A firewall may block it. Use a share server of your own: --share-server HOST:PORT."
    )


class TunnelEnded(TunnelFailed):
    code = "share_tunnel_ended"
    template = (
        "The public link has ended: the helper stopped ({last_line}). Start the studio again with --share for "
        "a new link."
    )
