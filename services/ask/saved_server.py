"""A server saved under a name: its address, model and key variable. `db/servers.py` stores it.

Its fields are fields of a run's config. They are copied into each run that uses the server, so a
run does not change when the saved server is changed or deleted. Keys are not saved, only the name
of the variable that holds one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.ask import about
from services.ask.backends import BACKENDS, find
from services.ask.config import RunConfig, parse, stored
from services.base.errors import Invalid

MOST = 200  # saved servers
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")

# The fields that describe a server rather than a run.
FIELDS = (
    *about.names(RunConfig, lambda known: known.role == "target"),
    *("dialect", "omit", "max_tokens_field", "extra_body", "headers", "ca_file", "insecure_tls"),
    "usd_per_hour",
)


class InvalidServer(Invalid):
    """A server that cannot be saved; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class SavedServer:
    """A name, and every field of `FIELDS`, JSON-ready."""

    name: str
    fields: Mapping[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """Return the fields in the form that a run's config uses."""
        config = stored(self.fields)  # a run that uses what is refused by now says so
        return {field: getattr(config, field) for field in FIELDS}


def saved_server(name: str, values: Mapping[str, Any]) -> SavedServer:
    """Return the server to save under a name; omitted fields use the defaults.

    Raises:
        InvalidServer: the name is invalid or that of a backend, or a field is set per run.
        InvalidConfig: a field has an invalid value.
        BackendProblem: there is no such backend.
    """
    if not _NAME.fullmatch(name):
        raise InvalidServer(
            f"{name[:50]!r} cannot be a server's name. Use up to 40 lower-case letters, digits, "
            "dots, dashes and underscores."
        )
    if name in BACKENDS:
        raise InvalidServer(f"{name} is already a backend. Choose another name.")
    if unknown := [field for field in values if field not in FIELDS]:
        raise InvalidServer(f"{unknown[0][:50]} does not belong to a server: it is set per run.")
    config = parse(values)
    find(config.backend)
    dumped = config.model_dump(mode="json")
    return SavedServer(name, {field: dumped[field] for field in FIELDS})


def with_server_of(config: RunConfig, other: RunConfig) -> RunConfig:
    """Return a run's config on the server of another one."""
    return config.model_copy(update={field: getattr(other, field) for field in FIELDS})


def without_server(config: RunConfig) -> RunConfig:
    """Return a run's config with the default of every field that describes its server."""
    return with_server_of(config, RunConfig())


def expand(values: Mapping[str, Any], server: SavedServer) -> dict[str, Any]:
    """Return a run's values with the server's fields in place of `backend`; the run's own values
    take precedence."""
    return {**server.fields, **{name: value for name, value in values.items() if name != "backend"}}
