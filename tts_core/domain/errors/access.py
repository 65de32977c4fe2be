"""Errors of access: requests refused because of their origin, their visitor or their number; unusable accounts."""

from __future__ import annotations

from tts_core.domain.errors.base import Busy, Conflict, InvalidRequest, NotFound, Refused, StudioError


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


class LoginRequired(Refused):
    code = "login_required"
    template = "Log in first, or send a key: `Authorization: Bearer KEY`."


class WrongPassword(LoginRequired):
    code = "wrong_password"
    template = "This name and this password don't belong together."


class WrongKey(LoginRequired):
    code = "wrong_key"
    template = "This key is not known here. Ask whoever runs the studio for one."


class NotForGuests(Refused):
    code = "not_for_guests"
    template = "Guests may not do this. Ask whoever runs the studio."


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
