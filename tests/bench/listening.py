"""How a server of the bench opens its port, and says which: the line that the service itself prints."""

import socket

BACKLOG = 1024


def announced_socket() -> socket.socket:
    """A listening socket on a free port; clients that come before the server accepts wait in the backlog."""
    opened = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    print(f"listening on http://127.0.0.1:{opened.getsockname()[1]}", flush=True)
    return opened
