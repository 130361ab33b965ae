"""Free and taken ports of this machine."""

from __future__ import annotations

import socket

from services.servers.engines.launch import HOST


def free_port() -> int:
    """Return a port that is currently free."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    """Return whether another server listens on `port`."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            sock.bind((HOST, port))
        except OSError:
            return True
        return False
