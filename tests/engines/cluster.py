"""A real Ray cluster on one machine: each node in a network namespace and with a clock of its own.

The nodes and a server are joined by a bridge, over links with delay and loss (`tc netem`). A time
namespace sets each node's monotonic clock, so that the offsets that Paceline estimates are known.
It takes Linux and root.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import psutil

from tests.conftest import ROOT, ReferenceServer

RAY = ROOT / ".venv-ray" / "bin" / "ray"
NET = "10.77.0"
HEAD, GATEWAY, SERVER = f"{NET}.1", f"{NET}.254", f"{NET}.100"
CLIENT_PORT = 10001
READY_S = 180.0
OFFSETS_S = (1000, -20, 86_400)  # of the nodes' clocks, ahead of this machine's
SERVE = """
import asyncio, sys
from services.load.reference import serve
from tests.reference import Faulty
asyncio.run(serve(Faulty, host=sys.argv[1]))
"""


@dataclass(frozen=True)
class Cluster:
    """Where the cluster is, and its nodes' first processes."""

    address: str
    nodes: list[subprocess.Popen[bytes]]
    server: ReferenceServer


def can_make_namespaces() -> bool:
    """Whether this is Linux, and this process may make network and time namespaces."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    return _do("unshare", "-n", "-T", "true", check=False) == 0


def has_netem() -> bool:
    """Whether this kernel can delay and lose packets; without, links are as quick as memory."""
    _do("ip", "netns", "add", "plprobe")
    can = _do(*("tc", "-n", "plprobe", "qdisc", "add", "dev", "lo", "root", "netem"), check=False)
    _do("ip", "netns", "del", "plprobe", check=False)
    return can == 0


@contextmanager
def cluster(nodes: int = 3, delay: str = "1ms", loss: str = "0.1%") -> Iterator[Cluster]:
    """Start a cluster of so many nodes and a reference server."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="paceline-ray-"))
        stack.enter_context(_bridge())
        shaped = has_netem()
        for number in range(1, nodes + 1):
            stack.enter_context(_namespace(f"pl{number}", f"{NET}.{number}", shaped, delay, loss))
        stack.enter_context(_namespace("plserver", SERVER, shaped, delay, loss))
        server = stack.enter_context(_server())
        started = []
        for number in range(1, nodes + 1):
            node = _node(number, folder)
            started.append(node)
            stack.callback(end, node)
            # one after the other: two that join at once want the same files of the session
            _wait(lambda up=number: _ray(f"{HEAD}:6379", up), f"node {number}")
        yield Cluster(f"ray://{HEAD}:{CLIENT_PORT}", started, server)


def end(node: subprocess.Popen[bytes]) -> None:
    """Kill a node at once, with all that runs in its namespace."""
    end_session(node)
    name = str(node.args[3])  # type: ignore[index]
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    for pid in listed.stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def end_session(started: subprocess.Popen[bytes]) -> None:
    """Kill what was started and its children, at once."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(started.pid).children(recursive=True):
            child.kill()
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def _node(number: int, folder: str) -> subprocess.Popen[bytes]:
    head = ("--head", "--port=6379", f"--ray-client-server-port={CLIENT_PORT}")
    join = (f"--address={HEAD}:6379",)
    return subprocess.Popen(
        [
            *("ip", "netns", "exec", f"pl{number}"),
            *("unshare", "-T", "--fork", "--monotonic", str(OFFSETS_S[number - 1])),
            *(str(RAY), "start", "--block", "--num-cpus=2", f"--node-ip-address={NET}.{number}"),
            *("--object-store-memory=100000000", "--disable-usage-stats"),
            *(
                (*head, "--include-dashboard=false", f"--temp-dir={folder}")
                if number == 1
                else join
            ),
        ],
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _ray(address: str, nodes: int) -> bool:
    status = subprocess.run(
        ["ip", "netns", "exec", "pl1", str(RAY), "status", f"--address={address}"],
        capture_output=True,
        text=True,
    )
    return status.stdout.count(" node_") >= nodes and f"/{nodes * 2}.0 CPU" in status.stdout


@contextmanager
def _server() -> Iterator[ReferenceServer]:
    process = subprocess.Popen(
        ["ip", "netns", "exec", "plserver", sys.executable, "-c", SERVE, SERVER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    server = ReferenceServer(int(process.stdout.readline()), SERVER)
    yield server
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()


@contextmanager
def _bridge() -> Iterator[None]:
    _do("ip", "link", "add", "plbridge", "type", "bridge")
    try:
        _do("ip", "addr", "add", f"{GATEWAY}/24", "dev", "plbridge")
        _do("ip", "link", "set", "plbridge", "up")
        yield
    finally:
        _do("ip", "link", "del", "plbridge", check=False)


@contextmanager
def _namespace(name: str, address: str, shaped: bool, delay: str, loss: str) -> Iterator[None]:
    _do("ip", "netns", "add", name)
    try:
        inside = ("ip", "-n", name)
        _do("ip", "link", "add", f"{name}v", "type", "veth", "peer", "eth0", "netns", name)
        _do("ip", "link", "set", f"{name}v", "master", "plbridge", "up")
        _do(*inside, "addr", "add", f"{address}/24", "dev", "eth0")
        _do(*inside, "link", "set", "lo", "up")
        _do(*inside, "link", "set", "eth0", "up")
        if shaped:
            netem = ("netem", "limit", "100000", "delay", delay, "loss", loss)
            _do("tc", "-n", name, "qdisc", "add", "dev", "eth0", "root", *netem)
        yield
    finally:
        _do("ip", "netns", "del", name, check=False)
        _do("ip", "link", "del", f"{name}v", check=False)


def _wait(holds: Callable[[], bool], what: str) -> None:
    end_at = time.monotonic() + READY_S
    while not holds():
        assert time.monotonic() < end_at, f"{what} did not start within {READY_S:.0f} s"
        time.sleep(0.5)


def _do(*command: str, check: bool = True) -> int:
    return subprocess.run(command, check=check, capture_output=not check).returncode
