"""The browser's door: `streamlit run app.py`, or `uvicorn app:app`.

Serves the pages and, on the same port, the API. Streamlit's main script is pages/_frame.py: a main
script beside a folder called pages/ would start in an older way of finding pages, which after a
restart shows a deep link without its frame.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import re
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from dotenv import load_dotenv
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

import jobs
from api import api
from db.database import opened

HERE = Path(__file__).resolve().parent
KEEPER_S = 2.0
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

load_dotenv(HERE / ".env")

Scope = MutableMapping[str, Any]


def content_policy() -> str:
    """Return a policy under which nothing is loaded from elsewhere. Streamlit's one inline script
    is allowed by its hash, read from the installed page."""
    index = Path(st.__file__).parent / "static" / "index.html"
    inline = re.findall(r"<script>(.*?)</script>", index.read_text(), re.DOTALL)
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in inline)
    return (
        f"default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'"
    )


def _sha256(text: str) -> str:
    import base64

    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Security:
    """Headers on every answer; and nothing is changed on behalf of another site's page."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._headers = [
            (b"content-security-policy", content_policy().encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
        ]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return

        async def with_headers(message: Scope) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        inner = self._inner if _own(scope) else PlainTextResponse("Another site's page.", 403)
        await inner(scope, receive, with_headers)


def _own(scope: Scope) -> bool:
    """Whether a request that changes something comes from our own pages, or from no page."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    host = headers.get(b"host", b"").decode("latin-1")
    return scope["method"] in SAFE_METHODS or not origin or urlsplit(origin).netloc == host


def warm_up() -> None:
    """Import what the first visitor would wait for; freeze it, so that collections stay cheap."""
    import altair  # noqa: F401
    import pandas  # noqa: F401

    import services.charts  # noqa: F401

    opened()
    gc.collect()
    gc.freeze()


async def keep_queue() -> None:
    """See that queued runs are worked off, whatever became of the process that did it."""
    while True:
        await asyncio.to_thread(jobs.ensure, opened())
        await asyncio.sleep(KEEPER_S)


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
    await asyncio.to_thread(warm_up)
    keeper = asyncio.create_task(keep_queue())
    yield {}
    keeper.cancel()


app = st.App(
    HERE / "pages" / "_frame.py",
    lifespan=lifespan,
    middleware=[Middleware(Security)],
    routes=[Mount("/api", app=api)],
)

if __name__ == "__main__":
    app.run(config={"server.port": int(os.environ.get("PORT", "8501"))})
