"""The page Capacity: its form, and a search that goes on, is over, and was cut short."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from db import capacities
from db.runs import NewRun
from services.analysis.capacity import Misses, Observation, Step
from services.ask.config import RunConfig
from services.studies import capacity_link
from services.studies.capacity_config import parse_capacity
from services.studies.capacity_probe import Probe, probe_config
from tests.pages.conftest import Visit, complaints, link_of, sound, text_of

SLOPE = ((1.0, 0), (8.0, 0), (64.0, 2000), (36.0, 180), (33.0, 40), (37.0, 260), (34.0, 90))
MORE = ((32.0, 30), (36.5, 210), (33.5, 60), (35.0, 120), (34.5, 100))


def stored(database: Engine, *, servers: int = 1, probes: Any = SLOPE + MORE) -> int:
    """A search whose probes say what they would of a server that sustains about 34 a second."""
    config = parse_capacity(
        {"servers": [RunConfig(backend="url", model=f"m{n}") for n in range(servers)]}
    )
    number = capacities.create(database, config, "How many?")
    for place, (load, missed) in enumerate(p for p in probes for _ in range(servers)):
        server = place % servers
        capacity = capacities.load(database, number)
        step = Step(load, 60.0)
        run = NewRun(probe_config(config, server, step, place), f"lane {server}")
        capacities.begin(database, capacity, Probe(server, load, 60.0, 0), run)
        seen = Observation(load, (Misses(missed, 2000, 3.0),), int(load * 60), 60.0)
        seen = Observation(**{**_fields(seen), "reached": (0.4 if missed < 100 else 0.7,)})
        capacity = capacities.load(database, number)
        *earlier, last = capacity.probes
        last = Probe(last.server, last.load, last.window_s, last.run_id, seen)
        assert capacities.save_probes(database, capacity, (*earlier, last))
    return number


def first_of(at: AppTest) -> str:
    """The first sentence, without Markdown's backslashes."""
    return str(at.subheader[0].value).replace("\\", "").replace("\xa0", " ")


def _fields(seen: Observation) -> dict[str, Any]:
    return {name: getattr(seen, name) for name in Observation.__slots__}


def test_the_form_says_how_long_it_takes(visit: Visit) -> None:
    at = sound(visit("capacity"))
    assert "Up to 15 probes, each a run" in text_of(at)
    assert [button.label for button in at.button if button.label == "Start search"]


def test_a_finished_search_shows_its_result(visit: Visit, database: Engine) -> None:
    number = stored(database)
    capacities.end(database, number, "done")
    at = sound(visit("capacity", search=str(number)))
    sentence = first_of(at)
    assert at.metric[0].value.endswith(" requests/s") and "95 % interval " in text_of(at)
    assert "requests/s (95 %" in sentence and "TTFT p95 ≤ 500 ms" in sentence
    outcomes, measured = (table.value for table in at.table)
    assert len(outcomes) == len(measured) == len(SLOPE + MORE)
    assert outcomes["Run"][0].endswith("](/result?run=1)")
    assert list(measured["Run"]) == list(outcomes["Run"])
    (listed,) = visit("capacity").table[0].value["Capacity"]
    level, interval = re.sub(r"\\|\u2060", "", listed).replace("\xa0", " ").split("  \n")
    assert level == at.metric[0].value and re.fullmatch(r"\([0-9.]+–[0-9.]+\)", interval)


def test_two_servers_are_distinguished_in_words(visit: Visit, database: Engine) -> None:
    number = stored(database, servers=2)
    capacities.end(database, number, "done")
    at = sound(visit("capacity", search=str(number)))
    text = first_of(at)
    assert "B (" in text and "A (" in text and "sustain the same load within" in text
    assert [tile.label[0] for tile in at.metric] == ["A", "B"]


def test_an_interrupted_search_can_be_resumed(visit: Visit, database: Engine) -> None:
    number = stored(database, probes=SLOPE[:2])
    capacities.end(database, number, "failed", "The server is gone.")
    at = sound(visit("capacity", search=str(number)))
    assert "The server is gone." in text_of(at)
    assert "Resume" in [button.label for button in at.button]


def test_the_run_of_one_user_can_be_watched(visit: Visit, database: Engine) -> None:
    config = parse_capacity({"servers": [RunConfig(backend="url")], "load": "users"})
    number = capacities.create(database, config, "How many?", machine="elsewhere")
    run = NewRun(probe_config(config, 0, Step(1.0, 60.0), 0), "lane")
    capacities.begin(database, capacities.load(database, number), Probe(0, 1.0, 60.0, 0), run)
    at = sound(visit("capacity", search=str(number)))
    labels = [link.proto.label for link in at.get("page_link")]
    assert "Watch the run at 1 user" in labels


def test_an_unknown_search_is_reported(visit: Visit) -> None:
    assert "There is no capacity search 7." in text_of(visit("capacity", search="7"))
    assert "is not a search" in text_of(visit("capacity", search="x"))


def test_a_link_fills_the_form_and_a_choice_goes_into_the_link(visit: Visit) -> None:
    link = {"objectives": "e2e:p99<2,error_rate<0.05,tpot:p50<0.1", "load": "users", "probes": "20"}
    at = sound(visit("capacity", **link))
    assert at.selectbox(key="c-metric").value == "e2e"
    assert at.number_input(key="c-limit").value == 2000
    assert at.number_input(key="c-errors").value == 5
    assert at.text_input(key="c-more").value == "tpot:p50<0.1"
    assert at.number_input(key="c-probes").value == 20
    at.number_input(key="c-limit").set_value(1500.0).run()
    assert link_of(at)["objectives"] == "e2e:p99<1.5,error_rate<0.05,tpot:p50<0.1"
    assert link_of(at)["load"] == "users"


@pytest.mark.parametrize("objectives", ["error_rate<0.01", "ttfa:p95<2,error_rate<0.05"])
def test_a_search_without_a_limit_that_the_fields_express_gets_none(
    visit: Visit, objectives: str
) -> None:
    at = visit("capacity", objectives=objectives)
    assert at.number_input(key="c-limit").value is None
    at.number_input(key="c-probes").set_value(9)
    assert sorted(link_of(sound(at.run()))["objectives"].split(",")) == sorted(
        objectives.split(",")
    )


def test_a_search_needs_an_objective(visit: Visit) -> None:
    at = visit("capacity")
    at.number_input(key="c-limit").set_value(None)
    sound(at.run())
    assert "objective" in complaints(at).lower()
    assert next(each for each in at.button if each.label == "Start search").disabled


def test_every_choice_goes_into_the_link_which_opens_the_same_form(visit: Visit) -> None:
    at = sound(visit("capacity", backend="url", base_url="http://127.0.0.1:9/v1"))
    at.selectbox(key="c-metric").set_value("tpot").run()
    at.selectbox(key="c-at").set_value("p99").run()
    chosen = {"limit": 70.0, "errors": 2.0, "lowest": 2.0, "highest": 90.0, "window_s": 20.0}
    for name, value in (chosen | {"probes": 9, "precision": 0.1}).items():
        at.number_input(key=f"c-{name}").set_value(value).run()
    at.text_input(key="c-more").set_value("e2e:p95<9").run()
    at.segmented_control(key="c-load").set_value("users").run()
    at.toggle(key="c-other").set_value(True).run()
    at.toggle(key="c-other-c").set_value(True).run()
    link = link_of(at)
    assert link["objectives"] == "tpot:p99<0.07,error_rate<0.02,e2e:p95<9"
    elsewhere = sound(visit("capacity", **link))
    assert [each.value for each in elsewhere.number_input] == [e.value for e in at.number_input]
    assert [each.value for each in elsewhere.selectbox] == [each.value for each in at.selectbox]
    assert elsewhere.text_input(key="c-more").value == "e2e:p95<9"
    assert elsewhere.segmented_control(key="c-load").value == "users"
    elsewhere.number_input(key="c-probes").set_value(10).run()
    assert link_of(elsewhere) == link | {"probes": "10"}


def test_a_search_of_four_servers_is_offered_again_with_all_of_them(
    visit: Visit, database: Engine
) -> None:
    number = stored(database, servers=4, probes=SLOPE[:1])
    capacities.end(database, number, "done")
    link = capacity_link.query(capacities.load(database, number).config, RunConfig())
    at = sound(visit("capacity", **link))
    named = [each.value for each in at.subheader if each.value.startswith("Server ")]
    assert named == ["Server A", "Server B", "Server C", "Server D"]
    assert [at.toggle(key=f"c-other{rest}").value for rest in ("", "-c", "-d", "-e")] == [
        True,
        True,
        True,
        False,
    ]


def test_an_invalid_link_is_reported_and_the_form_shows_defaults(visit: Visit) -> None:
    at = visit("capacity", like="x", window_s="-3", objectives="speed<1")
    assert "What is wrong is ignored; the rest of the link applies." in complaints(at)
    assert at.number_input(key="c-window_s").value == 60


def test_a_search_is_offered_again_and_as_a_scenario(visit: Visit, database: Engine) -> None:
    number = stored(database)
    capacities.end(database, number, "done")
    at = sound(visit("capacity", search=str(number)))
    assert "Download scenario" in [each.label for each in at.get("download_button")]


def test_a_search_is_shared_with_its_files_and_shown_read_only(
    visit: Visit, database: Engine
) -> None:
    number = stored(database)
    capacities.end(database, number, "done")
    at = sound(visit("capacity", search=str(number)))
    labels = [each.label for each in at.get("download_button")]
    assert {"Probes (CSV)", "Search (JSON)", "Page that opens offline (HTML)"} <= set(labels)
    at = sound(visit("capacity", search=str(number), view="share"))
    assert "requests/s (95 %" in first_of(at)
    assert [button.label for button in at.button] == []


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("run-max_tokens", 0, "Max tokens must be at least 1"),
        ("run-warmup", -1, "Warm-up requests must be at least 0"),
        ("c-limit", 0.0, "Must be more than 0."),
        ("c-errors", 100.0, "Must be more than 0 and less than 100."),
        ("c-precision", -1.0, "Precision (0.05 is ±5 %) must be"),
        ("c-window_s", -5.0, "Window (s) must be at least 1"),
        ("c-highest", -5.0, "Highest load must be"),
    ],
)
def test_a_value_out_of_range_is_reported_at_its_field_and_starts_nothing(
    visit: Visit, key: str, value: float, sentence: str
) -> None:
    at = visit("capacity")
    at.number_input(key=key).set_value(value)
    sound(at.run())
    assert any(sentence in str(each.value).replace("\\", "") for each in at.caption)
    (start,) = [button for button in at.button if button.label == "Start search"]
    assert start.disabled and at.error
    assert "_s must" not in complaints(at), "a field is called as its label"


def test_a_search_that_has_ended_can_be_continued_with_more_probes(
    visit: Visit, database: Engine
) -> None:
    number = stored(database)  # its server has no address, so it is refused
    capacities.end(database, number, "done")
    at = sound(visit("capacity", search=str(number)))
    (more,) = (button for button in at.button if button.label == "Continue search")
    assert [field.value for field in at.number_input] == [25, 0.05]
    more.click().run()
    assert "Enter the server's address" in text_of(at)
    assert capacities.load(database, number).status == "done"
