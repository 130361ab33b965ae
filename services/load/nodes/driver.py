"""Connects to a Ray cluster: `python -m services.load.nodes.driver`, in the environment of Ray.

It reads messages of `protocol.py` from standard input; when that closes, it ends, and with it
everything that it started on the nodes. Ray Client is blocking, so each node has a thread that
reads and one that writes.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from queue import SimpleQueue
from secrets import token_bytes
from threading import Thread
from time import perf_counter_ns
from typing import Any

from services.base.ipc import Send, sender
from services.load.nodes import echo
from services.load.nodes.actor import ROOT, NodeActor
from services.load.nodes.clocks import ClockOffset, RoundTrip, clock_offset
from services.load.nodes.protocol import (
    PROTOCOL,
    ClocksCompared,
    CompareClocks,
    Connect,
    Connected,
    FromNode,
    NodeLost,
    Refused,
    Start,
    ToNode,
)

WRITE_BYTES = 48 * 2**10  # smaller arguments are not put into Ray's object store
ROUND_TRIPS, RAY_TRIPS = 64, 8  # by UDP, or by Ray's calls if UDP is not answered
SILENT_S = 15.0  # a node that has not answered for this long is lost
START_S = 120.0  # for a node to unpack the shipped files and start
ATTEMPTS = 3  # to connect; Ray's head starts a server for each client, and at times fails to


class ClusterProblem(RuntimeError):
    """The cluster cannot be used; the message is a sentence."""


class RemoteNode:
    """A node, from the driver's side."""

    def __init__(self, ray: Any, number: int, actor: Any, host: str, send: Send) -> None:
        self._ray, self._number, self._actor, self._send = ray, number, actor, send
        self._host, self._token = host, token_bytes(echo.TOKEN_BYTES)
        self._port, self._by_udp = 0, True
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._reader: Thread | None = None
        self._ending = False  # whether the process is being replaced by another
        self._lost = False
        Thread(target=self._process_calls, daemon=True).start()

    def start(self, program: str) -> None:
        """Start a process on the node, after earlier writes; its output is passed on."""
        self._calls.put(lambda: self._start(program))

    def write(self, lines: str | None) -> None:
        """Write lines to its process; None: close its standard input."""
        self._calls.put(lambda: self._write(lines))

    def offset(self) -> ClockOffset | None:
        """Return the offset of its clock; None if it does not answer."""
        try:
            if not self._port:
                self._port = self._call(self._actor.echo, self._token, self._host)
            count = ROUND_TRIPS if self._by_udp else 0
            quick = list(echo.round_trips(self._token, self._host, self._port, count))
            self._by_udp = bool(quick)  # if not, UDP is not tried again
            count = RAY_TRIPS if quick else ROUND_TRIPS
            return clock_offset([*quick, *(self._round_trip() for _ in range(count))])
        except Exception as error:  # of Ray's many
            self._mark_lost(error)
            return None

    def _round_trip(self) -> RoundTrip:
        sent = perf_counter_ns()
        stamp = self._call(self._actor.clock)
        return RoundTrip(sent, stamp, perf_counter_ns())

    def _call(self, method: Any, *arguments: Any) -> Any:
        return self._ray.get(method.remote(*arguments), timeout=SILENT_S)

    def _process_calls(self) -> None:
        while not self._lost:
            call = self._calls.get()
            try:
                call()
            except Exception as error:  # Ray raises many kinds; the node is unavailable
                self._mark_lost(error)

    def _start(self, program: str) -> None:
        self._ending = True
        self._call(self._actor.end)
        if self._reader is not None:
            self._reader.join()
        self._ending = False
        self._call(self._actor.start, program)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _write(self, lines: str | None) -> None:
        if lines is None:
            self._call(self._actor.write, None)
            return
        data = lines.encode()
        for start in range(0, len(data), WRITE_BYTES):
            self._call(self._actor.write, data[start : start + WRITE_BYTES])

    def _read(self) -> None:
        """Pass on the process's output until it ends."""
        try:
            while (data := self._call(self._actor.read)) is not None:
                if data:
                    self._send(FromNode(self._number, data.decode()))
        except Exception as error:  # see `_process_calls`
            self._mark_lost(error)
            return
        if not self._ending:
            self._send(NodeLost(self._number, "its load process ended"))

    def _mark_lost(self, error: Exception) -> None:
        if not self._lost:
            self._lost = True
            self._send(NodeLost(self._number, f"Ray lost contact with it ({type(error).__name__})"))


def connect_nodes(ray: Any, request: Connect, send: Send) -> list[RemoteNode]:
    """Start a node on each machine of the cluster, and report them.

    Raises:
        ClusterProblem: it cannot be reached, or a node does not meet the requirements.
    """
    connect(ray, request.address)
    machines = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    machines.sort(key=lambda node: (node["NodeManagerAddress"], node["NodeID"]))
    if not machines:
        raise ClusterProblem(f"The Ray cluster at {request.address} has no node with a CPU.")
    machines = machines[: request.most]
    actors = [_actor(ray, node["NodeID"]) for node in machines]
    facts = [
        _checked(ray, actor, node, request.address)
        for actor, node in zip(actors, machines, strict=True)
    ]
    send(Connected(facts))
    return [
        RemoteNode(ray, number, actor, machine["NodeManagerAddress"], send)
        for number, (actor, machine) in enumerate(zip(actors, machines, strict=True))
    ]


def connect(ray: Any, address: str) -> None:
    """Connect to the head of a cluster, again if it could not start its server for this client.

    Raises:
        ClusterProblem: it cannot be reached, or failed each time.
    """
    environment = {"py_modules": [str(ROOT / "services")], "excludes": ["**/__pycache__"]}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            ray.init(address, runtime_env=environment, log_to_driver=False, namespace="paceline")
            return
        except ConnectionAbortedError as error:  # with the head's traceback
            ray.shutdown()
            if attempt == ATTEMPTS:
                raise _unusable(address, error, line=-1) from None
        except (RuntimeError, ValueError, OSError) as error:
            raise _unusable(address, error, line=0) from None


def _unusable(address: str, error: Exception, line: int) -> ClusterProblem:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ClusterProblem(
        f"The Ray cluster at {address} cannot be used: {lines[line].rstrip('.')}."
    )


def _actor(ray: Any, node_id: str) -> Any:
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id, soft=False)
    return ray.remote(NodeActor).options(num_cpus=1, scheduling_strategy=strategy).remote()


def _checked(ray: Any, actor: Any, node: Any, address: str) -> dict[str, Any]:
    """Return the facts of a node, after checking that it has what it needs."""
    where = node["NodeManagerAddress"]
    try:
        missing = ray.get(actor.missing.remote(), timeout=START_S)
        if not missing:
            return {"id": node["NodeID"][:8], **ray.get(actor.facts.remote(), timeout=START_S)}
    except Exception as error:  # Ray raises many kinds: no free core, no Python of this version
        lines = str(error).strip().splitlines()
        raise ClusterProblem(
            f"Nothing can be started on node {where} of {address}: "
            f"{type(error).__name__}{f', {lines[-1]}' if lines else ''}. It needs a free core, and "
            "the Python and Ray of this machine's environment."
        ) from None
    raise ClusterProblem(
        f"Node {where} of {address} lacks packages: {', '.join(missing)}. Install them in the same "
        "environment as Ray."
    )


def relay(nodes: list[RemoteNode], send: Send) -> None:
    """Carry out messages until standard input ends."""
    for line in sys.stdin.buffer:
        match PROTOCOL.decode(line):
            case Start(node, program):
                nodes[node].start(program)
            case ToNode(node, lines):
                nodes[node].write(lines)
            case CompareClocks(wanted):
                offsets = {node: nodes[node].offset() for node in wanted}
                send(ClocksCompared({node: each for node, each in offsets.items() if each}))


def main() -> None:
    """Connect, and relay messages until standard input ends."""
    send = sender(PROTOCOL)
    request = PROTOCOL.expect(Connect, sys.stdin.buffer.readline())
    logging.disable(logging.WARNING)
    try:
        import ray
        import ray.util.scheduling_strategies

        nodes = connect_nodes(ray, request, send)
    except ImportError:
        send(Refused("The Python that PACELINE_RAY_PYTHON names has no Ray. Run: make engines-ray"))
        return
    except ClusterProblem as problem:
        send(Refused(str(problem)))
        return
    relay(nodes, send)
    ray.shutdown()


if __name__ == "__main__":
    main()
