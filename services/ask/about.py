"""Metadata of config fields, declared with each field.

The form, the flags, the API's schema and comparisons all read it: a new field is described once,
where it is declared. Texts name other fields as configs do; `renamed` names them for an interface.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, Field

# The role of a field: which server · what the server has to do · how requests are sent · what is
# checked about the client afterwards · how results are judged, which can be changed later.
Role = Literal["target", "work", "client", "check", "judgement"]
Section = Literal["backend", "mode", "prompts", "answers", "limits", "request", "objectives"]


@dataclass(frozen=True, slots=True)
class About:
    """Metadata of one field. `read_by`: the modes, workloads or engines that use it; empty: all do.
    `empty`: the placeholder of its input. `ignored`: why it has no effect although it is read, such
    as "without a duration"; "" if it has one."""

    title: str
    help: str
    role: Role = "work"
    section: Section = "limits"  # of the form
    unit: str = ""
    step: float = 1.0  # of its input, if it is not a whole number
    empty: str = "none"
    read_by: tuple[str, ...] = ()
    ignored: Callable[[Any], str] | None = None
    varied: bool = False  # whether a comparison offers a list of values for it
    private: bool = False  # a user's own text: not part of links and exports
    bulky: bool = False  # too large for a link or a command
    may_hold_key: bool = False  # not part of a link unless it was checked to contain no key
    each: str = ""  # placeholder for a value of its flag, which may be repeated

    @property
    def label(self) -> str:
        """The title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def is_read(self, *readers: str) -> bool:
        """Return whether one of these modes, workloads or engines uses the field."""
        return not self.read_by or any(reader in self.read_by for reader in readers)

    def why_ignored(self, config: Any) -> str:
        """Return why other fields of a config leave this one without effect, or ""."""
        return self.ignored(config) if self.ignored else ""

    def __call__(self, schema: dict[str, Any]) -> None:
        """Describe the field in a JSON schema, as pydantic's `json_schema_extra`."""
        schema |= {"title": self.label, "description": self.help}


def field(default: Any, about: About, **limits: Any) -> Any:
    """Declare a field of a config; `limits` are those of pydantic's Field: ge, max_length …"""
    return Field(default, json_schema_extra=about, **limits)


@cache
def fields(kind: type[BaseModel]) -> dict[str, About]:
    """Return the metadata of a config's fields, in order."""
    extras = {name: info.json_schema_extra for name, info in kind.model_fields.items()}
    return {name: about for name, about in extras.items() if isinstance(about, About)}


def names(kind: type[BaseModel], wanted: Callable[[About], bool]) -> tuple[str, ...]:
    """Return the names of the fields for which `wanted` is true."""
    return tuple(name for name, about in fields(kind).items() if wanted(about))


def ignored(config: BaseModel) -> tuple[str, ...]:
    """Return the fields that have no effect because of others, such as a number of requests beside
    a duration."""
    return names(type(config), lambda known: bool(known.why_ignored(config)))


def renamed(text: str, names: Iterable[str], name_of: Callable[[str], str]) -> str:
    """Return a text with the fields in it named as an interface names them: by flags, by labels.

    A name without an underscore may be an ordinary word, one in quotes belongs to the request that
    is sent, and `name=` is typed by the user: these remain.
    """
    known = "|".join(name for name in names if "_" in name)
    return re.sub(rf"(?<![\w\"'])(?:{known})(?![\w\"'=])", lambda found: name_of(found[0]), text)


@cache
def read_by(kind: type[BaseModel], reader: str) -> tuple[str, ...]:
    """Return the fields that a mode, workload or engine uses and that not all use."""
    return names(kind, lambda about: reader in about.read_by)
