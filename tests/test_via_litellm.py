"""LiteLLM as the client, in the worker's own process, against the reference server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from db import results, runs
from services import theme
from services.checks import doubts
from services.export.contents import contents
from services.summary import summarize
from services.terminal import list_text, run_text
from tests.conftest import ReferenceServer, finished

Submit = Callable[..., int]


def test_a_run_through_litellm_is_measured_and_says_so(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(
        "ref tokens=6 gap=0.02", client="litellm", mode="batch", requests=4, warmup=1
    )
    run = finished(database, run_id)
    assert (run.status, run.error) == ("done", None)
    measured = runs.measurements(database, run_id, texts=True)
    assert [m.output_tokens for m in measured] == [6] * 4
    assert {m.answer for m in measured} == {" w0 w1 w2 w3 w4 w5"}
    assert all(len(m.token_times) == 6 and m.finish_reason == "length" for m in measured)
    assert run.repeats[0].health["clock"] == "loop"
    assert "litellm" in run.environment
    titles = [doubt.title for doubt in doubts(run, measured, summarize(measured))]
    assert any("LiteLLM" in title for title in titles)
    (row,) = runs.search(database)
    assert row.headline["via"] == "via LiteLLM"
    assert theme.label(run).endswith(" · via LiteLLM")
    (one,) = results.candidates(database, [run_id])
    assert "via LiteLLM" in run_text(one).splitlines()[0]
    assert "via LiteLLM" in list_text([row])
    assert "via LiteLLM" in contents([one]).lead


@pytest.mark.parametrize(
    ("model", "error_class"),
    [
        ("ref status=401", "http_4xx"),
        ("ref status=404", "http_4xx"),
        ("ref status=429", "http_429"),
        ("ref status=503", "http_5xx"),
        ("ref fault=hang", "timeout"),
        ("ref fault=error after=2", "stream_error"),
    ],
)
def test_its_exceptions_become_our_error_classes_and_nothing_is_asked_twice(
    database: Engine,
    reference: ReferenceServer,
    reference_run: Submit,
    model: str,
    error_class: str,
) -> None:
    before = reference.told()["state"]["requests"]
    run_id = reference_run(model, client="litellm", mode="batch", requests=2, warmup=0, timeout_s=2)
    finished(database, run_id)
    measured = runs.measurements(database, run_id)
    assert [(m.status, m.error_class) for m in measured] == [("failed", error_class)] * 2, measured
    assert reference.told()["state"]["requests"] - before == 2
