"""A Python that has loaded the service once, and forks it for each start: what a start then does is the service's own.

`python -m tests.servers.forking <socket>`. A client connects for each process, sends its arguments, environment and
folder with two files for stdout and stderr, and is told the process id and, later, what the process ended with.
"""

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from pathlib import Path

import service.serving  # noqa: F401 - loaded once, for all
from tests.servers.children import tie_to_parent
from tests.servers.forked import MESSAGE_BYTES


def main(path: str) -> None:
    """Returns in a forked process, which is to become the service."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{path}.new")
    listener.listen(64)
    Path(f"{path}.new").rename(path)  # whoever sees it can connect
    wakened, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    clients: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ)
        ready.register(wakened, selectors.EVENT_READ)
        gc.freeze()
        while True:
            asked = {key.fileobj for key, _ in ready.select()}
            if wakened in asked:
                wakened.recv(1024)
                _reap(clients)
            if listener in asked:
                client, _ = listener.accept()
                message, files, _, _ = socket.recv_fds(client, MESSAGE_BYTES, 2)
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    for one in (listener, wakened, waking, client, *clients.values()):
                        one.close()
                    _become(json.loads(message), files)
                    return
                for file in files:
                    os.close(file)
                client.send(str(pid).encode())
                clients[pid] = client


def _reap(clients: dict[int, socket.socket]) -> None:
    while clients:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with clients.pop(pid) as client:
            client.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(asked: dict[str, object], files: list[int]) -> None:
    """Of what was forked, a process as `spawn` would have started it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    tie_to_parent(signal.SIGKILL)
    for file, place in zip(files, (1, 2), strict=True):
        os.dup2(file, place)
        os.close(file)
    environment = asked["environment"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(asked["folder"]))
    arguments = asked["arguments"]
    assert isinstance(arguments, list)
    sys.argv[1:] = arguments
    gc.unfreeze()


if __name__ == "__main__":
    main(sys.argv[1])
    runpy.run_module("service", run_name="__main__", alter_sys=True)
