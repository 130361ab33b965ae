"""The choices of a capacity search as a query string, and back:
`?backend=vllm&objectives=ttft:p95<0.5&window_s=30&b.base_url=http://127.0.0.1:8001/v1`.

The fields of the first server are those of a run's link; `b.` begins those that the second changes,
`c.` those of the third, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

from services.ask import link
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.studies.capacity_config import (
    MAX_SERVERS,
    CapacityConfig,
    parse_capacity,
    without_probe_fields,
)

OTHERS = tuple(f"{letter}." for letter in ascii_lowercase[1:MAX_SERVERS])
SEARCH = tuple(name for name in CapacityConfig.model_fields if name != "servers")


@dataclass(frozen=True, slots=True)
class Linked:
    """The initial values of a form, and a sentence for each invalid parameter, which is ignored."""

    config: CapacityConfig
    problems: tuple[str, ...]


def query(config: CapacityConfig, start: RunConfig) -> dict[str, str]:
    """Return the search as parameters: the fields of the first server that differ from `start`,
    those of the others that differ from the first, and those of the search that differ from their
    defaults."""
    first, *others = map(without_probe_fields, config.servers)
    usual = CapacityConfig()
    own = {
        name: link.text_of(getattr(config, name))
        for name in SEARCH
        if getattr(config, name) != getattr(usual, name)
    }
    changes = {
        f"{prefix}{name}": text
        for prefix, other in zip(OTHERS, others, strict=False)
        for name, text in _changes(first, other).items()
    }
    return {**link.query(dict(first), without_probe_fields(start)), **own, **changes}


def _changes(first: RunConfig, other: RunConfig) -> dict[str, str]:
    """The fields of another server that differ from the first; its backend, if none do."""
    changed = link.query(dict(other), _base_config(first, other.backend))
    return changed or {"backend": other.backend}


def read(parameters: Mapping[str, str], start: RunConfig) -> Linked:
    """Parse the search in a link. Fields of its first server that are missing are those of
    `start`."""
    own = {name: text for name, text in parameters.items() if name in SEARCH}
    of_others = [_with_prefix(prefix, parameters) for prefix in OTHERS]
    of_first = {
        name: text
        for name, text in parameters.items()
        if name not in own and not name.startswith(OTHERS)
    }
    first, problems = link.read(of_first, start)
    servers = [first]
    for changed in filter(None, of_others):
        other, more = link.read(changed, _base_config(first, changed.get("backend", first.backend)))
        servers.append(first if changed == {"backend": first.backend} else other)
        problems += more
    config, wrong = _parsed(own, servers)
    return Linked(config, (*problems, *wrong))


def _with_prefix(prefix: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters whose names begin with a prefix, without the prefix."""
    return {
        name.removeprefix(prefix): text
        for name, text in parameters.items()
        if name.startswith(prefix)
    }


def _base_config(first: RunConfig, backend: str) -> RunConfig:
    """The config that another server's parameters change: the first server's; with another backend,
    without its address."""
    return first if backend == first.backend else first.model_copy(update={"base_url": None})


def _parsed(
    own: Mapping[str, str], servers: Sequence[RunConfig]
) -> tuple[CapacityConfig, Sequence[str]]:
    """The parsed search, without invalid values."""
    values: dict[str, Any] = dict(own)
    if "objectives" in values:
        values["objectives"] = tuple(filter(None, map(str.strip, values["objectives"].split(","))))
    try:
        return parse_capacity({**values, "servers": servers}), ()
    except InvalidConfig as error:
        kept = {name: text for name, text in values.items() if name not in error.problems}
        wrong = list(error.problems.values())
    try:
        return parse_capacity({**kept, "servers": servers}), wrong
    except InvalidConfig as error:
        return CapacityConfig(servers=tuple(servers)), [*wrong, *error.problems.values()]
