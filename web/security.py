"""Security of every answer: its headers, the hosts that are ours, other sites' requests."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.websockets import WebSocketClose

from services.base import hosts as host_names
from services.base.hosts import LOOPBACK
from web.index import INDEX

Scope = MutableMapping[str, Any]
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HEALTH = "/_stcore/health"  # who asks this by another name learns only that something lives


class Security:
    """Headers on every answer that has none of its own, and nothing done on behalf of another
    site's page.

    Such a page can send requests here, which its browser marks with its origin; and it can read
    the answers too where it makes its own host name point to this machine (DNS rebinding), but then
    the request names that host. `hosts` are the names that are ours.
    """

    def __init__(self, inner: Any, hosts: frozenset[str] = LOOPBACK) -> None:
        self._inner, self._hosts = inner, hosts
        self._headers = [
            (b"content-security-policy", content_policy().encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
        ]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return

        async def with_headers(message: Scope) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                more = [header for header in self._headers if header[0] not in own]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        inner = self._inner
        if wrong := foreign(scope, self._hosts):
            web = scope["type"] == "http"
            inner = JSONResponse({"error": wrong, "problems": {}}, 403) if web else WebSocketClose()
        await inner(scope, receive, with_headers)


def foreign(scope: Scope, hosts: frozenset[str]) -> str | None:
    """Return why a request may come from another site's page, in a sentence; None: it does not.

    Streamlit lets a websocket in whose origin is the host it names, whatever that is, and asks a
    server elsewhere for this machine's address where it is not: both are forestalled here.
    """
    host, origin = _header(scope, b"host"), _header(scope, b"origin")
    if host_names.host_name(host or "") not in hosts and scope["path"] != HEALTH:
        return (
            f"Paceline does not know the host {(host or '')[:80]!r} as its own. To allow it, put "
            f"its name into {host_names.VARIABLE} in .env and start again."
        )
    changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
    if changes and origin is not None and origin.partition("://")[2] != host:
        return "This request comes from another site's page. Send it from Paceline's own."
    return None


def _header(scope: Scope, name: bytes) -> str | None:
    """Return what a header says; one that is sent twice says both, which is no host's name."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(values) if values else None


def content_policy() -> str:
    """Return a policy under which nothing is loaded from elsewhere. The inline scripts of the page
    are allowed by their hashes."""
    inline = re.findall(r"<script>(.*?)</script>", INDEX, re.DOTALL)
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in inline)
    return (
        f"default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
