"""A node of a cluster, as seen by its pool."""

from __future__ import annotations

import asyncio

from services.ask.measurement import Progress
from services.base.ipc import Message
from services.load.shards import Shard


class NodeState:
    """What the pool knows about a node."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.shard = Shard()
        self.program = ""  # the program that runs on it
        self.inbox: asyncio.Queue[Message | None] = asyncio.Queue()  # None: the node is lost
        self.lost: str | None = None
        self.progress: Progress | None = None
        self.playing = False
        self.reported: set[int] = set()

    @property
    def name(self) -> str:
        return f"Node {self.number + 1}"
