"""A port of this machine: free, or taken."""

from __future__ import annotations

import socket

from services.servers.engines.launch import HOST


def free() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def taken(port: int) -> bool:
    """Return whether a server could not listen on `port`: another one does."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            sock.bind((HOST, port))
        except OSError:
            return True
        return False
