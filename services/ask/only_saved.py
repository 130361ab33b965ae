"""What a runner may ask: a server that an admin saved, or the embedded model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from services.ask.saved_server import FIELDS

EMBEDDED = "embedded"
_PER_RUN = ("backend", "model")  # what may be said besides a saved server's name
_TEXTS = ("prompts", "trace")  # of a person, who may describe a tool with a field called backend
_OF_SERVERS = frozenset(FIELDS) - frozenset(_PER_RUN)


def beyond_saved(body: Any, saved: Collection[str]) -> str | None:
    """Return what a request asks for that only an admin may set, as a sentence; None: nothing.
    `saved` are the names of the saved servers; a body without a backend asks the embedded one."""
    if isinstance(body, dict):
        if field := next((name for name in body if name in _OF_SERVERS), None):
            return f"{field} belongs to a server: only an admin sets it. Name a saved server."
        backend = body.get("backend", EMBEDDED)
        if backend != EMBEDDED and (not isinstance(backend, str) or backend not in saved):
            return (
                f"Runners measure saved servers, and none is saved as {str(backend)[:80]!r}. "
                "Ask an admin to save it. GET /api/servers lists them."
            )
    parts = body if isinstance(body, list) else ()
    if isinstance(body, dict):
        parts = [part for name, part in body.items() if name not in _TEXTS]
    return next((sentence for part in parts if (sentence := beyond_saved(part, saved))), None)
