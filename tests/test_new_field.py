"""A field that somebody adds to a config is in the form, among the flags, in the API's schema and
in comparisons, and stands in no table."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cli.fields import add, given_fields
from services.analysis.compare.differences import differences
from services.analysis.compare.stored_summary import work_of
from services.ask import about
from services.ask.about import About, field
from services.ask.config import RunConfig
from services.ask.problems import validate
from services.servers.engines import EngineConfig
from services.studies.study_config import StudyConfig
from tests.values import candidate, measured, run


class WithBurst(RunConfig):
    """A run with one more field."""

    burst_s: float | None = field(
        None,
        About(
            "Burst", "How long a burst of requests lasts, in seconds", unit="s", empty="no burst"
        ),
        gt=0,
    )


def _form() -> None:
    import streamlit as st

    from pages.widgets import run_form
    from tests.test_new_field import WithBurst

    st.session_state["asked"] = run_form.ask(WithBurst(), {"backend": "embedded"})


@pytest.mark.long
def test_a_new_field_is_in_the_form_with_its_limits() -> None:
    at = AppTest.from_function(_form, default_timeout=60).run()
    assert not at.exception
    burst = at.number_input(key="run-burst_s")
    assert (burst.label, burst.placeholder) == ("Burst (s)", "no burst")
    assert burst.help == "How long a burst of requests lasts, in seconds"
    assert at.session_state["asked"]["burst_s"] is None
    burst.set_value(-1.0).run()
    assert any("must be more than 0" in caption.value for caption in at.caption)
    at.number_input(key="run-burst_s").set_value(3.0).run()
    assert at.session_state["asked"]["burst_s"] == 3.0


def test_a_new_field_is_a_flag() -> None:
    command = ArgumentParser()
    add(command, WithBurst, WithBurst.model_fields)
    typed = command.parse_args(["--burst", "3"])
    assert validate(WithBurst, given_fields(typed, WithBurst)).burst_s == 3.0
    assert "--burst S" in command.format_help()
    assert "How long a burst of requests lasts, in seconds" in " ".join(
        command.format_help().split()
    )


def test_a_new_field_is_described_in_the_schema_of_the_api() -> None:
    shown: dict[str, Any] = WithBurst.model_json_schema()["properties"]["burst_s"]
    assert shown["title"] == "Burst (s)"
    assert shown["description"] == "How long a burst of requests lasts, in seconds"


def test_runs_that_differ_in_a_new_field_did_different_work() -> None:
    usual, burst = (WithBurst(burst_s=seconds) for seconds in (None, 3.0))
    both = [replace(run(), config=config) for config in (usual, burst)]
    compared = [replace(candidate([measured()]), run=each) for each in both]
    assert [
        difference.values for difference in differences(compared) if difference.field == "burst_s"
    ] == [("not set", "3 s")]
    assert work_of(both[0]) != work_of(both[1])
    plain = replace(run(), config=RunConfig())
    assert work_of(both[0]) == work_of(plain), "what is not set leaves stored keys as they are"


def test_every_field_is_described() -> None:
    for kind in (RunConfig, EngineConfig, StudyConfig):
        assert set(about.fields(kind)) == set(kind.model_fields)
