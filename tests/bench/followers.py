"""How long the log of a running service is, and how far its followers are behind it, as `/status` has it."""

import json
import time
from typing import Any
from urllib.request import Request, urlopen

POLL_SECONDS = 0.05
GIVE_UP_SECONDS = 600


def head(url: str) -> int:
    """Position of its last event."""
    return int(_status(url)["log"]["head"])


def lag(url: str) -> int:
    """Events that the slowest is behind; a rebuild, which goes on only when it is asked to, is left out."""
    followers = _status(url)["followers"]
    return max(int(one["lag_events"]) for one in followers if "rebuild" not in one["name"])


def seconds_until_caught_up(url: str, lag_events: int = 0) -> float:
    """From now until none is further behind than that. Raises TimeoutError."""
    began = time.monotonic()
    while lag(url) > lag_events:
        if time.monotonic() - began > GIVE_UP_SECONDS:
            raise TimeoutError("the followers did not keep up")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def _status(url: str) -> Any:
    return json.load(urlopen(Request(f"{url}/status")))
