"""The nodes that play one repeat together, as seen by the worker.

Like a `ProcessPool` on one machine, they are prepared one by one and started at the same moment,
which each node gets in the time of its own clock. Its times are measured from there, so they need
no reconciliation. If a node is lost, its requests fail, and the remaining nodes share the next
repeat.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter_ns
from typing import Any, TypeVar

from services.ask import modes
from services.ask.measurement import Progress
from services.base.ipc import LINE_BYTES, Message, ProtocolProblem, Send
from services.base.root import ROOT
from services.load import protocol as load
from services.load.nodes import protocol as cluster
from services.load.nodes.clocks import ClockOffset
from services.load.nodes.facts import nodes_environment, nodes_health, worst_calibration
from services.load.nodes.lost import lost_requests
from services.load.nodes.node_state import NodeState
from services.load.nodes.ray_environment import driver_environment, interpreter
from services.load.process_pool import ProcessPoolProblem, combined, total_progress
from services.load.protocol import (
    Begin,
    Calibrated,
    Environment,
    Job,
    Played,
    PlayRepeat,
    Problem,
    ProgressSeen,
    Ready,
    Replay,
    Requests,
    StopRepeat,
)
from services.load.repeat import OnReady
from services.load.response_profile import ResponseProfile
from services.load.shards import Shard

LEAD_NS = 250_000_000  # from `Begin` to the start, in addition to ROUND_TRIPS of the slowest node
ROUND_TRIPS = 8
STOP_S = 5.0
Expected = TypeVar("Expected", bound=Message)


class NodePool:
    """Plays repeats as `repeat.RepeatPlayer` does, with a load process on each node."""

    def __init__(self, driver: asyncio.subprocess.Process, job: Job, send: Send) -> None:
        self._driver, self._job, self._send = driver, job, send
        self._nodes: list[NodeState] = []
        self._clocks: asyncio.Queue[dict[int, ClockOffset]] = asyncio.Queue()
        self._listening: asyncio.Task[None] | None = None
        self._began_ns = 0

    @classmethod
    async def start(cls, job: Job, send: Send) -> NodePool:
        """Connect to the cluster of the job's config, and `send` the facts about its nodes.

        Raises:
            ProcessPoolProblem: the cluster cannot be used.
        """
        python = interpreter(os.environ)
        try:
            driver = await asyncio.create_subprocess_exec(
                *(str(python), "-m", "services.load.nodes.driver"),
                cwd=ROOT,
                env=driver_environment(os.environ),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES,
            )
        except OSError:
            raise ProcessPoolProblem(
                f"Ray is not installed here: {python} cannot be started. Run: make engines-ray"
            ) from None
        pool = cls(driver, job, send)
        try:
            await pool._connect()
        except BaseException:
            await pool.close()
            raise
        return pool

    async def _connect(self) -> None:
        self._send_to_driver(
            cluster.Connect(self._job.config.on or "", modes.at_once(self._job.config))
        )
        match await self._receive():
            case cluster.Connected(nodes):
                self._nodes = [NodeState(number) for number in range(len(nodes))]
            case cluster.Refused(sentence):
                raise ProcessPoolProblem(sentence)
            case _:
                raise ProcessPoolProblem("The Ray driver ended before it was connected.")
        self._send(Environment({"nodes": nodes_environment(nodes)}))
        self._listening = asyncio.create_task(self._listen())

    def stop(self) -> None:
        """Stop sending, now and later, and end the requests in flight."""
        for node in self._alive():
            self._send_to_driver(cluster.ToNode(node.number, None))

    async def play(self, repeat: int, on_ready: OnReady) -> Played:
        """Play a repeat; requests of a node that is lost meanwhile are recorded as failed.

        Raises:
            ProcessPoolProblem: every node is lost, or one cannot find the backend.
        """
        load_lead_ns = round(modes.schedule(self._job.config, repeat).lead_s * 1e9)
        nodes = await self._start_load()
        for node in nodes:
            node.progress, node.playing, node.reported = None, True, set()
            self._write(node, PlayRepeat(repeat))
        await asyncio.gather(*(self._receive_until(Ready, node) for node in nodes))
        offsets = await self._compare_clocks()
        lead = LEAD_NS + ROUND_TRIPS * max(each.error_ns * 2 for each in offsets.values())
        self._began_ns = await on_ready() + lead
        for node in nodes:
            if node.number in offsets:
                self._write(node, Begin(self._began_ns + offsets[node.number].offset_ns))
        self._began_ns += load_lead_ns  # the nodes count times from there, see `Runner.play`
        answers = await asyncio.gather(*(self._receive_until(Played, node) for node in nodes))
        for node in nodes:
            if node.lost is not None:
                self._record_lost(node, repeat)
        played = [each for each in answers if each is not None]
        if not played:
            raise ProcessPoolProblem(f"Every node was lost; the last one: {nodes[-1].lost}.")
        if progress := self._progress():
            self._send(ProgressSeen(total_progress(progress)))
        health = {**combined(played).health, **nodes_health(nodes, answers, offsets)}
        return replace(combined(played), began_ns=self._began_ns, health=health)

    async def calibrate(self, profile: ResponseProfile) -> dict[str, Any]:
        """Calibrate all nodes at the same time, each at its part of the load; return the worst
        values, with each node's own.

        Raises:
            ProcessPoolProblem: every node is lost.
        """
        nodes = self._start_program("calibration")
        for node in nodes:
            self._write(node, self._job_of(node, {}))
            self._write(node, Replay(profile))
        answers = await asyncio.gather(*(self._receive_until(Calibrated, node) for node in nodes))
        done = [
            {"node": node.number + 1, **each.calibration}
            for node, each in zip(nodes, answers, strict=True)
            if each is not None
        ]
        return worst_calibration(done)

    async def close(self) -> None:
        """End the driver, and with it every process on the nodes."""
        assert self._driver.stdin
        if self._listening is not None:
            self._listening.cancel()
        self._driver.stdin.close()
        try:
            await asyncio.wait_for(self._driver.wait(), STOP_S)
        except TimeoutError:
            self._driver.kill()
            await self._driver.wait()

    def _alive(self) -> list[NodeState]:
        return [node for node in self._nodes if node.lost is None]

    def _start_program(self, program: str) -> list[NodeState]:
        """Start a program on every remaining node, with its part of the load."""
        nodes = self._alive()
        if not nodes:
            raise ProcessPoolProblem("Every node of the Ray cluster was lost.")
        for index, node in enumerate(nodes):
            node.shard, node.program = Shard(index, len(nodes)), program
            self._send_to_driver(cluster.Start(node.number, program))
        return nodes

    async def _start_load(self) -> list[NodeState]:
        """Start load processes, which share the load, on the remaining nodes; return these
        nodes."""
        alive = self._alive()
        if alive and all(node.program and node.shard.of == len(alive) for node in alive):
            return alive
        nodes, offsets = self._start_program("load"), await self._compare_clocks()
        for node in nodes:
            self._write(node, self._job_of(node, offsets))
        return nodes

    def _job_of(self, node: NodeState, offsets: Mapping[int, ClockOffset]) -> Job:
        offset = offsets[node.number].offset_ns if node.number in offsets else 0
        return replace(self._job, shard=node.shard, run_began_ns=self._job.run_began_ns + offset)

    async def _compare_clocks(self) -> dict[int, ClockOffset]:
        """Return the offsets of the clocks of all nodes that answer."""
        self._send_to_driver(cluster.CompareClocks([node.number for node in self._alive()]))
        offsets = await self._clocks.get()
        if not offsets:
            raise ProcessPoolProblem("Every node of the Ray cluster was lost.")
        return offsets

    async def _listen(self) -> None:
        """Put the driver's messages into the nodes' inboxes until it ends, or sends something that
        cannot be read; then every node is lost."""
        why = "the connection to the Ray cluster has ended"
        try:
            while (message := await self._receive()) is not None:
                self._dispatch(message)
        except ProcessPoolProblem as problem:
            why = str(problem).rstrip(".")
        finally:  # whatever happens, nothing may wait for a node any longer
            for node in self._alive():
                self._mark_lost(node, why)
            self._clocks.put_nowait({})

    def _dispatch(self, message: Message) -> None:
        match message:
            case cluster.FromNode(number, lines):
                # Not `splitlines`: an answer may contain U+2028, which JSON leaves as it is.
                for line in filter(None, lines.split("\n")):
                    self._nodes[number].inbox.put_nowait(_decoded(line))
            case cluster.NodeLost(number, sentence):
                self._mark_lost(self._nodes[number], sentence)
            case cluster.ClocksCompared(offsets):
                self._clocks.put_nowait(offsets)

    def _mark_lost(self, node: NodeState, sentence: str) -> None:
        node.lost = node.lost or sentence
        node.inbox.put_nowait(None)

    async def _receive_until(self, kind: type[Expected], node: NodeState) -> Expected | None:
        """Pass on a node's messages until one of `kind`, and return that; None if the node is lost.

        Raises:
            ProcessPoolProblem: the node's process cannot continue.
        """
        while not isinstance(message := await node.inbox.get(), kind):
            if message is None:
                node.inbox.put_nowait(None)  # for the next reader
                node.playing = False
                return None
            if isinstance(message, Problem):
                raise ProcessPoolProblem(f"{node.name}: {message.sentence}")
            self._handle_message(node, message)
        node.playing = isinstance(message, Ready)
        return message

    def _handle_message(self, node: NodeState, message: Message) -> None:
        if isinstance(message, ProgressSeen):
            node.progress = message.progress
            self._report_progress(node)
            return
        if isinstance(message, Requests):
            node.reported.update(row["index"] for row in message.rows if isinstance(row, dict))
        self._send(message)

    def _progress(self) -> list[Progress]:
        return [node.progress for node in self._nodes if node.progress is not None]

    def _report_progress(self, source: NodeState) -> None:
        """See `ProcessPool`."""
        progress, allowed = self._progress(), self._job.config.stop_after_errors
        if allowed is not None and sum(each.failed for each in progress) >= allowed:
            for node in self._alive():
                self._write(node, StopRepeat())
        if source is next((node for node in self._nodes if node.playing), None):
            self._send(ProgressSeen(total_progress(progress)))

    def _record_lost(self, node: NodeState, repeat: int) -> None:
        """Record the requests of a lost node as failed, and count them."""
        config, at_s = self._job.config, max(0.0, (perf_counter_ns() - self._began_ns) / 1e9)
        before = node.progress or Progress(at_s, repeat, 0, 0, 0, 0, 0)
        sentence = f"{node.name}, which was supposed to send this request, was lost: {node.lost}."
        lost = lost_requests(
            config, repeat, node.shard, node.reported, before.in_flight, at_s, sentence
        )
        self._send(Requests(lost))
        failed = before.failed + len(lost)
        node.progress = replace(before, in_flight=0, failed=failed, sent=before.done + failed)

    def _write(self, node: NodeState, message: Message) -> None:
        self._send_to_driver(cluster.ToNode(node.number, load.encode(message).decode()))

    def _send_to_driver(self, message: Message) -> None:
        assert self._driver.stdin
        if not self._driver.stdin.is_closing():
            self._driver.stdin.write(cluster.encode(message))

    async def _receive(self) -> Message | None:
        """Return the driver's next message; None if it has ended.

        Raises:
            ProcessPoolProblem: it cannot be read.
        """
        assert self._driver.stdout
        try:
            line = await self._driver.stdout.readline()
        except ValueError:  # asyncio's, for a line of more than LINE_BYTES
            raise ProcessPoolProblem("A node sent a message that is too long.") from None
        try:
            return cluster.decode(line) if line.endswith(b"\n") else None
        except ProtocolProblem as problem:
            raise ProcessPoolProblem(str(problem)) from None


def _decoded(line: str) -> Message:
    try:
        return load.decode(line.encode())
    except ProtocolProblem as problem:
        return Problem(str(problem))
