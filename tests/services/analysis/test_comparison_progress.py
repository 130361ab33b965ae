"""How far runs that take turns are, counted by hand."""

from __future__ import annotations

from dataclasses import replace

from services.analysis.comparison_design import progress_sentence, repeats_done
from services.ask.measurement import Run, RunStatus
from tests.values import run


def so_far(repeats: int, status: RunStatus = "queued", of: int = 5) -> Run:
    stored = run(repeats=repeats, status=status)
    return replace(stored, config=stored.config.model_copy(update={"repeats": of}))


def test_a_round_is_over_when_all_have_been_measured() -> None:
    assert progress_sentence([so_far(0), so_far(0)], "") == "Round 1 of 5, 0 of 10 repeats done"
    level, ahead = so_far(1), so_far(2, "running")
    assert progress_sentence([level, ahead], "about 20 s left") == (
        "Round 2 of 5, 3 of 10 repeats done, about 20 s left"
    )


def test_a_run_that_has_ended_gets_no_more_repeats() -> None:
    assert repeats_done([so_far(2, "cancelled"), so_far(3)]) == (5, 7)
    assert progress_sentence([so_far(5, "done"), so_far(4, "running")], "") == (
        "Round 5 of 5, 9 of 10 repeats done"
    )
