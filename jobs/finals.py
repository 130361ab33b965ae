"""What happens in a study after the capacity of each of its configurations has been searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Engine

from db import studies, study_searches
from db.study_searches import NewSearch
from jobs.supervisor_lock import machine_id
from services.studies.capacity import Capacity
from services.studies.configuration import engine_labels
from services.studies.highest import PlannedSearch, final_searches
from services.studies.study import Study


def begin_finals(database: Engine, ending: Capacity) -> None:
    """Queue the searches on fresh starts of the two best configurations, if `ending` was the last
    search that they waited for. Raises StudyNotFound."""
    assert ending.study_id is not None
    study = studies.load(database, ending.study_id)
    if study.config.search is None:
        return
    searches = [
        replace(search, capacity=ending) if search.capacity.id == ending.id else search
        for search in study.searches
    ]
    if following := final_searches(searches, study.config.search):
        new = _with_names(study, following)
        study_searches.add_finals(database, ending, len(searches), new, machine_id(), ending.origin)


def _with_names(study: Study, following: Sequence[PlannedSearch]) -> list[NewSearch]:
    labels = engine_labels(search.engine for search in study.searches)
    return [
        NewSearch(search, f"{labels[search.engine]} · fresh start {search.start}")
        for search in following
    ]
