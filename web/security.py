"""Security headers on every response, and refusal of requests from other sites' pages."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.websockets import WebSocketClose

from services.base import hosts as host_names
from services.base import listening
from services.base.hosts import LOOPBACK
from web.index import INDEX

Scope = MutableMapping[str, Any]
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HEALTH = "/_stcore/health"  # a request with another host name only learns that a server is running


class Security:
    """Middleware that adds security headers to responses and refuses other sites' requests.

    Another site's page can send requests here, but the browser adds its origin to them. It can also
    read the responses if its host name resolves to this machine (DNS rebinding), but then the
    request names that host. `hosts` are this server's own names. Requests that arrive at an address
    where it should not listen are refused, too, because `uvicorn --host` cannot be prevented from
    listening. `anyone`: accept every address.
    """

    def __init__(self, inner: Any, hosts: frozenset[str] = LOOPBACK, anyone: bool = False) -> None:
        self._inner, self._hosts, self._anyone = inner, hosts, anyone
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
                present = {name.lower() for name, _ in message["headers"]}
                missing = [header for header in self._headers if header[0] not in present]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        inner = self._inner
        if problem := self._problem(scope):
            if scope["type"] == "http":
                inner = JSONResponse({"error": problem, "problems": {}}, 403)
            else:
                inner = WebSocketClose()
        await inner(scope, receive, with_headers)

    def _problem(self, scope: Scope) -> str | None:
        unlistened = None if self._anyone else address_problem(scope)
        return unlistened or cross_site_problem(scope, self._hosts)


def address_problem(scope: Scope) -> str | None:
    """Return why a request may not arrive at this address, as a sentence; None if it may. An
    address that the server does not report counts as not this machine's own."""
    if scope["path"] == HEALTH:
        return None
    address, *_ = scope.get("server") or ("an unknown address",)
    return listening.refusal(address, {})


def cross_site_problem(scope: Scope, hosts: frozenset[str]) -> str | None:
    """Return why a request may come from another site's page, as a sentence; None if it does not.

    Without this check, Streamlit would accept a websocket whose origin equals its host, whatever
    that is, and otherwise ask an external server for this machine's address.
    """
    host, origin = _header(scope, b"host"), _header(scope, b"origin")
    if host_names.host_name(host or "") not in hosts and scope["path"] != HEALTH:
        return (
            f"Paceline does not recognize the host {(host or '')[:80]!r} as its own. To allow it, "
            f"add its name to {host_names.VARIABLE} in .env and restart Paceline."
        )
    changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
    if changes and origin is not None and origin.partition("://")[2] != host:
        return "This request comes from another site's page. Send it from a page of Paceline."
    return None


def _header(scope: Scope, name: bytes) -> str | None:
    """Return a header's value. A header that was sent twice has both values, which no host name
    equals."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(values) if values else None


def content_policy() -> str:
    """Return a Content-Security-Policy that loads nothing from elsewhere. The page's inline scripts
    are allowed by their hashes."""
    scripts = re.findall(r"<script>(.*?)</script>", INDEX, re.DOTALL)
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    policy = {**DIRECTIVES, "script-src": f"'self' {hashes}"}
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


DIRECTIVES = {
    "default-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
