"""The API formats, and which of them a run uses.

A run may choose one. Otherwise an address that names an endpoint decides, and otherwise the backend
does. Most servers offer several.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.ask.address import InvalidAddress, parse_address
from services.ask.backends import messages
from services.ask.backends.errors import BackendProblem
from services.ask.backends.table import BACKENDS, Backend
from services.ask.config import DialectName, RunConfig
from services.base.units import listed

LITELLM = "LiteLLM only supports chat completions. Leave the API format empty"


@dataclass(frozen=True, slots=True)
class Dialect:
    """An API format. `path` is relative to the base URL without `dropped_suffix`. `headers` are
    sent with each request. `key_header` contains the key, in addition to `Authorization` or instead
    of it."""

    label: str
    path: str
    dropped_suffix: str = ""
    takes_ignore_eos: bool = True
    takes_min_tokens: bool = False
    needs_max_tokens: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    key_header: str = ""


def dialect_at(endpoint: str) -> DialectName | None:
    """Return the dialect of an endpoint's path; None if the path belongs to none."""
    if not endpoint:
        return None
    return next(name for name, known in DIALECTS.items() if endpoint.endswith(known.path))


def dialect_of(config: RunConfig) -> DialectName:
    """Return the dialect of a run according to its config."""
    try:
        endpoint = parse_address(config.base_url).endpoint if config.base_url else ""
    except InvalidAddress:
        endpoint = ""  # for a stored run
    return resolved(config.dialect, config.via_litellm, endpoint, config.backend)


def resolved(
    chosen: DialectName | None, via_litellm: bool, endpoint: str, backend: str
) -> DialectName:
    """Return the chosen dialect, otherwise that of the endpoint, otherwise that of the backend."""
    if via_litellm:
        return "chat"
    own = BACKENDS[backend].dialect if backend in BACKENDS else "chat"
    return chosen or dialect_at(endpoint) or own


def check(config: RunConfig, backend: Backend, endpoint: str = "") -> None:
    """Check that the run can use its dialect.

    Raises:
        BackendProblem: the backend, the client, the address or another field excludes it.
    """
    chosen, named = config.dialect, dialect_at(endpoint)
    if config.via_litellm:
        if chosen not in (None, "chat"):
            raise BackendProblem(f"{LITELLM}, or measure with Paceline's own client.")
        return
    if chosen and named and chosen != named:
        raise BackendProblem(
            f"The address ends in {DIALECTS[named].path}, but the API format is {chosen} "
            f"({DIALECTS[chosen].path}). Leave out one of the two."
        )
    name = resolved(chosen, False, endpoint, backend.name)
    dialect = DIALECTS[name]
    if backend.dialects and name not in backend.dialects:
        raise BackendProblem(f"{backend.label} offers {listed(backend.dialects)}, but not {name}.")
    if config.ignore_eos and not dialect.takes_ignore_eos:
        raise BackendProblem(f"{dialect.label} has no ignore_eos. Turn it off.")
    if config.min_tokens and not dialect.takes_min_tokens:
        raise BackendProblem(f"{dialect.label} has no min_tokens. Leave it empty.")
    if dialect.needs_max_tokens and "max_tokens" in config.omit:
        raise BackendProblem(f"{dialect.label} requires max_tokens: do not omit it.")
    messages.check(config, name, dialect.label)


DIALECTS: dict[DialectName, Dialect] = {
    "chat": Dialect("Chat completions", "/chat/completions", takes_min_tokens=True),
    "completions": Dialect("Completions", "/completions", takes_min_tokens=True),
    "responses": Dialect("Responses", "/responses"),
    "anthropic": Dialect(
        "Anthropic Messages",
        "/messages",
        takes_ignore_eos=False,
        needs_max_tokens=True,
        headers=(("anthropic-version", "2023-06-01"),),
        key_header="x-api-key",
    ),
    "ollama": Dialect("Ollama chat", "/api/chat", dropped_suffix="/v1", takes_ignore_eos=False),
}
