"""Communication between processes: typed messages, as lines of JSON on standard input and output.

A message is a frozen dataclass. A protocol is a version and its messages by name. Every line
contains both, so that a process of a different version is rejected with a clear message. The
protocols are in `load/protocol.py` and `servers/protocol.py`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from threading import Lock
from typing import Any, ClassVar, Self, TypeVar

import orjson

LINE_BYTES = 2**26  # the longest message: a config with 10,000 prompts, or a batch of results
OTHER_VERSION = (
    "Two processes of Paceline have different versions: it was updated while it was running. "
    "Restart it, then try again."
)
SENT = "A process of Paceline sent"


class ProtocolProblem(ValueError):
    """A line is not a message of this version; the message is a sentence."""


class Message:
    """A message from one process to another. Fields that do not survive JSON unchanged need their
    own `to_dict` and `from_dict`."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-ready."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the message from the data of `to_dict`."""
        return cls(**data)


M = TypeVar("M", bound=Message)


class Protocol:
    """Messages by name, and their version, which must be increased whenever a message changes."""

    def __init__(self, version: int, messages: Mapping[str, type[Message]]) -> None:
        self.version, self.messages = version, messages
        self._names = {kind: name for name, kind in messages.items()}

    def encode(self, message: Message) -> bytes:
        """Return a message as a line."""
        head = {"version": self.version, "type": self._names[type(message)]}
        return orjson.dumps({**head, **message.to_dict()}) + b"\n"

    def decode(self, line: bytes) -> Message:
        """Return the message in a line.

        Raises:
            ProtocolProblem: it is of another version, or not a message.
        """
        try:
            data = orjson.loads(line)
            version, name = data.pop("version", None), data.pop("type", None)
        except (ValueError, AttributeError, TypeError):
            raise ProtocolProblem(f"{SENT} a line that is not a message.") from None
        if version != self.version:
            raise ProtocolProblem(OTHER_VERSION)
        if not isinstance(name, str) or name not in self.messages:
            raise ProtocolProblem(f"{SENT} an unknown message: {str(name)[:40]}.")
        try:
            return self.messages[name].from_dict(data)
        except (ValueError, AttributeError, TypeError, LookupError):
            raise ProtocolProblem(f"{SENT} a broken message: {name}.") from None

    def expect(self, kind: type[M], line: bytes) -> M:
        """Return the message in a line, which must be of one kind.

        Raises:
            ProtocolProblem: see `decode`, or it is of another kind.
        """
        message = self.decode(line)
        if isinstance(message, kind):
            return message
        sent, wanted = self._names[type(message)], self._names[kind]
        raise ProtocolProblem(f"{SENT} {sent} instead of {wanted}.")


Send = Callable[[Message], None]


def sender(protocol: Protocol) -> Send:
    """Return a function that writes whole messages to the real standard output, from any thread.
    What libraries print goes to standard error instead."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lock = Lock()

    def send(message: Message) -> None:
        line = protocol.encode(message)
        with (
            lock,
            suppress(BrokenPipeError),
        ):  # the parent is gone: the end of standard input will end this process
            out.write(line)
            out.flush()

    return send


async def standard_input() -> asyncio.StreamReader:
    """Return a reader of standard input."""
    reader = asyncio.StreamReader(LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader
