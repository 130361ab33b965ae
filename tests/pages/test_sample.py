"""What a first visitor sees on *Run*: a finished comparison, until there is a run."""

from __future__ import annotations

from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from pages.widgets.sample_panel import form_parameters
from services.ask import link
from services.ask.config import RunConfig
from services.report.sample import sample
from tests.pages.conftest import Visit
from tests.stored import store


def test_an_empty_database_shows_the_sample(visit: Visit) -> None:
    at = visit("run")
    assert len(_badges(at)) == 1
    assert any("Concurrency 4" in each.value for each in at.markdown)
    assert any("It took" in each.value for each in at.caption)


def test_the_sample_can_be_closed(visit: Visit) -> None:
    at = visit("run")
    at.button(key="dismiss-sample").click().run()
    assert not at.exception and not _badges(at)


def test_the_sample_is_not_shown_once_there_is_a_run(visit: Visit, database: Engine) -> None:
    store(database)
    assert not _badges(visit("run"))


def test_the_link_of_the_sample_fills_the_form_with_its_comparison() -> None:
    baseline = sample().candidates[0].run.config
    parameters = form_parameters(sample())
    assert parameters.pop("vs") == "concurrency=4"
    config, problems = link.read(parameters, RunConfig())
    assert not problems
    fields = ("mode", "requests", "concurrency", "max_tokens", "ignore_eos")
    assert [getattr(config, name) for name in fields] == [
        getattr(baseline, name) for name in fields
    ]


def _badges(at: AppTest) -> list[str]:
    return [each.value for each in at.markdown if "Sample" in each.value]
