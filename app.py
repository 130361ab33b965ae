"""The browser app: `streamlit run app.py`, or `uvicorn app:app`.

Serves the pages and, on the same port, the API and shared pages. Streamlit's main script is
pages/_frame.py: a main script next to a folder called pages/ would use Streamlit's older page
discovery, which shows a deep link without its navigation after a restart.
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

from services.base import hosts as host_names
from services.base import listening, roles, settings

HERE = Path(__file__).resolve().parent
KEEPER_S = 2.0


def checked_port(written: str) -> int:
    """Return the port to listen on; end with a sentence where that is none."""
    if not written.isdecimal() or not 0 < int(written) < 65_536:
        sys.exit(f"PORT is {written!r}, but a port is a number from 1 to 65535.")
    return int(written)


try:  # before the imports that take seconds
    settings.load(HERE / ".env")
    HOSTS = host_names.allowed(os.environ)
    SIGN_IN = roles.sign_in(os.environ)
except (settings.InvalidSettings, host_names.InvalidHosts, roles.InvalidSignIn) as problem:
    sys.exit(str(problem))
if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit("app.py takes no arguments: PORT=9000 python app.py listens on another port.")
    PORT = checked_port(os.environ.get("PORT") or "8501")

import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.routing import Mount, Route  # noqa: E402

import jobs  # noqa: E402
from api import api, inference  # noqa: E402
from api.metrics import metrics  # noqa: E402
from db.database import UNUSABLE, DatabaseProblem, message_of, opened  # noqa: E402
from web import logs, oidc  # noqa: E402
from web.gate import Gate  # noqa: E402
from web.index import DEEPER, page  # noqa: E402
from web.security import Security  # noqa: E402
from web.share import shared_page  # noqa: E402

log = logging.getLogger("paceline.app")
logs.setup()


def warm_up() -> None:
    """Import what the first visitor would wait for; freeze it, so that collections stay cheap."""
    for name in ("pandas", "services.report.charts"):  # all else that is slow, api has imported
        import_module(name)
    opened()
    gc.collect()
    gc.freeze()


async def keep_queue() -> None:
    """See that queued runs are processed, whatever became of the process that did it."""
    while True:
        try:
            await asyncio.to_thread(jobs.ensure, opened())
        except UNUSABLE as error:  # a database that is away for a while comes back
            log.warning("The queue cannot be read. %s", message_of(error))
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
    logs.announce()
    watch = asyncio.create_task(keep_queue())
    yield {}
    watch.cancel()


ANYONE = SIGN_IN or listening.anyone(os.environ)
GATE = [Middleware(Gate, env=os.environ, email_of=oidc.email_of, login=oidc.login)]

app = st.App(
    HERE / "pages" / "_frame.py",
    lifespan=lifespan,
    middleware=[Middleware(Security, hosts=HOSTS, anyone=ANYONE), *(GATE if SIGN_IN else ())],
    routes=[
        Mount("/api", app=api),
        Route("/api", endpoint=api),
        *(Route(path, endpoint=api) for path in inference.PATHS),  # without /api, too
        Route("/metrics", endpoint=metrics),
        Route("/share/{token}", endpoint=shared_page),
        *(Route(f"/{name}", endpoint=page) for name in ("", *DEEPER)),
    ],
)

# None: another server than Streamlit's listens, such as uvicorn. Security looks at its requests.
ADDRESS: str | None = st.get_option("server.address")
if __name__ == "__main__":  # app.run reads this variable, and nothing has before
    ADDRESS = os.environ.get("STREAMLIT_SERVER_ADDRESS") or ADDRESS
if ADDRESS and not SIGN_IN and (refusal := listening.refusal(ADDRESS, os.environ)):
    sys.exit(refusal)
if SIGN_IN:
    try:
        oidc.check_secrets()
    except roles.InvalidSignIn as problem:
        sys.exit(str(problem))

if __name__ == "__main__":
    try:
        app.run(config={"server.port": PORT})
    except KeyboardInterrupt:  # uvicorn has closed everything
        sys.exit(130)
