"""The browser's door: `streamlit run app.py`, or `uvicorn app:app`.

Serves the pages and, on the same port, the API and what is shared. Streamlit's main script is
pages/_frame.py: a main script beside a folder called pages/ would start in an older way of finding
pages, which after a restart shows a deep link without its frame.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import hashlib
import logging
import os
import re
import sys
import zlib
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.websockets import WebSocketClose

import jobs
from api import api
from db import shares
from db.database import UNUSABLE, DatabaseProblem, opened, said_of
from services.base import hosts as host_names
from services.base import settings
from services.base.hosts import LOOPBACK
from services.report.export import notice_html, policy_of

HERE = Path(__file__).resolve().parent
KEEPER_S = 2.0
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HEALTH = "/_stcore/health"  # who asks this by another name learns only that something lives
GONE = "It was revoked, or its time is over. Whoever sent you the link can make a new one."
POLICY_WITHIN = 4096  # bytes of a page, in which its own policy stands

log = logging.getLogger("paceline.app")
try:
    settings.load(HERE / ".env")
    HOSTS = host_names.allowed(os.environ)
except (settings.InvalidSettings, host_names.InvalidHosts) as problem:
    sys.exit(str(problem))

Scope = MutableMapping[str, Any]


def index() -> str:
    """Return Streamlit's page, told where its server is: beside the page, for none of ours is
    deeper. By itself it asks below each deep link first, and in vain."""
    installed = (Path(st.__file__).parent / "static" / "index.html").read_text()
    told = "window.__streamlit = {BACKEND_BASE_URL: new URL('./', location.href).href}"
    return installed.replace("<script>", f"<script>{told}</script>\n    <script>", 1)


INDEX = index()
DEEPER = ("history", "compare", "study", "engines", "backends", "live", "result")  # pages below /


def page(_: Request) -> Response:
    """Answer with the page that all pages are drawn in."""
    return Response(INDEX, media_type="text/html", headers={"Cache-Control": "no-cache"})


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
    if host_names.name_of(host or "") not in hosts and scope["path"] != HEALTH:
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
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(found) if found else None


def warm_up() -> None:
    """Import what the first visitor would wait for; freeze it, so that collections stay cheap."""
    import_module("pandas")  # all else that is slow, api has imported
    opened()
    gc.collect()
    gc.freeze()


async def keep_queue() -> None:
    """See that queued runs are worked off, whatever became of the process that did it."""
    while True:
        try:
            await asyncio.to_thread(jobs.ensure, opened())
        except UNUSABLE as error:  # a database that is away for a while comes back
            log.warning("The queue cannot be read. %s", said_of(error))
        except jobs.QueueProblem as error:  # so may a folder that cannot be written
            log.warning("%s", error)
        await asyncio.sleep(KEEPER_S)


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
    try:
        await asyncio.to_thread(warm_up)
    except DatabaseProblem as problem:
        print(problem, file=sys.stderr, flush=True)
        os._exit(2)  # an error would be shown as fifty lines with this sentence as the last
    keeper = asyncio.create_task(keep_queue())
    yield {}
    keeper.cancel()


def shared(request: Request) -> Response:
    """Answer with a shared page as it was made. That there never was one, that it was revoked and
    that its time is over look the same."""
    try:
        page = shares.load(opened(), request.path_params["token"])
    except UNUSABLE as error:
        log.warning("A shared page cannot be read. %s", said_of(error))
        return _notice(503, "This page cannot be shown just now.", "Try again in a minute.")
    if page is None:
        return _notice(404, "There is no page behind this link.", GONE)
    packed = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    policy = policy_of(zlib.decompressobj(wbits=31).decompress(page, POLICY_WITHIN))
    if "gzip" not in request.headers.get("accept-encoding", ""):
        page, packed = gzip.decompress(page), {"Vary": "Accept-Encoding"}
    return Response(page, media_type="text/html", headers=packed | _of_shared(policy))


def _notice(status: int, title: str, sentence: str) -> Response:
    page = notice_html(title, sentence)
    return Response(page, status, media_type="text/html", headers=_of_shared(policy_of(page)))


def _of_shared(policy: str) -> dict[str, str]:
    """A page holds what people wrote: nothing in it may act on this Paceline, nor tell of it."""
    return {
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'; sandbox allow-scripts",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }


def port(written: str) -> int:
    """Return the port to listen on; end with a sentence where that is none."""
    if not written.isdecimal() or not 0 < int(written) < 65_536:
        sys.exit(f"PORT is {written!r}, but a port is a number from 1 to 65535.")
    return int(written)


app = st.App(
    HERE / "pages" / "_frame.py",
    lifespan=lifespan,
    middleware=[Middleware(Security, hosts=HOSTS)],
    routes=[
        Mount("/api", app=api),
        Route("/api", endpoint=api),
        Route("/share/{token}", endpoint=shared),
        *(Route(f"/{name}", endpoint=page) for name in ("", *DEEPER)),
    ],
)

if __name__ == "__main__":
    app.run(config={"server.port": port(os.environ.get("PORT") or "8501")})
