"""What a runner may measure: a server that an admin saved, or the embedded model.

One rule, checked twice. The fields of a request are checked before they are parsed
(`why_admin_only`); whatever is about to be queued, from any interface, is compared with the saved
servers (`check_only_saved`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from services.ask.config import RunConfig
from services.ask.saved_server import FIELDS
from services.base.errors import Invalid

EMBEDDED = "embedded"
_PER_RUN = ("backend", "model")  # fields that a run may set besides the saved server's
# Fields with user text, which may describe a tool with a field called backend.
_TEXTS = ("prompts", "trace", "messages", "tools", "tool_choice")
_OF_SERVERS = frozenset(FIELDS) - frozenset(_PER_RUN)


class NotASavedServer(Invalid):
    """A run that only an admin may start; the message is a sentence."""


def why_admin_only(body: Any, saved: Collection[str]) -> str | None:
    """Return a sentence if a request sets something that only an admin may set, otherwise None.
    `saved` are the names of the saved servers; a body without a backend uses the embedded model."""
    if isinstance(body, dict):
        if field := next((name for name in body if name in _OF_SERVERS), None):
            return f"{field} can only be set by an admin. Use a saved server."
        backend = body.get("backend", EMBEDDED)
        if backend != EMBEDDED and (not isinstance(backend, str) or backend not in saved):
            return (
                "Runners can only measure saved servers, and there is none called "
                f"{str(backend)[:80]!r}. Ask an admin to save it. GET /api/servers lists them."
            )
    parts = body if isinstance(body, list) else ()
    if isinstance(body, dict):
        parts = [part for name, part in body.items() if name not in _TEXTS]
    return next((sentence for part in parts if (sentence := why_admin_only(part, saved))), None)


def check_only_saved(configs: Iterable[RunConfig], saved: Sequence[Mapping[str, Any]]) -> None:
    """Check that each run goes to the embedded model or to one of the `saved` servers (each with
    the values of its `FIELDS`), with exactly its fields; only the model may differ.

    Raises:
        NotASavedServer: one does not.
    """
    plain = RunConfig()
    known = [{name: getattr(plain, name) for name in FIELDS}, *saved]
    allowed = [{name: server[name] for name in FIELDS if name != "model"} for server in known]
    for config in configs:
        server = {name: getattr(config, name) for name in FIELDS if name != "model"}
        if server not in allowed:
            raise NotASavedServer(
                "Runners can only measure the embedded model and saved servers, with their saved "
                "settings. Choose one of those, or ask an admin to save this one."
            )
