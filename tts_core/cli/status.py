"""The exit statuses of the command line."""

from enum import IntEnum


class Exit(IntEnum):
    DONE = 0
    NO = 1
    """The command is done, and its answer is no: a model is not valid, a check failed."""
    ERROR = 2
    """The request can't be carried out; stderr says why, with a code."""
    BUG = 70
    """A fault of the studio itself; the log has the details."""
    STOPPED = 130
    """The command ended by Ctrl-C, or nobody reads its output any more; what was made until then is kept."""
