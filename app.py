"""The browser app: `streamlit run app.py`, or `uvicorn app:app`.

Serves the pages and, on the same port, the API and what is shared. Streamlit's main script is
pages/_frame.py: a main script beside a folder called pages/ would start in an older way of finding
pages, which after a restart shows a deep link without its frame.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

import jobs
from api import api
from db.database import UNUSABLE, DatabaseProblem, opened, said_of
from services.base import hosts as host_names
from services.base import settings
from web.index import DEEPER, page
from web.security import Security
from web.share import shared_page

HERE = Path(__file__).resolve().parent
KEEPER_S = 2.0

log = logging.getLogger("paceline.app")
try:
    settings.load(HERE / ".env")
    HOSTS = host_names.allowed(os.environ)
except (settings.InvalidSettings, host_names.InvalidHosts) as problem:
    sys.exit(str(problem))


def warm_up() -> None:
    """Import what the first visitor would wait for; freeze it, so that collections stay cheap."""
    for name in ("pandas", "services.report.charts"):  # all else that is slow, api has imported
        import_module(name)
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
        Route("/share/{token}", endpoint=shared_page),
        *(Route(f"/{name}", endpoint=page) for name in ("", *DEEPER)),
    ],
)

if __name__ == "__main__":
    app.run(config={"server.port": port(os.environ.get("PORT") or "8501")})
