"""The limits that systemd sets for `ims.service`, without systemd: `python -m tests.deploy.sandbox FILTER COMMAND…`.

FILTER is a file with the names of system calls that are allowed, a line each; any other fails with EPERM. As with
MemoryDenyWriteExecute, no memory may be written and executed.
"""

import ctypes
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
PR_SET_MDWE, NO_NEW_WRITABLE_CODE = 65, 1
LIBRARY = "/usr/lib/*/libseccomp.so.2"


def allowed(filters: Iterable[str]) -> set[str]:
    """The system calls that the lines `SystemCallFilter=` let through: groups and names, taken away after a `~`."""
    found: set[str] = set()
    for line in filters:
        calls = {call for word in line.removeprefix("~").split() for call in _calls(word)}
        found = found - calls if line.startswith("~") else found | calls
    return found


def _calls(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    done = subprocess.run(["systemd-analyze", "syscall-filter", word], check=True, capture_output=True, text=True)
    members = re.findall(r"^ +([@\w-]+)$", done.stdout, re.MULTILINE)
    return {call for member in members for call in _calls(member)}


def confine(calls: Iterable[str]) -> None:
    """This process, and those that it becomes and starts."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(REFUSE)))
    for name in calls:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others are of other processors
            library.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0)
    if library.seccomp_load(context):
        raise OSError("the filter cannot be loaded")


def deny_written_code() -> bool:
    """Whether this kernel can: from Linux 6.3 on."""
    return bool(ctypes.CDLL(None).prctl(PR_SET_MDWE, NO_NEW_WRITABLE_CODE, 0, 0, 0) == 0)


if __name__ == "__main__":
    deny_written_code()
    confine(Path(sys.argv[1]).read_text().split())
    os.execv(sys.argv[2], sys.argv[2:])
