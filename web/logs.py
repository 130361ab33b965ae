"""The web server's logs as JSON, including Streamlit's and uvicorn's, and its message that it is
ready. The only file that knows how Streamlit logs: each of its loggers has its own handler."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from streamlit import config
from streamlit import logger as streamlit_logger
from streamlit.web.server.server_util import get_display_address, get_url

from services.base import logs

log = logging.getLogger("paceline.web")


def setup(env: Mapping[str, str] = os.environ) -> None:
    """Set up the logs of the whole process by PACELINE_LOG; without it, only what uvicorn logs is
    shortened: exceptions, since those of a request may quote it, and the addresses of requests."""
    logging.getLogger("uvicorn.error").addFilter(logs.without_traceback)
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).addFilter(logs.without_parameters)
    if not logs.as_json(env):
        return
    logs.setup("web", env)
    streamlit_logger.setup_formatter = _pass_on
    streamlit_logger.update_formatter()


def announce(env: Mapping[str, str] = os.environ) -> None:
    """Report the address, now that it answers. Servers other than Streamlit's do so themselves."""
    if not (config._server_mode or "").startswith("starlette-app"):
        return
    address = get_display_address(config.get_option("server.address") or "localhost")
    message = f"Paceline is ready: {get_url(address)}"
    if logs.as_json(env):
        log.info(message)
    else:
        print(message, flush=True)


def _pass_on(logger: logging.Logger) -> None:
    """Pass a logger's records to the root logger's handler, instead of its own."""
    logger.handlers.clear()
    logger.propagate = True
