"""How far the followers of a running service are behind its log, as `/status` has it."""

import json
import time
from urllib.request import Request, urlopen

POLL_SECONDS = 0.05
GIVE_UP_SECONDS = 600


def lag(url: str) -> int:
    """Events that the slowest is behind; a rebuild, which goes on only when it is asked to, is left out."""
    status = json.load(urlopen(Request(f"{url}/status")))
    return max(int(one["lag_events"]) for one in status["followers"] if "rebuild" not in one["name"])


def seconds_until_caught_up(url: str, lag_events: int = 0) -> float:
    """From now until none is further behind than that. Raises TimeoutError."""
    began = time.monotonic()
    while lag(url) > lag_events:
        if time.monotonic() - began > GIVE_UP_SECONDS:
            raise TimeoutError("the followers did not keep up")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began
