"""The sessions and turns of a run's requests, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.ask import modes
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.ask.measurements import Floats, Measurements, as_table
from services.ask.prefixes import prefixes_of
from services.ask.sessions import Sessions, sessions_of

Numbers = NDArray[np.int64]


def locate(sessions: Sessions, table: Measurements) -> tuple[Numbers, Numbers]:
    """Return the session and the turn of each request, both from 0."""
    index = table.numbers("index").astype(np.int64)
    rounds, rest = np.divmod(index, sessions.starts[-1])
    session = np.searchsorted(np.array(sessions.starts), rest, side="right") - 1
    return rounds * len(sessions.delays_s) + session, rest - np.array(sessions.starts)[session]


def first_turns(measurements: Sequence[Measurement], config: RunConfig) -> Measurements:
    """Return the requests that begin a session or stand alone, and so repeat no history."""
    table = as_table(measurements)
    sessions = sessions_of(config)
    return table.where(locate(sessions, table)[1] == 0) if sessions else table


def history_share(measurements: Sequence[Measurement], config: RunConfig) -> float | None:
    """Return the share of the prompt tokens that an unlimited cache would hold, by the server's own
    counts: of a later turn, the previous prompt and, if the server's answers are the history, its
    answer; of a first turn, the planned part of its shared prefix. None if no later turn is
    known."""
    sessions = sessions_of(config)
    if sessions is None:
        return None
    table = as_table(measurements)
    prompt, output = table.numbers("prompt_tokens"), table.numbers("output_tokens")
    turn, before = locate(sessions, table)[1], _previous_request(table)
    left = prompt + output if config.history == "answered" else prompt
    expected = np.where(before >= 0, left[before], np.nan)
    prefixes = prefixes_of(config)
    expected[turn == 0] = prompt[turn == 0] * (prefixes.of_first if prefixes else 0.0)
    known = ~np.isnan(expected) & ~np.isnan(table.numbers("cached_tokens")) & (prompt > 0)
    if not (known & (turn > 0)).any():
        return None
    return float(np.minimum(expected, prompt)[known].sum() / prompt[known].sum())


def _previous_request(table: Measurements) -> NDArray[np.intp]:
    """The index of the previous request, by repeat and index; -1 if there is none."""
    index = table.numbers("index")
    keys = table.numbers("repeat") * (index.max(initial=0.0) + 2) + index
    order = np.argsort(keys, kind="stable")
    session = np.searchsorted(keys[order], keys - 1)
    found = order[np.minimum(session, len(keys) - 1)] if len(keys) else order
    return np.where(keys[found] == keys - 1, found, -1) if len(keys) else found


def session_times(measurements: Sequence[Measurement], config: RunConfig) -> Floats:
    """Return the session times of one repeat, in seconds (see the glossary): from when the first
    turn was due to the end of the last answer. Only sessions without a failed turn count."""
    sessions = sessions_of(config)
    if sessions is None or not len(measurements):
        return np.empty(0)
    table = as_table(measurements)
    table = table.where(table.are("ok"))
    numbers, _ = locate(sessions, table)
    found, session_index, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    wanted = np.array([_turns(sessions, int(number), config) for number in found], dtype=np.int64)
    begins, ends = np.full(len(found), np.inf), np.full(len(found), -np.inf)
    np.minimum.at(begins, session_index, table.numbers("t_due"))
    np.maximum.at(ends, session_index, table.numbers("t_end"))
    times: Floats = (ends - begins)[counts == wanted]
    return times[~np.isnan(times)]


def _turns(sessions: Sessions, session: int, config: RunConfig) -> int:
    """How many turns a session has; the number of requests may cut the last session short."""
    turns = len(sessions.delays(session))
    left = modes.count(config)
    return turns if left is None else min(turns, left - sessions.first(session))
