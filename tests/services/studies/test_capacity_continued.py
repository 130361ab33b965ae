"""A search that goes on: what it keeps, and what it needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.analysis.capacity import Step
from services.ask.problems import InvalidConfig
from services.studies.capacity import Capacity, NothingToContinue, continued
from tests.capacities import config_of_servers, searched

ENDED = searched(config_of_servers(probes=5, precision=0.01))


def too_slow(capacity: Capacity, last: int) -> Capacity:
    """The same search, whose client did not offer the last loads."""
    probes = [
        replace(probe, observation=replace(probe.observation, limited=True))
        for probe in capacity.probes[-last:]
        if probe.observation is not None
    ]
    return replace(capacity, probes=(*capacity.probes[:-last], *probes))


def test_a_search_that_has_ended_goes_on_if_it_may_use_more_probes() -> None:
    with pytest.raises(NothingToContinue):
        continued(ENDED)
    more = continued(ENDED, probes=9)
    assert more.probes == ENDED.probes and isinstance(more.next_step(0), Step)
    with pytest.raises(InvalidConfig):
        continued(ENDED, probes=1000)


def test_a_search_that_a_busy_client_ended_goes_on_without_the_probes_that_failed() -> None:
    ended = too_slow(replace(ENDED, config=config_of_servers(precision=0.01)), 3)
    again = continued(ended)
    assert again.probes == ended.probes[:-3] and isinstance(again.next_step(0), Step)


def test_a_search_that_was_cut_short_needs_no_other_settings() -> None:
    assert continued(replace(ENDED, status="cancelled")).config == ENDED.config
