"""Tunnel through an HTTP proxy to a server that uses TLS."""

from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from urllib.parse import SplitResult, unquote

HEAD_BYTES = 16 * 1024


def connect_request(proxy: SplitResult, netloc: str) -> bytes:
    """Return the CONNECT request for a tunnel to `netloc` (RFC 9110, 9.3.6)."""
    return f"CONNECT {netloc} HTTP/1.1\r\nHost: {netloc}\r\n{credentials(proxy)}\r\n".encode()


def credentials(proxy: SplitResult) -> str:
    """Return the header line with the user and password in a proxy's URL; "" without any."""
    if not proxy.username:
        return ""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {b64encode(pair.encode()).decode()}\r\n"


async def open_tunnel(sock: socket.socket, request: bytes) -> None:
    """Ask the proxy at the other end of `sock` for a tunnel.

    Raises:
        ConnectionError: the proxy refuses, or ends the connection.
    """
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, request)
    head = b""
    while b"\r\n\r\n" not in head:
        data = await loop.sock_recv(sock, HEAD_BYTES)
        head += data
        if not data or len(head) > HEAD_BYTES:
            raise ConnectionError("the proxy ended the connection")
    status = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")[2]
    if not status.startswith("2"):
        raise ConnectionError(f"the proxy refuses it ({status[:60]})")
