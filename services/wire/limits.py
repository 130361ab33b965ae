"""How many open files, ports and new connections this machine allows."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

SPARE_FILES = 128  # descriptors besides the connections
CONNECTS_AT_ONCE = 256
PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
BACKLOG = Path("/proc/sys/net/core/somaxconn")


class MachineLimit(RuntimeError):
    """This machine cannot carry out the run; the message is a sentence."""


def allow_files(needed: int) -> None:
    """Raise this process's limit on open files to `needed`.

    Raises:
        MachineLimit: the machine's hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise MachineLimit(
            f"This machine lets a process open {hard:,} files, and the run needs {needed:,} "
            "connections at once. Set a lower concurrency, or raise the limit (ulimit -Hn)."
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def allow_ports(needed: int, setting: Path = PORTS) -> None:
    """Check that there are enough local ports for `needed` connections to one server.

    Raises:
        MachineLimit: the range of ports for outgoing connections is smaller.
    """
    with suppress(OSError):  # only Linux has the file; on other systems connecting may fail
        low, high = map(int, setting.read_text().split())
        if needed > high - low + 1:
            raise MachineLimit(
                f"This machine has {high - low + 1:,} ports for outgoing connections, and the run "
                f"needs {needed:,} at once. Set a lower concurrency, or widen the range "
                "(sysctl net.ipv4.ip_local_port_range)."
            )


def connects_at_once(setting: Path = BACKLOG) -> int:
    """Return how many connections to open at a time: no more than a local listener's backlog holds,
    since those beyond are dropped and retried by the kernel a second later."""
    with suppress(OSError):
        return max(1, min(CONNECTS_AT_ONCE, int(setting.read_text()) // 2))
    return min(CONNECTS_AT_ONCE, 64)
