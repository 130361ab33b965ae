"""The requests of a lost node, which are kept as failed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from services.ask import modes
from services.ask.config import RunConfig
from services.ask.measurement import NODE_LOST, Measurement
from services.ask.modes import Schedule
from services.ask.sessions import sessions_of
from services.load.shards import Shard


def lost_requests(
    config: RunConfig,
    repeat: int,
    shard: Shard,
    reported: Collection[int],
    in_flight: int,
    at_s: float,
    sentence: str,
) -> list[Measurement]:
    """Return the failed requests of a shard whose node was lost `at_s` seconds after the repeat
    began: those that were or would have been due and that it has not `reported`. If users send
    requests for a given time, their number depends on the answers; then only those count that were
    in flight at the node's last report (`in_flight`).
    """
    schedule = shard.schedule(modes.schedule(config, repeat))
    planned = _planned(config, schedule, shard)
    most = in_flight if schedule.users and config.duration_s is not None else None
    missing = islice((request for request in planned if request[0] not in reported), most)
    return [
        Measurement(
            repeat,
            index,
            "failed",
            t_due=at_s if due is None else due,
            error_class=NODE_LOST,
            error=sentence,
        )
        for index, due in missing
    ]


def _planned(
    config: RunConfig, schedule: Schedule, shard: Shard
) -> Iterator[tuple[int, float | None]]:
    """The requests of a shard in order, and when each is due; None: due after an answer."""
    sessions, most = sessions_of(config), modes.max_requests(config)
    for start, number in enumerate(shard.indices(len(schedule.due_s) * shard.of)):
        due = None if schedule.users else schedule.due_s[start]
        if sessions is None:
            yield number, due
            continue
        first = sessions.first(number)
        for turn in range(len(sessions.delays(number))):
            if first + turn < most:
                yield first + turn, None if turn else due
