"""How many connections this process may have: each takes a file handle, and others need some too."""

import resource
from contextlib import suppress
from typing import Final

RESERVED: Final = 128
"""File handles that are kept for the database, Redis, files and listeners, beside those of the database's pool."""
LEAST_CONNECTIONS: Final = 16
"""However few file handles there are."""


def raise_limit() -> int:
    """Let this process have as many file handles as it may give itself, and say how many that are.

    A shell or a service manager often leaves the soft limit at 1,024, whatever the hard one is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems have a limit below the one that they tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft


def connections(wanted: int, pool: int) -> int:
    """As many as are wanted, so far as there are file handles for them. `pool`: connections to the database."""
    handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if handles == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(LEAST_CONNECTIONS, handles - RESERVED - pool))
