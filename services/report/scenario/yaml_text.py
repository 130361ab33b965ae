"""Untrusted YAML as plain values and their lines; and values as YAML.

The rules are those of YAML 1.2: `on`, `no` and `2026-03-01` are text. Only what a scenario needs is
supported: anchors and aliases (with which a small file can expand to gigabytes), tags (which name
types of a program) and duplicate keys are refused. Error messages repeat nothing of the file except
keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PureWindowsPath
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from services.ask.workloads.lines import MAX_FILE_BYTES
from services.base import text_file
from services.base.secret_patterns import holds_key
from services.report.scenario.document import Document, Location

MAX_BYTES = MAX_FILE_BYTES  # prompts may be included
MAX_EVENTS = 400_000  # 10,000 conversations of several messages
MAX_LEVELS = 30  # request_options.MAX_LEVELS, plus the levels around them
SHOWN = 40  # characters of a key
NULL = re.compile("|null|Null|NULL|~")
BOOL = re.compile("true|True|TRUE|false|False|FALSE")
INT = re.compile(r"[-+]?[0-9]{1,100}")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
BREAKS = re.compile("[\r\x85\u2028\u2029]")  # which a YAML reader would treat as the end of a line
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(data: bytes, name: str) -> Document:
    """Parse a scenario file.

    Raises:
        InvalidScenario: it is not YAML, or uses a feature that is not allowed.
    """
    document = Document(file_name(name), {})
    if len(data) > MAX_BYTES:
        raise document.problem(
            f"The file is larger than {MAX_BYTES // 10**6} MB. Move its prompts to a separate "
            "file, prompts_file."
        )
    try:
        text = text_file.decoded(data)
    except UnicodeDecodeError:
        raise document.problem("The file is not UTF-8 text. Save it as UTF-8.") from None
    reading = _Reading(document.name)
    try:
        values = reading.whole(yaml.parse(text, Loader=LOADER))
    except yaml.YAMLError as error:
        raise _not_yaml(error, text, document.name) from None
    return Document(document.name, values, reading.lines)


def file_name(path: str) -> str:
    """Return the name of a file for sentences."""
    return "".join(c if c.isprintable() else "?" for c in PureWindowsPath(path).name)[-80:]


def shown(key: str) -> str:
    """Return a key for a sentence, without a secret that may be in its place."""
    text = "".join(c if c.isprintable() else "?" for c in key)
    return "This" if holds_key(text) else text[:SHOWN]


class _Reading:
    """The file that is being read, and its lines so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Location, int] = {}

    def whole(self, events: Iterator[Event]) -> Mapping[str, Any]:
        """Return the only document of a file, which must be a mapping."""
        counted = self._counted(events)
        values = None
        documents = 0
        for event in counted:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._problem("begins another document. Keep one in a file", event)
                first = next(counted)
                if not isinstance(first, MappingStartEvent | AliasEvent):
                    raise self._problem("must be keys and values: `backend: vllm`", first)
                values = self._value(first, counted, ())
            elif isinstance(event, StreamEndEvent):
                break
        if values is None:
            raise Document(self.name, {}).problem("The file is empty.")
        return dict(values)

    def _counted(self, events: Iterator[Event]) -> Iterator[Event]:
        for number, event in enumerate(events):
            if number > MAX_EVENTS:
                raise self._problem(f"has more than {MAX_EVENTS:,} values. Shorten it", event)
            yield event

    def _value(self, event: Event, events: Iterator[Event], location: Location) -> Any:
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._problem("has an anchor (&) or an alias (*). Write the value out", event)
        if getattr(event, "tag", None) is not None:
            raise self._problem("has a tag (!). Write the value without it", event)
        if len(location) > MAX_LEVELS:
            raise self._problem(f"is nested more than {MAX_LEVELS} levels deep", event)
        if isinstance(event, ScalarEvent):
            return event.value if event.style else plain(event.value)
        if isinstance(event, SequenceStartEvent):
            return self._list(events, location)
        return self._mapping(events, location)

    def _list(self, events: Iterator[Event], location: Location) -> list[Any]:
        entries: list[Any] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            here = (*location, len(entries))
            self.lines[here] = _line(event)
            entries.append(self._value(event, events, here))
        return entries

    def _mapping(self, events: Iterator[Event], location: Location) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(key := next(events), MappingEndEvent):
            if not isinstance(key, ScalarEvent):
                raise self._problem("has a key that is not text", key)
            if key.value in values:
                raise self._problem(f"has the key {shown(key.value)} twice. Keep one", key)
            here = (*location, key.value)
            self.lines[here] = _line(key)
            values[key.value] = self._value(next(events), events, here)
        return values

    def _problem(self, sentence: str, event: Event) -> Exception:
        where: Location = ("",)
        return Document(self.name, {}, {where: _line(event)}).problem(f"{sentence}.", *where)


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def plain(text: str) -> Any:
    """Return the value of an unquoted text."""
    if NULL.fullmatch(text):
        return None
    if BOOL.fullmatch(text):
        return text.lower() == "true"
    if INT.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text


def _not_yaml(error: yaml.YAMLError, text: str, name: str) -> Exception:
    """Say where the file is invalid, and what the usual cause is; the parser's message may quote
    the file."""
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None))
    line = mark.line if mark else text.count("\n", 0, position) if position else 0
    why = next((why for words, why in _HINTS.items() if words in problem), _USUAL)
    where: Location = ("",)
    return Document(name, {}, {where: line + 1}).problem(f"This is not YAML. {why}", *where)


_USUAL = "Check the indentation, and put text with special characters in quotes."
_HINTS = {
    "mapping values are not allowed": 'Put text that contains ": " in quotes.',
    "cannot start any token": "Indent with spaces instead of tabs, and put text that begins with "
    "a special character in quotes.",
    "control characters": 'Remove the control character, or write it in quotes, as in "\\u001e".',
}


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # it has no types
    """A dumper that also quotes text which is a number in YAML 1.2 but not in the older YAML
    1.1."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)  # entries of a list are indented more than its key


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _sequence(dumper: yaml.SafeDumper, entries: Any) -> yaml.Node:
    numbers = all(isinstance(entry, int | float) for entry in entries)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", entries, flow_style=numbers)


for kind, pattern in (("int", INT), ("float", FLOAT)):
    _Dumper.add_implicit_resolver(
        f"tag:yaml.org,2002:{kind}", re.compile(f"^(?:{pattern.pattern})$"), list("-+.0123456789")
    )
_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(tuple, _sequence)


def write(values: Mapping[str, Any], comments: tuple[str, ...] = ()) -> bytes:
    """Return values as YAML, with comments above them."""
    text = yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return "".join([*(f"# {comment}\n" for comment in comments), text]).encode()
