"""An axis of a study that varies any field of its engines or runs, or one of the engine's own
flags: `max_seqs=64,256`, `max_tokens=32,512`, `flag:--enable-prefix-caching=on,off`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from services.ask import about, link
from services.ask.config import RunConfig
from services.servers.engines import EngineConfig
from services.servers.engines.config import parse_engine
from services.studies.work import ASIDE

FLAG = "flag:"
DEFAULT = "default"  # a value that leaves the field as in the engine or the run
OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
MAX_VALUES = 50
ELSEWHERE = {  # fields that have their own axis
    "tp": "parallel",
    "pp": "parallel",
    "dp": "parallel",
    "chunked_prefill": "chunked",
    "input_tokens": "input_lengths",
    "concurrency": "concurrencies",
}
FIXED = ("engine", "start_timeout_s", "extra", "mode", "prompt_max_tokens", "on", "omit")


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an axis."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A field, or an engine's flag (`flag:--name`), and its values as text. `of_engine`: whether it
    changes the engine instead of the run."""

    name: str
    values: tuple[str, ...]
    of_engine: bool

    @property
    def choices(self) -> list[Choice]:
        """The values with their names."""
        return [Choice(self.name, text) for text in self.values]

    @property
    def label(self) -> str:
        """Such as "max sequences", or the flag."""
        kind = EngineConfig if self.of_engine else RunConfig
        known = about.fields(kind).get(self.name)
        if known is None:
            return self.name.removeprefix(FLAG)
        return f"{known.title[:1].lower()}{known.title[1:]}"


def parse_axis(text: str) -> Axis:
    """Parse "NAME=VALUE,VALUE".

    Raises:
        ValueError: the text has another form, or the field cannot be varied this way.
    """
    name, found, after = text.partition("=")
    name = name.strip()
    values = tuple(dict.fromkeys(part.strip() for part in after.split(",") if part.strip()))
    if not found or not values or len(values) > MAX_VALUES:
        raise ValueError(
            f"must be NAME=VALUE,VALUE with at most {MAX_VALUES} values, such as max_seqs=64,256"
        )
    if name in ELSEWHERE:
        raise ValueError(f"cannot vary {name}: use {ELSEWHERE[name]}")
    return Axis(name, values, _is_of_engine(name))


def _is_of_engine(name: str) -> bool:
    if name.startswith(FLAG):
        if not OPTION.fullmatch(name.removeprefix(FLAG)):
            raise ValueError("must name a flag of the engine as flag:--its-name=VALUE,VALUE")
        return True
    if name in ENGINE_FIELDS:
        return True
    if name not in RUN_FIELDS:
        raise ValueError(
            f"cannot vary {name[:40]!r}: choose a field of the engine "
            f"({', '.join(ENGINE_FIELDS)}) or of the run, such as max_tokens, or write a flag of "
            "the engine as flag:--its-name"
        )
    return False


def parse_axes(texts: Iterable[str]) -> tuple[Axis, ...]:
    """Parse axes.

    Raises:
        ValueError: one is invalid (see `parse_axis`), or a name occurs twice.
    """
    axes = tuple(map(parse_axis, texts))
    names = [axis.name for axis in axes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"must vary {twice[0]} once, with all its values")
    return axes


def split_axes(text: str) -> tuple[str, ...]:
    """Split a text into its axes, which are separated by semicolons or lines."""
    return tuple(part.strip() for part in re.split(r"[;\n]", text) if part.strip())


def engine_with(engine: EngineConfig, chosen: Iterable[Choice]) -> EngineConfig:
    """Return the engine with these values.

    A flag is followed by its value; `on` adds the flag alone, `off` and `default` leave it out.

    Raises:
        InvalidConfig: a value is invalid.
    """
    values = engine.model_dump()
    for choice in chosen:
        if choice.name.startswith(FLAG):
            values["extra"] = f"{values['extra']} {_argument(choice)}".strip()
        elif choice.text == DEFAULT:
            values[choice.name] = EngineConfig.model_fields[choice.name].default
        else:
            values[choice.name] = choice.text
    return parse_engine(values)


def _argument(choice: Choice) -> str:
    option = choice.name.removeprefix(FLAG)
    if choice.text in ("off", DEFAULT):
        return ""
    return option if choice.text == "on" else f"{option} {shlex.quote(choice.text)}"


def run_changes(choice: Choice) -> dict[str, object]:
    """Return the fields of a run that a value changes. Raises InvalidConfig."""
    if choice.text == DEFAULT:
        return {choice.name: RunConfig.model_fields[choice.name].default}
    return link.change(choice.name, choice.text)


ENGINE_FIELDS = tuple(
    name for name in EngineConfig.model_fields if name not in (*ELSEWHERE, *FIXED)
)
RUN_FIELDS = tuple(
    name
    for name in about.names(RunConfig, lambda known: known.role in ("work", "client"))
    if name not in (*ASIDE, *ELSEWHERE, *FIXED, *link.OWN, *link.PERHAPS_SECRET)
)
