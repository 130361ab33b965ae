"""Check before a run that this machine has the open files, ports and memory that it needs."""

from __future__ import annotations

from services.ask import modes, workloads
from services.ask.config import MAX_PROMPTS, RunConfig
from services.ask.sessions import sessions_of
from services.wire import limits

LOOKED_AT = 2**25  # bytes of last turns that are examined
MAX_MEMORY = 2**30  # bytes of prompts in one repeat: they are built before the first one is sent


def check(config: RunConfig) -> int:
    """Check that this machine can carry out a run; return the longest prompt, in bytes.

    Raises:
        MachineLimit: the run needs more connections, ports or memory than available.
    """
    if config.on is None:  # otherwise each node checks its own limits
        at_once = modes.at_once(config)
        limits.allow_files(at_once + limits.SPARE_FILES)
        limits.allow_ports(at_once)
    first = modes.starting(config)  # only first turns of sessions: later ones are built when due
    total = longest = 0
    for index in range(min(modes.max_requests(first), MAX_PROMPTS)):  # after these, prompts repeat
        size = len(workloads.prompt(first, 0, index).encode())
        total, longest = total + size, max(longest, size)
        if total > MAX_MEMORY and config.duration_s is None:  # otherwise built when due
            raise limits.MachineLimit(
                f"The prompts of one repeat exceed {MAX_MEMORY // 2**20:,} MiB in total. Send "
                "fewer requests or shorter prompts."
            )
    return max(longest, _longest_of_last_turns(config))


def _longest_of_last_turns(config: RunConfig) -> int:
    """Return the longest prompt of the sessions' last turns, in bytes; 0 without sessions. If there
    are very many or very long ones, only the first are examined."""
    if (sessions := sessions_of(config)) is None:
        return 0
    total = longest = 0
    most = modes.max_requests(config)
    for session in range(min(sessions.count_within(most), MAX_PROMPTS)):
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
