"""What is shown of runs that are stored: of one, of several, of those that failed."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from db import queue, recording, results, runs, shares
from jobs.supervisor_lock import supervisor_file
from pages.widgets import result_tabs
from services.ask.measurement import Progress, Repeat, Sample
from services.report.export.tables import requests_csv
from tests.pages.conftest import (
    Visit,
    complaints,
    controls,
    deletion,
    link_of,
    listed_runs,
    opened_panel,
    sound,
    text_of,
)
from tests.stored import store
from tests.values import NOON, failed, measured, repeats

SECRET = "words of my own"


def values(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def headings(at: AppTest) -> list[str]:
    texts = (heading.value.replace("\xa0", " ") for heading in at.subheader)
    return [re.sub(r"\\(.)", r"\1", text) for text in texts]


def specs(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")]


def test_a_result_has_figures_charts_and_requests(visit: Visit, database: Engine) -> None:
    store(database, [measured(i) for i in range(3)], tags=["a tag"], note="a note")
    at = visit("result", run="1")
    assert len(at.metric) == 5
    assert values(at)["E2E latency, median"] == "3.00 s"
    assert len(specs(at)) == 3
    at.session_state["more-charts"] = True  # as a click on it does
    assert len(specs(at.run())) == 4
    assert "a note" in [text.value for text in at.text]
    assert not complaints(at)
    assert len(specs(visit("result", run="1", tab="timeline"))) == 3
    assert "Every request" in headings(visit("result", run="1", tab="requests"))
    numbers = visit("result", run="1", tab="numbers")
    assert "What are the numbers?" in headings(numbers)
    assert "How much do the repeats differ?" not in headings(numbers)


def test_an_unknown_tab_is_reported(visit: Visit, database: Engine) -> None:
    store(database)
    assert "There is no tab “x” here." in complaints(visit("result", run="1", tab="x"))
    assert not complaints(visit("result", run="1", tab="setup"))


def test_a_server_that_was_watched_is_shown_below_its_requests(
    visit: Visit, database: Engine
) -> None:
    run_id = store(database, [measured(i) for i in range(3)])
    recording.add_repeat(database, run_id, Repeat(0, NOON, 3.0, {"t": 5.0}))
    for t in range(10):
        recording.add_sample(
            database, run_id, Sample(float(t), {"running": 3.0, "preemptions": 1.0})
        )
    at = visit("result", run="1", tab="timeline")
    questions = headings(at)
    assert questions.index("What did the server do during the run?") == 1 + questions.index(
        "What did each request wait for?"
    )
    assert "Server metrics" in headings(visit("result", run="1", tab="numbers"))
    assert "The server preempted requests (1 time)" in complaints(at)
    assert len(specs(visit("live", run="1"))) == 1


def test_several_repeats_are_shown_beside_each_other(visit: Visit, database: Engine) -> None:
    store(database, [measured(i, repeat=r) for r in range(3) for i in range(2)], repeats=3)
    assert "How much do the repeats differ?" in headings(visit("result", run="1", tab="numbers"))


def test_failures_are_reported_beside_the_numbers(visit: Visit, database: Engine) -> None:
    store(database, [measured(0), failed(1, "http_5xx", error="HTTP 500: *no*", http_status=500)])
    at = visit("result", run="1")
    assert "1 of 2 requests failed" in complaints(at)
    assert values(at)["Error rate"] == "50.0 %"
    assert ":orange-badge[:material/warning: 1 warning]" in [each.value for each in at.markdown]
    html = "".join(each.proto.body for each in visit("history").get("html"))
    assert 'title="1 of 2 requests failed">1 warning</span>' in html
    assert "What failed?" in headings(at)


def test_a_mix_reports_each_class(visit: Visit, database: Engine) -> None:
    both = [measured(i, e2e=2.0 + 4 * (i % 2)) for i in range(6)]
    store(database, both, workload="mixed", requests=6)
    at = visit("result", run="1")
    assert "How do short and long requests compare?" in headings(at)
    columns = next(table.value.columns for table in at.table if "Short" in table.value.columns)
    assert list(columns[1:]) == ["Short", "Long"]
    at = visit("result", run="1", tab="requests")
    assert set(at.dataframe[0].value["class"]) == {"short", "long"}
    store(database)
    assert "How do short and long requests compare?" not in headings(visit("result", run="2"))
    at = visit("result", run="2", tab="requests")
    assert "class" not in at.dataframe[0].value.columns


def test_a_request_has_one_number_on_the_page_in_charts_and_in_the_csv(
    visit: Visit, database: Engine
) -> None:
    twice = [measured(i, repeat=r) for r in range(2) for i in range(3)]
    run_id = store(database, twice, requests=3, repeats=2)
    at = visit("result", run=str(run_id), tab="requests")
    table = at.dataframe[0].value
    assert list(table["request"]) == [1, 2, 3, 4, 5, 6]
    assert list(table["repeat"]) == [1, 1, 1, 2, 2, 2]
    assert "index" not in table.columns
    lines = csv.DictReader(
        io.StringIO(
            b"".join(requests_csv([results.candidate(database, run_id)])).decode(), newline=""
        )
    )
    rows = list(lines)
    assert [int(row["Request Number"]) for row in rows] == list(table["request"])
    assert [int(row["index"]) for row in rows] == [0, 1, 2, 0, 1, 2], "what identifies it, from 0"


def test_a_run_without_successes_shows_no_empty_figures_or_charts(
    visit: Visit, database: Engine
) -> None:
    store(database, [failed(0), failed(1)], status="failed", error="No request succeeded.")
    at = visit("result", run="1")
    assert not at.metric
    assert headings(at) == ["What failed?"]
    assert headings(visit("result", run="1", tab="timeline"))[0] == (
        "What did each request wait for?"
    )
    assert "No request succeeded." in complaints(at)


@pytest.mark.parametrize("status", ["interrupted", "cancelled", "failed", "queued", "running"])
def test_a_run_without_a_request_says_so(visit: Visit, database: Engine, status: str) -> None:
    store(database, [], status=status)
    at = visit("result", run="1")
    assert "This run has no measured requests." in text_of(at)
    labels = [link.proto.label for link in at.get("page_link")]
    assert ("Watch live" in labels) == (status in ("queued", "running"))


TABS = ("Ratios", "Requests", "Trade-offs", "Over time", "Numbers", "Setup")


@pytest.mark.parametrize("count", [2, 3, 8])
def test_a_comparison_shows_verdicts_charts_and_tables(
    visit: Visit, database: Engine, count: int
) -> None:
    for n in range(count):
        store(database, [measured(i, e2e=3.0 + n) for i in range(4)], name=f"number {n}")
    compared = {"runs": ",".join(map(str, range(1, count + 1)))}
    shown = {tab: visit("compare", tab=tab, **compared) for tab in TABS}
    assert text_of(shown["Ratios"]).count("in these repeats") == count - 1
    drawn = {tab: len(specs(at)) for tab, at in shown.items() if specs(at)}
    # not those of several repeats, of a sweep, and of cost
    assert drawn == {"Ratios": 1, "Requests": 4, "Trade-offs": 1, "Over time": 3}
    assert "What are the numbers?" in headings(shown["Numbers"])
    settings = [expander.label for expander in shown["Setup"].expander]
    assert "Config and environment" in settings


def test_each_run_has_a_row_of_figures_with_its_diagnostics_below(
    visit: Visit, database: Engine
) -> None:
    for name, slower in (("A", 1.0), ("B", 0.5), ("C", 1.0)):
        store(database, repeats(slower), name=name, repeats=3)
    pair = visit("compare", runs="1,2")
    assert values(pair) == {
        "A (baseline)": "6.67 tokens/s",
        "B": "13.3 tokens/s",
        "Ratio": "2.00×",
    }
    assert pair.metric[2].delta.replace("\\", "") == "▲ faster (95 % 1.91–2.09)"
    of_runs = " ".join(expander.label for expander in pair.expander)
    assert "note" in of_runs
    whole = visit("compare", runs="1,2,3")
    assert headings(whole)[0] == (
        "B has 2.00× the output throughput of A; of 2 runs, 1 is faster and 1 is "
        "inconclusive, at 1.00× to 2.00×"
    )
    rows = whole.table[0].value.iloc[:, 1].tolist()
    assert [row.partition(", ")[0] for row in rows] == [
        "",
        ":green[▲\xa0faster",
        ":gray[?\xa0inconclusive",
    ]


def test_charts_that_the_runs_cannot_fill_are_not_shown(visit: Visit, database: Engine) -> None:
    for at_once in (2, 4):
        store(database, [measured(i) for i in range(at_once)])
    store(database, [measured(i, repeat=repeat) for repeat in (0, 1) for i in range(2)])

    def asked(tab: str, runs: str) -> list[str]:
        return headings(visit("compare", runs=runs, tab=tab))[1:]

    first, agree = "How does each run compare with the baseline?", "Do the repeats agree?"
    assert asked("Ratios", "1,2") == [first]
    assert asked("Ratios", "1,3") == asked("Ratios", "1,2,3") == [first, agree]
    trade, grows = (
        "How does throughput affect each request?",
        "How does latency grow with concurrency?",
    )
    assert asked("Trade-offs", "1,3") == [trade]
    assert asked("Trade-offs", "1,2,3") == [trade, grows]


def test_a_ratio_and_its_interval_stay_on_one_line(visit: Visit, database: Engine) -> None:
    for slower in (1.0, 2.0):
        times = ((r, 3.0 * slower * f) for r, f in enumerate((1.00, 1.02, 0.98)))
        store(database, [measured(0, repeat=r, e2e=e2e) for r, e2e in times], repeats=3)
    numbers = visit("compare", runs="1,2", tab="Numbers").table[0].value
    by_name = numbers.set_index(numbers.columns[0])
    cell = by_name.loc["E2E latency, mean"].iloc[1]
    value, ratio = re.sub(r"\\(.)", r"\1", cell).split("  \n")
    assert value == "6.00\xa0s"
    assert ratio == "2.00×\xa0(1.91\N{WORD JOINER}–\N{WORD JOINER}2.09)"


def test_a_run_has_one_colour_whatever_it_is_compared_with(visit: Visit, database: Engine) -> None:
    for _ in range(4):
        store(database)

    def colours(name: str) -> dict[str, str]:
        colour_of: dict[str, str] = {}
        for spec in specs(visit("compare", runs=name, tab="Requests")):
            for layer in spec["layer"]:
                scale = layer.get("encoding", {}).get("color", {}).get("scale") or {}
                colour_of |= dict(
                    zip(scale.get("domain", []), scale.get("range", []), strict=False)
                )
        return {label.removeprefix("run "): colour for label, colour in colour_of.items()}

    pair, all_four = colours("3,2"), colours("1,2,3,4")
    assert pair["2"] == all_four["2"] != all_four["3"] == pair["3"]


def test_choices_on_compare_go_into_the_url(visit: Visit, database: Engine) -> None:
    store(database), store(database), store(database)
    at = visit("compare")
    at.multiselect[0].set_value([3, 1])
    sound(at.run())
    assert link_of(at) == {"runs": "3,1"}
    assert text_of(at).count("in these repeats") == 1


def test_another_run_becomes_the_baseline_of_a_comparison(visit: Visit, database: Engine) -> None:
    for slower in (1.0, 1.5, 2.0):
        store(database, repeats(slower), repeats=3, requests=4)
    at = visit("compare", runs="1,2,3")
    at = sound(at.button(key="open-compare-Runs and margin").click().run())
    assert at.selectbox(key="baseline").value == 1
    at = sound(at.selectbox(key="baseline").set_value(3).run())
    assert link_of(at) == {"runs": "3,1,2"}
    assert at.selectbox(key="baseline").value == 3
    assert at.multiselect(key="chosen").value == [3, 1, 2]


@pytest.mark.parametrize(
    ("within", "headline"),
    [
        ({}, "B is as fast as A, within ±5 %"),
        ({"within": "1"}, "B has 2.0 % higher output throughput than A"),
        ({"within": "0"}, "B is as fast as A, within ±5 %"),
        ({"within": "nan"}, "B is as fast as A, within ±5 %"),
        ({"within": "ten"}, "B is as fast as A, within ±5 %"),
    ],
)
def test_the_margin_of_a_comparison_is_in_its_link(
    visit: Visit, database: Engine, within: dict[str, str], headline: str
) -> None:
    vary = (1.000, 1.001, 0.999)
    store(database, repeats(1.00, vary), name="A", repeats=3)
    store(database, repeats(0.98, vary), name="B", repeats=3)
    at = visit("compare", runs="1,2", **within)
    assert headings(at)[0] == headline
    refused = "is not a valid margin and was ignored." in text_of(at)
    assert refused == (within.get("within") in ("0", "nan", "ten"))
    at = sound(at.button(key="open-compare-Runs and margin").click().run())
    at.number_input(key="within").set_value(1.0)
    sound(at.run())
    assert headings(at)[0] == "B has 2.0 % higher output throughput than A"
    assert link_of(at) == {"runs": "1,2", "within": "1"}


@pytest.mark.parametrize(
    ("page", "parameters"),
    [
        *(("result", {"run": "1", "tab": tab}) for tab in result_tabs.LABELS),
        ("compare", {"runs": "1,2"}),
        ("live", {"run": "1"}),
    ],
)
def test_a_shared_page_has_no_controls_and_no_prompt(
    visit: Visit, database: Engine, page: str, parameters: dict[str, str]
) -> None:
    answered = [measured(i, answer="an answer of a model") for i in range(3)]
    for _ in range(2):
        store(database, answered, workload="text", prompt=SECRET)
    at = visit(page, view="share", **parameters)
    assert set(controls(at)) <= {"page_link"}  # to the glossary, and from a run that has ended
    whole = str(at) + "".join(str(element.proto) for element in at.main)
    assert SECRET not in whole
    assert "an answer of a model" not in whole


@pytest.mark.parametrize(
    ("page", "parameters", "shown"),
    [("result", {"run": "1"}, [1]), ("compare", {"runs": "2,1"}, [2, 1])],
)
def test_a_share_link_is_created_shown_and_revoked(
    visit: Visit, database: Engine, page: str, parameters: dict[str, str], shown: list[int]
) -> None:
    store(database), store(database)
    at = visit(page, **parameters)
    at.selectbox(key="share-days").set_value("never")
    at.toggle(key="share-texts").set_value(True)
    at = sound(at.run())
    assert "Make sure they contain nothing private." in complaints(at)
    at = sound(at.button(key="share-create-0").click().run())
    (share,) = shares.list_all(database, shown)
    assert (share.texts, share.expires_at) == (True, None)
    assert share.path in " ".join(code.value for code in at.code)
    assert "never expires, with prompts and answers" in text_of(at)
    at = sound(at.button(key=f"revoke-{share.token}").click().run())
    assert shares.list_all(database) == []
    assert "/share/" not in " ".join(code.value for code in at.code)


def test_the_result_page_shows_prompts_and_answers(visit: Visit, database: Engine) -> None:
    store(database, [measured(0, answer="an answer")], workload="text", prompt=SECRET)
    texts = [area.value for area in visit("result", run="1", tab="requests").text_area]
    assert any(SECRET in text for text in texts)
    assert "an answer" in texts


def test_the_result_shows_how_long_was_measured(visit: Visit, database: Engine) -> None:
    store(database, repeats(1.0, (1, 1, 1))), store(database, status="running")
    assert " · measured for 3 s" in text_of(visit("result", run="1"))
    assert "measured for" not in text_of(visit("live", run="2"))


def test_a_run_of_any_server_is_shown_with_its_address(visit: Visit, database: Engine) -> None:
    store(database, name="mine", backend="url", base_url="http://10.0.0.5:8000/v1")
    assert "Run 1 · 10.0.0.5:8000 · tiny" in text_of(visit("result", run="1")).replace("\\", "")


def test_a_queued_run_says_what_it_waits_for(visit: Visit, database: Engine) -> None:
    store(database, [], status="running", name="First")
    store(database, status="queued"), store(database, status="queued")
    pages = [visit("live", run=run) for run in ("2", "3")]
    first = "Queued: run 1, “First”, is being measured on the same server"
    assert [bar_text(at) for at in pages] == [f"{first}.", f"{first}, then 1 more run."]
    (link,) = pages[0].get("page_link")
    assert (link.proto.label, link.proto.query_string) == ("Watch that run", "run=1")


def test_a_run_first_in_the_queue_shows_that_it_starts(visit: Visit, database: Engine) -> None:
    store(database, status="queued")
    assert bar_text(visit("live", run="1")) == "Next in line: it starts within seconds."


def bar_text(at: AppTest) -> str:
    return re.sub(r"\\(.)", r"\1", at.progress[0].proto.text)


def test_the_warm_up_is_named_as_the_phase(visit: Visit, database: Engine) -> None:
    run_id = store(database, [], status="running", requests=4, warmup=3)
    queue.heartbeat(database, run_id, "Warming up")
    at = visit("live", run="1")
    text = "Warming up with 3 requests that do not count, about"
    assert bar_text(at).startswith(text), "by the estimate of the plan"


def test_a_running_run_shows_how_often_requests_were_sent_again(
    visit: Visit, database: Engine
) -> None:
    run_id = store(database, [measured(0)], status="running", requests=4, retries=3)
    for repeat, sent_again in ((0, 2), (0, 5), (1, 1)):
        at = Progress(1.0 + sent_again + 9 * repeat, repeat, 1, 0, 1, 0, 10, sent_again=sent_again)
        recording.add_progress(database, run_id, at)
    assert values(visit("live", run=str(run_id)))["Sent again"] == "6"


def test_a_running_run_shows_how_far_it_is(visit: Visit, database: Engine) -> None:
    gone = failed(1, "connect", error="Nothing answers at 127.0.0.1:8000.")
    run_id = store(database, [measured(0), gone], status="running", requests=4)
    recording.add_repeat(database, run_id, Repeat(0, NOON))  # it is not over
    for t in range(1, 6):
        recording.add_progress(database, run_id, Progress(float(t), 0, 3, 1, 1, 1, t * 10))
    queue.heartbeat(database, run_id, "Measuring, repeat 1 of 1")
    at = visit("live", run="1")
    assert values(at) == {"Tokens/s so far": "10.0", "In flight": "1", "Done": "1", "Failed": "1"}
    assert bar_text(at) == "Repeat 1 of 1: 2 of 4 requests, about 4 s left"
    assert complaints(at) == "The first failed request: Nothing answers at 127.0.0.1:8000."
    assert len(specs(at)) == 1
    assert [button.label for button in at.button] == ["Cancel"]
    assert [button.proto.label for button in at.get("download_button")] == ["Download scenario"]


def test_one_request_is_shown_in_the_singular(visit: Visit, database: Engine) -> None:
    store(database, [], status="running", requests=1)
    assert bar_text(visit("live", run="1")).startswith("Starting: 0 of 1 request,")


def test_a_cancelled_run_has_no_cancel_button(visit: Visit, database: Engine) -> None:
    store(database, status="queued")
    at = visit("live", run="1")
    at = sound(at.button[0].click().run())
    assert runs.load(database, 1).status == "cancelled"
    assert "The run was cancelled. The results so far are kept." in complaints(at)
    assert not at.button


def test_a_failed_cancel_is_reported_with_its_reason(visit: Visit, database: Engine) -> None:
    store(database, [], status="running")
    at = visit("live", run="1")
    supervisor_file(database, "lock").mkdir()
    at = sound(at.button[0].click().run())
    assert "The queue cannot be processed: Is a directory" in complaints(at)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("done", "The run is done."),
        ("failed", "The run failed. What *it* said"),
        ("cancelled", "The run was cancelled. The results so far are kept."),
        ("interrupted", "The run was interrupted. The results so far are kept."),
    ],
)
def test_the_page_of_a_run_that_has_ended_says_how(
    visit: Visit, database: Engine, status: str, message: str
) -> None:
    store(database, status=status, error="What *it* said" if status == "failed" else None)
    at = visit("live", run="1")
    assert message in text_of(at)
    assert [link.proto.label for link in at.get("page_link")] == ["View result", "Run again"]


def test_an_empty_history_says_what_to_do(visit: Visit) -> None:
    at = visit("history")
    assert "There are no runs yet. Start one" in text_of(at)
    (start,) = [button for button in at.button if button.label == "Start a run"]
    assert start.click().run().title[0].value == "Which backend is faster for your workload?"


def test_an_empty_comparison_says_what_to_do(visit: Visit) -> None:
    assert "There are no runs yet. Start a comparison" in text_of(visit("compare"))


def shown(at: AppTest) -> Sequence[str]:
    return [row["Name"] for row in listed_runs(at)]


def test_a_row_of_the_history_has_all_of_its_name_and_numbers_with_units(
    visit: Visit, database: Engine
) -> None:
    name = "vllm · Qwen2.5-0.5B · batch · 5 requests · " + "x" * 150
    store(database, [measured(ttft=0.0123, e2e=0.5)], name=name, tags=["nightly"])
    store(database, [], name="other", status="queued")
    queued, row = listed_runs(visit("history"))
    assert (row["Name"], row["Page"]) == (name, "result?run=1")
    assert (row["TTFT, median"], row["E2E latency, median"]) == ("12.3 ms", "500 ms")
    assert (queued["Page"], queued["TTFT, median"]) == ("live?run=2", "–")
    assert "vs baseline" not in row  # no run is one


def test_pages_and_filters_of_a_long_history_are_in_its_url(visit: Visit, database: Engine) -> None:
    for n in range(60):
        store(database, [], name=f"run {n}", tags=["odd"] if n % 2 else [])
    at = visit("history")
    assert (len(shown(at)), shown(at)[0]) == (25, "run 59")
    at.pagination(key="history-page").set_value(3)
    sound(at.run())
    assert (shown(at)[0], link_of(at)) == ("run 9", {"page": "3"})

    at.selectbox(key="history-tag").set_value("odd")
    sound(at.run())
    assert "30 runs." in text_of(at)
    assert (shown(at)[0], link_of(at)) == ("run 59", {"tag": "odd"})

    again = visit("history", tag="odd", page="2", text="run 1")
    assert "There is no page “2”" in complaints(again)
    assert "6 runs." in text_of(again)
    assert again.text_input(key="history-text").value == "run 1"


def test_editing_changes_a_run_or_says_why_not(visit: Visit, database: Engine) -> None:
    store(database, name="before", tags=["a"])
    at = opened_panel(visit("result", run="1"), "run-1", "Edit")
    save = next(button for button in at.button if button.label == "Save")
    name, tags, _ = (*at.text_input, *at.text_area)[:3]
    name.set_value(" ")
    assert "The name is empty." in complaints(sound(save.click().run()))
    assert runs.load(database, 1).name == "before"
    name.set_value("*after*")
    tags.set_value("b, c")
    sound(save.click().run())
    assert (runs.load(database, 1).name, runs.load(database, 1).tags) == ("*after*", ("b", "c"))
    assert "*after*" in text_of(at)


def test_a_running_run_is_not_deleted_and_the_others_are(database: Engine) -> None:
    store(database), store(database), store(database, [], status="running")
    at = deletion(1, 3)
    assert "2 runs and all their requests will be deleted." in text_of(at)
    assert runs.count(database) == 3  # nothing yet
    at.button[0].click().run()
    assert not at.exception
    assert complaints(at) == "Run 3 is still running. Cancel it first."
    assert [row.id for row in runs.search(database)] == [3, 2]


def test_the_models_and_features_of_the_embedded_backend_are_shown(visit: Visit) -> None:
    at = visit("backends")
    at.button(key="test-embedded").click()
    text = text_of(sound(at.run(timeout=120)))
    for label in (
        "reachable",
        "streams",
        "reports usage",
        "round trip",
        "1 model: smollm2-135m",
    ):
        assert label in text
    assert not complaints(at)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sglang", "Nothing answers at 127.0.0.1:9."),
        ("groq", "Groq needs a key: put GROQ_API_KEY=… in .env"),
        ("openai", "OpenAI needs a key"),
        ("url", "Enter the server's address"),
        ("litellm", "LiteLLM needs a model"),
    ],
)
def test_an_unreachable_backend_is_reported_with_the_reason(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    at = visit("backends")
    monkeypatch.setenv("SGLANG_BASE_URL", "http://127.0.0.1:9/v1")
    at.button(key=f"test-{name}").click()
    assert message in complaints(sound(at.run()))


def test_a_key_is_never_shown(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    at = visit("backends")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-this-is-secret")
    at = sound(at.run())
    assert "OPENAI_API_KEY is set" in text_of(at)
    assert "sk-this-is-secret" not in str(at)
