"""A driver of a cluster of one node, without Ray, which sends what a test wants.

A test starts it in place of the Python of Ray's environment. What it sends once the node is told to
begin, byte by byte, is in the file that the variable SENDS names.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, os.getcwd())

from services.base.ipc import Message
from services.load import protocol as load
from services.load.nodes import protocol as cluster
from services.load.nodes.clocks import ClockOffset


def send(message: Message) -> None:
    sys.stdout.buffer.write(cluster.encode(message))
    sys.stdout.buffer.flush()


def main() -> None:
    """Answer the worker until standard input ends."""
    for line in sys.stdin.buffer:
        match cluster.decode(line):
            case cluster.Connect():
                send(cluster.Connected([{"id": "one"}]))
            case cluster.CompareClocks():
                send(cluster.ClocksCompared({0: ClockOffset(0, 1000)}))
            case cluster.ToNode(_, str(lines)):
                begins(load.decode(lines.encode()))


def begins(message: Message) -> None:
    if isinstance(message, load.PlayRepeat):
        send(cluster.FromNode(0, load.encode(load.Ready()).decode()))
    elif isinstance(message, load.Begin):
        sys.stdout.buffer.write(Path(os.environ["SENDS"]).read_bytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
