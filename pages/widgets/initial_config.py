"""The config that a form begins with: the default, or that of a stored run (`?like=12`)."""

from __future__ import annotations

from db import runs
from db.database import opened
from db.runs import RunNotFound
from pages.widgets.view import as_id, not_a_run_number
from services.ask.config import RunConfig


def of_link(like: str | None) -> tuple[RunConfig, tuple[str, ...]]:
    """Return the initial config, and a sentence on what is wrong with the link."""
    if like is None:
        return RunConfig(), ()
    run_id = as_id(like)
    if run_id is None:
        return RunConfig(), (not_a_run_number(like),)
    try:
        return runs.load(opened(), run_id).config, ()
    except RunNotFound as error:
        return RunConfig(), (str(error),)
