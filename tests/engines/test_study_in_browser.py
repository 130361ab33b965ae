"""A study of tensor parallelism on real vLLM from the browser: killed half-way, resumed, and honest
about two halves of one machine."""

from __future__ import annotations

import os
import re
import signal
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import Engine

from db import engines, studies
from jobs.engine_supervisor import process_tag
from services.servers.engines import tagged_processes
from tests.browser.conftest import App, no_trouble, settled
from tests.conftest import until
from tests.engines.conftest import supervisor

PART_S = 900.0  # of the study; two minutes on a quiet machine
pytestmark = [pytest.mark.engines, pytest.mark.timeout(3 * PART_S)]

LINK = (
    "preset=tensor&engine=vllm&batches=1,8&max_tokens=16&ignore_eos=true&max_model_len=1024"
    f"&parallel={quote('TP=1; TP=2; TP=64')}"
)


def started(page: Page, app: App) -> int:
    """Start study from its form, after a look at what cannot run; return its number."""
    page.goto(f"{app.url}/study?{LINK}")
    settled(page)
    expect(
        page.get_by_text("4 of 6 cells can be measured here, on 2 engines, started one after")
    ).to_be_visible()
    page.get_by_role("button", name="Start study").click()
    page.wait_for_url(re.compile(r"/study\?study=\d+"))
    return int(page.url.rpartition("=")[2])


def done(database: Engine, study_id: int) -> int:
    return sum(run.status == "done" for run in studies.load(database, study_id).runs)


def test_tensor_parallelism_killed_half_way_resumes_and_says_how_it_scales(
    app: App, person: BrowserContext
) -> None:
    page = person.new_page()
    with app.database() as database:
        study_id = started(page, app)
        until(lambda: done(database, study_id) >= 1, PART_S)
        (first, *_) = [run.id for run in studies.load(database, study_id).runs]
        (server,) = engines.list_running(database)
        killed = supervisor(app)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(30)
        until(lambda: not tagged_processes(process_tag(database, server.id)), 60)  # no orphan
        page.reload()  # the page sees to it that somebody goes on
        expect(page.get_by_text(re.compile("of 6 cells measured"))).to_be_visible()
        until(lambda: resumed(page, database, study_id), PART_S)
        until(lambda: done(database, study_id) == 4, PART_S)
        until(lambda: not engines.list_running(database), 60)
        study = studies.load(database, study_id)
        assert study.runs[0].id == first, "what was measured is not measured again"
        assert [run.status for run in study.runs[4:]] == ["failed"] * 2
        facts = [run.environment["tensor_parallel"] for run in study.runs[:4]]
        assert facts == [1, 1, 2, 2]
        assert not any(
            tagged_processes(process_tag(database, process.id)) for process in study.engines
        )
    page.reload()
    settled(page)
    no_trouble(page)
    text = page.get_by_test_id("stMain").inner_text().replace("\xa0", " ")
    assert re.search(
        r"TP 2.* (× the throughput of|less throughput than|faster or slower than) TP 1", text
    ), text
    assert "A device here is a share of one CPU's cores" in text
    assert "64 cores" in text


def resumed(page: Page, database: Engine, study_id: int) -> bool:
    """Press Resume as soon as it is there. A kill between two cells leaves nothing to resume."""
    study = studies.load(database, study_id)
    if not any(run.status == "interrupted" for run in study.runs):
        return done(database, study_id) == 4
    if not study.active:
        page.reload()
        settled(page)
        page.get_by_role("button", name="Resume").click()
    return not study.active
