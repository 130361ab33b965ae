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
    """Let the whole process log as PACELINE_LOG says; without it, as Streamlit does."""
    if not logs.as_json(env):
        return
    logs.setup("web", env)
    streamlit_logger.setup_formatter = _pass_on
    streamlit_logger.update_formatter()
    config.set_option("logger.hideWelcomeMessage", True)  # printed, and no JSON


def _pass_on(logger: logging.Logger) -> None:
    """Let a logger's records go to the root logger's handler, instead of its own."""
    logger.handlers.clear()
    logger.propagate = True
