"""What the garbage collector looks at, and how often."""

import gc

YOUNG_OBJECTS = 50_000
"""New objects after which it looks at them; a request makes some hundred, an event of the log some dozen."""


def settle() -> None:
    """What was made until now stays for good: it need not be looked at again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
