"""Where requests go: the server's URL, parsed and resolved in advance."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import orjson

from services.wire.stream import Address
from services.wire.tunnel import connect_request, credentials


@dataclass(frozen=True, slots=True)
class Fitting:
    """What a server needs besides its key: extra headers, the parts of them that no error may quote
    (`hidden`), and a maker of the TLS context."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context


class Route:
    """The server at `url` (path and query included), with its `key`, through `proxy` if any."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        proxy: str | None = None,
        fitting: Fitting | None = None,
    ) -> None:
        fitting = fitting or Fitting()
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._context = fitting.tls
        self._proxy = urlsplit(proxy) if proxy else None
        self.peer = parts.netloc  # the host that is connected to, for error messages
        self.secrets: tuple[str, ...] = ()
        if self._proxy is not None:
            self.peer = f"the proxy {self._proxy.hostname}:{self._proxy.port or 80}"
            self.secrets = tuple(filter(None, [unquote(self._proxy.password or "")]))
        self.secrets += fitting.hidden
        plain_proxy = self._proxy is not None and not self._tls
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        target = url if plain_proxy else path  # a proxy needs the whole URL (RFC 9112, 3.2.2)
        headers = dict(fitting.headers)
        if "user-agent" not in map(str.lower, headers):
            headers["User-Agent"] = "paceline"
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            + (f"Authorization: Bearer {key}\r\n" if key else "")
            + (credentials(self._proxy) if self._proxy and plain_proxy else "")
            + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            + "Accept: text/event-stream\r\nAccept-Encoding: identity\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode("latin-1")

    def request(self, body: dict[str, object] | orjson.Fragment) -> bytes:
        """Build the bytes of one request."""
        content = orjson.dumps(body)
        return b"%b%d\r\n\r\n%b" % (self._head, len(content), content)

    async def look_up(self) -> list[Address]:
        """Resolve the host to connect to, once for all requests: IPv4 first.

        Raises:
            OSError: the host cannot be found (`socket.gaierror`).
        """
        host, port, tunnel = self._host, self._port, b""
        if self._proxy is not None:
            host, port = self._proxy.hostname or "", self._proxy.port or 80
            tunnel = connect_request(self._proxy, f"{_bracketed(self._host)}:{self._port}")
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        context = self._context() if self._tls else None
        return [
            Address(family, sockaddr, self._host, context, tunnel if self._tls else b"")
            for family, _, _, _, sockaddr in sorted(
                addresses, key=lambda it: it[0] != socket.AF_INET
            )
        ]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
