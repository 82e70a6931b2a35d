"""How this process is called where it holds a lease, and whether another one of this machine that held it is gone.

A number of a process means nothing by itself: it is given again, and each container counts its own. So the name says in
which boot and which namespace it counts, and when the process began: `machine/boot.namespace.start:pid`. What another
machine holds, or another container, cannot be told from here; who does not renew it loses it in seconds.
"""

import os
import re
import socket
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_NAME: Final = re.compile(r"(?P<machine>.*)/(?P<place>[0-9a-f]+\.\d+)\.(?P<start>\d+):(?P<pid>\d+)")
_ENDED: Final = ("Z", "X")
"""The states of a process of which nothing runs any more."""


def own_name() -> str:
    """Ends with `:pid`. Where there is no /proc it is `machine:pid`, and nobody tells whether that is gone."""
    machine, pid = socket.gethostname(), os.getpid()
    try:
        return f"{machine}/{_place()}.{_state(pid)[1]}:{pid}"
    except OSError:
        return f"{machine}:{pid}"


def shown(name: str) -> str:
    """As people know the process: `machine:pid`."""
    found = _NAME.fullmatch(name)
    return f"{found['machine']}:{found['pid']}" if found else name


def is_gone(name: str) -> bool:
    """Whether that process has ended. False where it cannot be known from here."""
    found = _NAME.fullmatch(name)
    try:
        if found is None or found["place"] != _place():
            return False
        pid = int(found["pid"])
        os.kill(pid, 0)  # one of another user is there too, though what it is may be hidden
        state, start = _state(pid)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return state in _ENDED or start != int(found["start"])


def _place() -> str:
    """Where numbers of processes mean the same: this boot of the kernel, this namespace."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    return f"{boot}.{(_PROC / 'self/ns/pid').stat().st_ino}"


def _state(pid: int) -> tuple[str, int]:
    """What it does, as a letter, and when it began, in ticks since the boot (proc(5)). Raises OSError."""
    values = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()  # the name before it may hold anything
    return values[0], int(values[19])
