"""The web server's logs as JSON, including Streamlit's and uvicorn's. The only file that knows how
Streamlit logs: each of its loggers has its own handler."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from streamlit import config
from streamlit import logger as streamlit_logger

from services.base import logs


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
    config.set_option("logger.hideWelcomeMessage", True)  # it is printed, and not as JSON


def _pass_on(logger: logging.Logger) -> None:
    """Pass a logger's records to the root logger's handler, instead of its own."""
    logger.handlers.clear()
    logger.propagate = True
