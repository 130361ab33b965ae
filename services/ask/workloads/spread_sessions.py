"""Sessions that are spread over several entries: aiperf's, each of whose lines names its session.

An entry with `messages` is never part of one, because it already contains its history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.ask import dialogue
from services.ask.dialogue import Turn
from services.ask.workloads.entry_conversations import delay_s

NAME = "session_id"
OF_TURNS = {"prompt", "text", "texts", "turns"}  # keys of such an entry


@dataclass(frozen=True, slots=True)
class Entry:
    """The prompt of an entry; `limit`: the maximum tokens of its answer (0: not given); `session`:
    the session that it names ("": none); `delay_s`: the delay before it in that session."""

    prompt: str
    limit: int = 0
    session: str = ""
    delay_s: float | None = None


def entry_of(value: Any, prompt: str, limit: int) -> Entry:
    """Return the entry for this value.

    Raises:
        UnusableEntry: its delay is not a number of milliseconds.
    """
    if not isinstance(value, dict) or not isinstance(value.get(NAME), str | int):
        return Entry(prompt, limit)
    if not OF_TURNS & value.keys() or "messages" in value:
        return Entry(prompt, limit)
    return Entry(prompt, limit, str(value[NAME]), delay_s(_first_turn(value)))


def joined(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in their order, with all entries of a session as one, in place of its first.
    Its limit is the largest of its entries."""
    groups: list[list[Entry]] = []
    sessions: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.session in sessions:
            sessions[entry.session].append(entry)
            continue
        groups.append([entry])
        if entry.session:
            sessions[entry.session] = groups[-1]
    return [_one(several) if len(several) > 1 else several[0] for several in groups]


def _one(several: list[Entry]) -> Entry:
    turns: list[Turn] = []
    options: dict[str, Any] = {}
    for entry in several:
        first, *later = dialogue.turns_of(entry.prompt)
        turns += [replace(first, delay_s=entry.delay_s) if turns else first, *later]
        options |= dialogue.options_of(entry.prompt)
    limit = max(entry.limit for entry in several)
    return replace(several[0], prompt=dialogue.to_session(turns, options), limit=limit)


def _first_turn(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first turn of an entry, which may be its only one."""
    turns = value.get("turns")
    first = turns[0] if isinstance(turns, list) and turns else value
    return first if isinstance(first, dict) else {}
