"""Check before a run that this machine has the open files, ports and memory that it needs."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

from services.ask import modes, workloads
from services.ask.config import MOST_PROMPTS, RunConfig
from services.ask.sessions import sessions_of

SPARE_FILES = 128  # descriptors besides the connections
CONNECTS_AT_ONCE = 256
PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
BACKLOG = Path("/proc/sys/net/core/somaxconn")
LOOKED_AT = 2**25  # bytes of last turns that are examined
MEMORY_MOST = 2**30  # bytes of prompts in one repeat: they are built before the first one is sent


class MachineLimit(RuntimeError):
    """This machine cannot carry out the run; the message is a sentence."""


def check(config: RunConfig) -> int:
    """Check that this machine can carry out a run; return the longest prompt, in bytes.

    Raises:
        MachineLimit: the run needs more connections, ports or memory than available.
    """
    if config.on is None:  # otherwise each node checks its own limits
        at_once = modes.at_once(config)
        allow_files(at_once + SPARE_FILES)
        allow_ports(at_once)
    first = modes.starting(config)  # only first turns of sessions: later ones are built when due
    total = longest = 0
    for index in range(min(modes.most(first), MOST_PROMPTS)):  # after these, prompts repeat
        size = len(workloads.prompt(first, 0, index).encode())
        total, longest = total + size, max(longest, size)
        if total > MEMORY_MOST and config.duration_s is None:  # otherwise built when due
            raise MachineLimit(
                f"The prompts of one repeat exceed {MEMORY_MOST // 2**20:,} MiB in total. Send "
                "fewer requests or shorter prompts."
            )
    return max(longest, _longest_of_last_turns(config))


def _longest_of_last_turns(config: RunConfig) -> int:
    """Return the longest prompt of the sessions' last turns, in bytes; 0 without sessions. If there
    are very many or very long ones, only the first are examined."""
    if (sessions := sessions_of(config)) is None:
        return 0
    total = longest = 0
    most = modes.most(config)
    for session in range(min(sessions.count_within(most), MOST_PROMPTS)):
        last = min(sessions.first(session + 1), most) - 1
        answers = _longest_answers(config, last - sessions.first(session))
        size = len(workloads.prompt(config, 0, last, answers=answers).encode())
        total, longest = total + size, max(longest, size)
        if total > LOOKED_AT:
            break
    return longest


def _longest_answers(config: RunConfig, turns: int) -> tuple[str, ...] | None:
    """Return stand-ins for the server's answers, as long as these may be; None if recorded answers
    are sent. A token has at least two bytes."""
    if config.history != "answered":
        return None
    return ("xx" * workloads.longest_answer(config),) * turns


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
