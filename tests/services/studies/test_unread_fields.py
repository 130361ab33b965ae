"""A field of a study's run that has no effect in any cell is named, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from services.ask.problems import InvalidConfig
from services.studies import unread_fields
from services.studies.study_config import StudyConfig, parse_study

SWEEP = {"preset": "concurrency", "engine": None}


def study(run: dict[str, Any], **more: Any) -> StudyConfig:
    return parse_study({**SWEEP, "concurrencies": (2, 4), **more, "run": {"model": "tiny", **run}})


def test_a_value_that_the_study_sets_in_every_run_is_named() -> None:
    batch = study({"mode": "batch", "requests": 8, "concurrency": 3, "max_tokens": 40})
    assert unread_fields.problems(["concurrency", "requests", "max_tokens"], batch) == {
        "concurrency": "concurrency has no effect: the study sets it in every run."
    }


def test_an_axis_of_a_field_replaces_it() -> None:
    lengths = study({"mode": "batch", "max_tokens": 40}, axes=("max_tokens=16,64",))
    with pytest.raises(InvalidConfig, match="max_tokens has no effect: the study sets it in every"):
        unread_fields.check(["max_tokens"], lengths)


def test_what_no_run_reads_is_named_with_the_modes_that_read_it() -> None:
    found = unread_fields.problems(["rate"], study({"mode": "batch", "rate": 3}))
    assert found["rate"].startswith("rate has no effect with mode batch. It requires mode constant")


def test_a_field_with_an_effect_is_not_named() -> None:
    unread_fields.check(["mode", "model", "max_tokens"], study({"mode": "batch", "max_tokens": 40}))
