"""The leaderboard of runs that a link names or filters let through."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import Visit, complaints, link_of, sound, text_of
from tests.stored import store
from tests.values import measured


def three(database: Engine) -> None:
    for n, name in enumerate(("slow", "middle", "fast")):
        many = [measured(i, e2e=4.0 - n) for i in range(3)]
        store(database, many, name=name, tags=["a"] if n else [], usd_per_hour=3.6)


def ranks(at: AppTest) -> list[str]:
    return [cell.partition("]")[0][1:] for cell in at.table[0].value["Run"]]


def test_the_newest_runs_are_ranked_and_lead_to_their_pages(visit: Visit, database: Engine) -> None:
    three(database)
    store(database, status="failed", error="x")
    at = visit("leaderboard")
    assert ranks(at) == ["fast", "middle", "slow"]
    assert at.table[0].value["Run"][0] == "[fast](/result?run=3)"
    (chart,) = at.get("vega_lite_chart")
    assert any(b"/result?run=3" in dataset.data.data for dataset in chart.proto.datasets)
    assert "the ranking compares" not in text_of(at)


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ({"runs": "1,3"}, ["fast", "slow"]),
        ({"tag": "a"}, ["fast", "middle"]),
        ({"text": "slow", "runs": "2,1"}, ["middle", "slow"]),
    ],
)
def test_a_link_chooses_the_runs(
    visit: Visit, database: Engine, link: dict[str, str], wanted: list[str]
) -> None:
    three(database)
    assert ranks(visit("leaderboard", **link)) == wanted


def test_choices_go_into_the_link(visit: Visit, database: Engine) -> None:
    three(database)
    at = visit("leaderboard", runs="1,2,3")
    at.button_group(key="leaderboard-against").set_value("price")
    sound(at.run())
    assert link_of(at) == {"runs": "1,2,3", "against": "price", "by": "throughput"}
    assert "Price against the speed of a request. Up: " in text_of(at)
    assert "title" not in json.loads(at.get("vega_lite_chart")[0].proto.spec), "said once"
    again = visit("leaderboard", runs="1,2", against="price", by="price")
    assert again.button_group(key="leaderboard-by").value == "price"


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("1", "A leaderboard needs at least two runs"),
        ("1,x", "“x” is not a run number."),
        ("1,99", "There is no run 99."),
        ("", "A leaderboard needs at least two runs"),
    ],
)
def test_an_invalid_link_is_reported(
    visit: Visit, database: Engine, runs: str, message: str
) -> None:
    three(database)
    assert message in complaints(visit("leaderboard", runs=runs))


def test_without_prices_the_page_says_where_to_set_one(visit: Visit, database: Engine) -> None:
    store(database), store(database)
    at = visit("leaderboard", against="price")
    assert "None of these runs has a price." in text_of(at)
    assert len(at.table[0].value) == 2


def test_compare_leads_to_the_leaderboard_of_its_runs(visit: Visit, database: Engine) -> None:
    three(database)
    links = visit("compare", runs="3,1", tab="Trade-offs").get("page_link")
    (rank,) = [link for link in links if link.proto.label == "Rank these runs"]
    assert "runs=3%2C1" in rank.proto.query_string or "runs=3,1" in rank.proto.query_string
