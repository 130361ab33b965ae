"""What a run is called: its default name, and the limits of names, tags and notes."""

from __future__ import annotations

from collections.abc import Iterable

from services.ask import modes
from services.ask.config import RunConfig
from services.ask.measurement import Run
from services.base.errors import Invalid
from services.base.surrogates import clean

LONGEST_NAME = 200
LONGEST_PART = 40  # characters of a server or a model in a default name
LONGEST_NOTE = 10_000
LONGEST_TAG = 50
MAX_TAGS = 20


class InvalidEdit(Invalid):
    """The name, note or tag is invalid."""


def default_name(config: RunConfig, lane: str, model: str) -> str:
    """Return the default name of a run: "embedded · sequential · 5 requests", "127.0.0.1:8000 ·
    Qwen3-8B · batch · 64 requests". The embedded model is left out, since it is always the same."""
    parts = (server_name(config, lane, model), config.mode, modes.amount(config))
    return " · ".join(parts)


def is_default_name(run: Run) -> bool:
    """Return whether a run has its default name."""
    return run.name.endswith(default_name(run.config, "", "").partition(" · ")[2])


def server_name(config: RunConfig, lane: str, model: str) -> str:
    """Return the beginning of a default name: the server and its model."""
    server = lane if config.backend in ("url", "litellm") else config.backend
    brief = "" if config.backend == "embedded" else model.rstrip("/").rpartition("/")[2]
    return " · ".join(filter(None, (_shorten(server), _shorten(brief))))


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_PART else f"{text[: LONGEST_PART - 1]}…"


def checked_name(text: str) -> str:
    """Return a name on one line. Raises InvalidEdit."""
    return _check_length("The name", _one_line(text), LONGEST_NAME)


def checked_note(text: str) -> str:
    """Return a note, which may be empty. Raises InvalidEdit."""
    return _check_length("The note", clean(text), LONGEST_NOTE) if text else ""


def checked_tags(texts: Iterable[str]) -> list[str]:
    """Return tags, each once. Raises InvalidEdit."""
    tags = list(dict.fromkeys(_one_line(text) for text in texts))
    for tag in tags:
        if "," in _check_length(f"The tag {tag[:20]!r}", tag, LONGEST_TAG):
            raise InvalidEdit(f"The tag {tag!r} contains a comma. Write it as two tags.")
    if len(tags) > MAX_TAGS:
        raise InvalidEdit(f"A run has at most {MAX_TAGS} tags. Remove {len(tags) - MAX_TAGS}.")
    return tags


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _check_length(what: str, text: str, longest: int) -> str:
    if not text:
        raise InvalidEdit(f"{what} is empty. Write 1 to {longest:,} characters.")
    if len(text) > longest:
        raise InvalidEdit(f"{what} has {len(text):,} characters. Shorten it to {longest:,}.")
    return text
