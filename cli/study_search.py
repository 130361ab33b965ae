"""Following a study that searches for capacities to its end."""

from __future__ import annotations

from itertools import count as counted
from threading import Event
from time import sleep

from tqdm import tqdm

import jobs
from db import studies
from db.database import opened
from jobs import studies as study_jobs
from jobs.retry import with_retries
from services.studies.study import Study

POLL_S = 0.5
ENSURE_EVERY = 4


def until_searched(study_id: int, stop: Event, hidden: bool) -> Study:
    """Return the study when no search of it goes on any more. `stop` cancels it; `hidden`: without
    the bar. Raises StudyNotFound, QueueProblem."""
    with tqdm(unit=" probes", disable=hidden, leave=False) as bar:
        for count in counted():
            stored = with_retries(
                lambda: studies.load(opened(), study_id), "The database cannot be read", bar.write
            )
            bar.update(sum(len(search.capacity.probes) for search in stored.searches) - bar.n)
            if not stored.active:
                return stored
            if stop.is_set():
                study_jobs.cancel(opened(), study_id)
            if count % ENSURE_EVERY == 0:
                jobs.ensure(opened())
            sleep(POLL_S)
    raise AssertionError("a study ends")
