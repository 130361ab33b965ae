"""The messages between a worker and the driver that carries its messages to the nodes.

The worker sends `Connect`, and the driver answers `Connected`. `Start` starts a process on a node;
`ToNode` and `FromNode` hold lines for and from that process, as `load/protocol.py` writes them.
They hold keys, so they go through pipes, and from there through Ray.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from services.base.ipc import Message, Protocol
from services.load.nodes.clocks import ClockOffset

VERSION = 1  # raise it whenever a message changes: see tests/services/load/test_protocol.py


@dataclass(frozen=True, slots=True)
class Connect(Message):
    """Connect to the cluster at this address."""

    address: str
    most: int  # most nodes to use


@dataclass(frozen=True, slots=True)
class Connected(Message):
    """Facts about each node, see `machine.environment`, and the beginning of its id in Ray."""

    nodes: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Start(Message):
    """Start one of PROGRAMS in `actor.py` on a node, replacing the process there."""

    node: int
    program: str


@dataclass(frozen=True, slots=True)
class ToNode(Message):
    """Lines for the standard input of a node's process; None closes it."""

    node: int
    lines: str | None


@dataclass(frozen=True, slots=True)
class FromNode(Message):
    """Lines from the standard output of a node's process."""

    node: int
    lines: str


@dataclass(frozen=True, slots=True)
class NodeLost(Message):
    """A node or its process has ended or no longer answers; why, as a sentence."""

    node: int
    sentence: str


@dataclass(frozen=True, slots=True)
class CompareClocks(Message):
    """Estimate the offsets of these nodes' clocks."""

    nodes: Sequence[int]


@dataclass(frozen=True, slots=True)
class ClocksCompared(Message):
    """The offset of each node's clock, by node; a node that did not answer is left out."""

    offsets: dict[int, ClockOffset]

    def to_dict(self) -> dict[str, Any]:
        return {"offsets": [[node, asdict(offset)] for node, offset in self.offsets.items()]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls({node: ClockOffset(**offset) for node, offset in data["offsets"]})


@dataclass(frozen=True, slots=True)
class Refused(Message):
    """Why the cluster cannot be used, as a sentence."""

    sentence: str


PROTOCOL = Protocol(
    VERSION,
    {
        "connect": Connect,
        "connected": Connected,
        "start": Start,
        "to_node": ToNode,
        "from_node": FromNode,
        "lost": NodeLost,
        "compare_clocks": CompareClocks,
        "clocks": ClocksCompared,
        "refused": Refused,
    },
)
encode, decode = PROTOCOL.encode, PROTOCOL.decode
