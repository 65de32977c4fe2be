"""What the command line's exit status means."""

from enum import IntEnum


class Exit(IntEnum):
    DONE = 0
    NO = 1
    """Done, and the answer is no: a model is not valid, a check failed."""
    ERROR = 2
    """The request can't be carried out; stderr says why, with a code."""
    BUG = 70
    """A fault of the studio's; the log has the details."""
    STOPPED = 130
    """By Ctrl-C, or nobody reads on; what was made until then is kept."""
