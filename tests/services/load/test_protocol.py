"""What processes say comes back as it was sent, and what is no message is a sentence."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import pytest

from services.ask.backends import target
from services.ask.config import parse
from services.ask.measurement import Measurement, Progress, Repeat
from services.ask.work_item import WorkItem
from services.base.ipc import Message, Protocol, ProtocolProblem
from services.load import protocol as load
from services.load.nodes import protocol as nodes
from services.load.nodes.clocks import ClockOffset
from services.load.response_profile import ResponseProfile
from services.load.shards import Shard
from services.servers import protocol as servers
from services.servers.telemetry.target import SamplerTarget

CONFIG = parse({"backend": "url", "base_url": "http://127.0.0.1:1/v1", "model": "m", "requests": 9})
TO = target(CONFIG, {})
AT = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
OF_LOAD: list[Message] = [
    WorkItem(CONFIG, 1, 2, "nonce", False, TO, {"NAME": "value"}),
    WorkItem(CONFIG),
    load.Phase("Warming up"),
    load.Model("m"),
    load.Environment({"cores": 2, "nested": {"a": [1, None]}}),
    load.Serving("http://127.0.0.1:1/v1", None, 5),
    load.Served(),
    load.RepeatSeen(Repeat(0, AT)),
    load.RepeatSeen(Repeat(3, AT, 1.5, {"t": 0.25})),
    load.ProgressSeen(Progress(1.0, 0, 5, 1, 3, 1, 99, None, 0.01, 0.5)),
    load.Calibrated({"requests": 3}),
    load.End(False, None),
    load.End(True, "A sentence."),
    load.Job(CONFIG, TO, "nonce", 5, Shard(1, 2)),
    load.PlayRepeat(1),
    load.Ready(),
    load.Begin(5),
    load.StopRepeat(),
    load.Played(5, 1.5, {"clock": "kernel"}, ResponseProfile(0.1, 0.01, 20, 4)),
    load.Played(5, 1.5, {}, None),
    load.Replay(ResponseProfile(0.1, 0.01, 20, 4)),
    load.Problem("A sentence."),
]
OF_NODES: list[Message] = [
    nodes.Connect("ray://10.0.0.1:10001", 5),
    nodes.Connected([{"cores": 2, "id": "0a1b"}]),
    nodes.Start(1, "load"),
    nodes.ToNode(1, "{}\n"),
    nodes.ToNode(1, None),
    nodes.FromNode(2, "{}\n{}\n"),
    nodes.NodeLost(0, "its load process ended"),
    nodes.CompareClocks([0, 2]),
    nodes.ClocksCompared({0: ClockOffset(-5, 7), 2: ClockOffset(10**18, 1)}),
    nodes.Refused("A sentence."),
]
OF_SERVERS: list[Message] = [
    servers.EngineJob("tag", ["serve", "-x"], {"A": "b"}, ["C"], None, 8000, True),
    servers.EngineStarted(7),
    servers.EngineEnding(),
    servers.EngineEnded(-9),
    servers.EngineRefused("A sentence."),
    SamplerTarget("url", "http://127.0.0.1:1/v1", 5, None, 0.5, True, TO),
    SamplerTarget("url", "http://127.0.0.1:1/v1", 5),
    servers.Sampled(1.5, {"running": 3.0}),
]
ALL = [(load.PROTOCOL, each) for each in OF_LOAD] + [
    (servers.PROTOCOL, each) for each in OF_SERVERS
]
ALL += [(nodes.PROTOCOL, each) for each in OF_NODES]
VALUES = (Measurement, Progress, Repeat, ResponseProfile, Shard)  # inside of messages
SHAPES = [
    (load.PROTOCOL, VALUES, 5, 2534608067),
    (servers.PROTOCOL, (), 2, 1012917144),
    (nodes.PROTOCOL, (ClockOffset,), 1, 1460271723),
]


@pytest.mark.parametrize(("protocol", "message"), ALL, ids=lambda value: type(value).__name__)
def test_a_message_round_trips_unchanged(protocol: Protocol, message: Message) -> None:
    line = protocol.encode(message)
    assert protocol.decode(line) == message
    assert line.count(b"\n") == 1 and line.endswith(b"\n")


def test_every_message_has_a_case_above() -> None:
    tried = {type(message) for _, message in ALL} | {load.Requests}
    protocols = (load.PROTOCOL, servers.PROTOCOL, nodes.PROTOCOL)
    assert tried == {kind for each in protocols for kind in each.messages.values()}


def test_requests_can_be_encoded_and_decoded_twice() -> None:
    seen = [Measurement(0, index, "ok", 0.0, 0.1, token_times=(0.2, 0.3)) for index in range(3)]
    once = load.decode(load.encode(load.Requests(seen)))
    twice = load.decode(load.encode(once))
    assert isinstance(once, load.Requests) and isinstance(twice, load.Requests)
    assert once.measurements() == twice.measurements() == seen


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"", "sent a line that is not a message"),
        (b"{\n", "sent a line that is not a message"),
        (b"[1]\n", "sent a line that is not a message"),
        (b'{"type":"ready"}\n', "different versions"),
        (b'{"version":0,"type":"ready"}\n', "different versions"),
        (b'{"version":5,"type":"song"}\n', "sent an unknown message: song"),
        (b'{"version":5,"type":[]}\n', "sent an unknown message"),
        (b'{"version":5,"type":"begin"}\n', "sent a broken message: begin"),
        (b'{"version":5,"type":"begin","at":1}\n', "sent a broken message: begin"),
        (b'{"version":5,"type":"progress","progress":7}\n', "sent a broken message: progress"),
        (b'{"version":5,"type":"job","config":{},"target":7}\n', "sent a broken message: job"),
        (b'{"version":5,"type":"ready"}\n', "sent ready instead of begin"),
    ],
)
def test_an_invalid_message_or_another_version_is_refused(line: bytes, sentence: str) -> None:
    with pytest.raises(ProtocolProblem, match=sentence) as raised:
        load.expect(load.Begin, line)
    assert str(raised.value).endswith(".")


def shape(protocol: Protocol, values: tuple[Any, ...]) -> int:
    """A number that changes with the names and fields of a protocol's messages and values."""
    kinds: dict[str, Any] = {**protocol.messages, **{kind.__name__: kind for kind in values}}
    named = {name: [field.name for field in fields(kind)] for name, kind in kinds.items()}
    return crc32(repr(sorted(named.items())).encode())


@pytest.mark.parametrize(
    ("protocol", "values", "version", "number"), SHAPES, ids=["load", "servers", "nodes"]
)
def test_a_changed_message_needs_a_new_version(
    protocol: Protocol, values: tuple[Any, ...], version: int, number: int
) -> None:
    """Where this fails, raise VERSION, then write the new numbers into SHAPES."""
    assert (protocol.version, shape(protocol, values)) == (version, number)
