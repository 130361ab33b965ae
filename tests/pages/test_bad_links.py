"""Every parameter of every page's URL, wrong in each way: a sentence, and nothing is changed."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db import runs
from tests.pages.conftest import Visit, complaints, link_of, listed_runs, sound, text_of
from tests.stored import store

NO_RUNS = [
    "abc",
    "-1",
    "0",
    "99999999999999999999",
    "1e3",
    "1.0",
    "1,2",
    "0x1",
    "１",
    "²",
    "1 2",
    "\x00",
    "<b>1</b>",
    "9" * 5000,
    "None",
    "../1",
]


@pytest.mark.parametrize(
    ("page", "run"), [*(("result", run) for run in NO_RUNS), ("live", "abc"), ("live", "-1")]
)
def test_an_invalid_run_id_is_named_with_a_way_on(visit: Visit, page: str, run: str) -> None:
    at = visit(page, run=run)
    assert "is not a run number. A link to a run ends in ?run= and a number." in complaints(at)
    assert len(at.get("page_link")) == 2


@pytest.mark.parametrize("page", ["result", "live"])
def test_a_deleted_run_is_named_as_missing(visit: Visit, page: str) -> None:
    message = "There is no run 77. It may have been deleted."
    assert f"{message} See History" in complaints(visit(page, run="77"))
    assert complaints(visit(page, run="77", view="share")) == message  # it has no way to History
    assert "There is no run 9223372036854775807." in complaints(visit(page, run=str(2**63 - 1)))


@pytest.mark.parametrize("page", ["result", "live"])
@pytest.mark.parametrize("parameters", [{}, {"run": ""}])
def test_a_page_about_no_run_says_where_runs_are(
    visit: Visit, page: str, parameters: dict[str, str]
) -> None:
    assert "No run is selected. Choose one in History" in complaints(visit(page, **parameters))


@pytest.mark.parametrize("value", ["abc", "-1", "0", "99999999999999999999", "1e3"])
def test_a_comparison_with_an_invalid_run_names_it(
    visit: Visit, database: Engine, value: str
) -> None:
    store(database)
    messages = complaints(visit("compare", runs=f"1,{value}"))
    assert "is not a run number. A link to this page ends in ?runs=12,15." in messages


@pytest.mark.parametrize(
    ("runs_", "message"),
    [
        ("", "Select 2 to 8 runs."),
        (",,", "Select 2 to 8 runs."),
        ("1", "Select one more run."),
        ("1,1", "Select one more run."),
        ("1,99", "There is no run 99."),
        ("1,2,3,4,5,6,7,8,9", "9 runs are too many: compare up to 8 at a time."),
        (",".join(map(str, range(1, 500))), "499 runs are too many"),
    ],
)
def test_an_impossible_comparison_says_why(
    visit: Visit, database: Engine, runs_: str, message: str
) -> None:
    for _ in range(9):
        store(database)
    assert message in complaints(visit("compare", runs=runs_))


def test_a_run_named_twice_is_shown_once(visit: Visit, database: Engine) -> None:
    store(database), store(database)
    at = visit("compare", runs="1,1,2")
    assert "names a run more than once" in text_of(at)
    at = sound(at.button(key="open-compare-Runs and margin").click().run())
    assert at.multiselect[0].value == [1, 2]


def test_a_run_without_a_measured_request_is_named(visit: Visit, database: Engine) -> None:
    store(database), store(database, [], status="interrupted")
    at = visit("compare", runs="1,2")
    assert "Run 2 has no measured requests." in complaints(at)
    at.multiselect[0].set_value([1])  # it can be removed where it is said
    assert link_of(sound(at.run())) == {"runs": "1"}


FORM = [
    ({"like": "x"}, "“x” is not a run number."),
    ({"like": "-1"}, "“-1” is not a run number."),
    ({"like": ""}, "“” is not a run number."),
    ({"like": "77"}, "There is no run 77."),
    ({"requests": "0"}, "Requests must be at least 1 (got '0')."),
    ({"requests": "9999999"}, "Requests must be at most 1000000 (got '9999999')."),
    ({"requests": "abc"}, "Requests must be a whole number (got 'abc')."),
    ({"requests": "1e3"}, "Requests must be a whole number"),
    ({"requests": ""}, "Requests must be a whole number"),
    ({"requests": "9" * 5000}, "Requests"),
    ({"mode": "nonsense"}, "Mode must be one of 'sequential', 'staggered', 'batch', 'users'"),
    ({"workload": "nonsense"}, "Workload must be one of"),
    ({"backend": "nowhere"}, "Backend must be one of embedded, sglang"),
    ({"base_url": "not one", "backend": "url"}, "Address is not an address"),
    (
        {"base_url": "http://me:secret@host/v1"},
        "Address must not contain a user, password or fragment",
    ),
    ({"pause_s": "-1"}, "Pause (s) must be at least 0"),
    ({"pause_s": "inf"}, "Pause (s) must be a finite number"),
    ({"interval_s": "nan", "mode": "staggered"}, "Interval (s) must be a finite number"),
    ({"concurrency": "0", "mode": "batch"}, "Max concurrency must be at least 1"),
    ({"input_tokens": "0", "workload": "synthetic"}, "Tokens per prompt must be"),
    ({"max_tokens": "0"}, "Max tokens must be at least 1"),
    ({"temperature": "3"}, "Temperature must be at most 2"),
    ({"top_p": "0"}, "Top-p must be more than 0"),
    ({"seed": "x"}, "Seed must be a whole number"),
    ({"repeats": "51"}, "Repeats must be at most 50"),
    ({"warmup": "101"}, "Warm-up requests must be at most 100"),
    ({"timeout_s": "0"}, "Request timeout (s) must be more than 0"),
    ({"stop_after_s": "-5"}, "Stop a repeat after (s) must be more than 0"),
    ({"stop_after_errors": "0"}, "Max failed requests must be at least 1"),
    ({"unique_prompts": "perhaps"}, "Unique prompts must be true or false"),
    ({"ignore_eos": "2"}, "Ignore end of text (ignore_eos) must be true or false"),
    ({"client": "curl"}, "Client must be one of 'wire' or 'litellm'"),
    ({"model": "m" * 301}, "Model must be at most 300 characters long"),
    ({"prompt": "hello"}, "Prompt cannot be set by a link."),
    ({"prompts": "hello"}, "Prompts cannot be set by a link."),
    ({"requets": "5"}, "Requets is not"),
]


@pytest.mark.parametrize(("parameters", "message"), FORM)
def test_the_form_names_invalid_values_of_a_link_and_keeps_the_rest(
    visit: Visit, database: Engine, parameters: dict[str, str], message: str
) -> None:
    at = visit("run", **{"max_tokens": "33", **parameters})
    assert message in complaints(at)
    assert "What is wrong is ignored; the rest of the link applies." in complaints(at)
    assert at.number_input(key="run-max_tokens").value == (
        128 if "max_tokens" in parameters else 33
    )
    assert not at.error
    assert runs.count(database) == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"backend": "nowhere"}, "No run has the backend “nowhere”; showing all."),
        ({"model": "nobody"}, "No run has the model “nobody”"),
        ({"mode": "nonsense"}, "No run has the mode “nonsense”"),
        ({"tag": "unknown"}, "No run has the tag “unknown”"),
        ({"tag": "*a* :red[x]"}, "No run has the tag “*a* :red[x]”"),
        ({"page": "999"}, "There is no page “999”: the list has one page."),
        ({"page": "0"}, "There is no page “0”"),
        ({"page": "-1"}, "There is no page “-1”"),
        ({"page": "abc"}, "There is no page “abc”"),
        ({"page": "１"}, "There is no page “１”"),
        ({"selected": "abc"}, "“abc” is not a run number. A link ends in ?selected=12,15."),
        ({"selected": "1,77"}, "There is no run 77. It may have been deleted."),
        ({"text": "nothing is called so"}, "No run matches. Change the search or a filter."),
        ({"text": "%"}, "No run matches."),
    ],
)
def test_the_history_names_unknown_values_of_a_link(
    visit: Visit, database: Engine, parameters: dict[str, str], message: str
) -> None:
    store(database, name="one")
    at = visit("history", **parameters)
    assert message in text_of(at)
    assert len(listed_runs(at)) == (0 if "text" in parameters else 1)


@pytest.mark.parametrize("page", ["run", "history", "compare", "backends", "live", "result"])
def test_an_unknown_view_is_named(visit: Visit, database: Engine, page: str) -> None:
    store(database)
    messages = complaints(visit(page, view="else", **({"run": "1"} if page in WITH_RUN else {})))
    assert "Unknown view “else”; showing the full page." in messages


WITH_RUN = ("live", "result")


@pytest.mark.parametrize("page", ["run", "history", "backends"])
def test_a_page_that_changes_things_cannot_be_shared(visit: Visit, page: str) -> None:
    at = visit(page, view="share")
    assert "This page cannot be shared." in complaints(at)
    assert not at.button


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("each", "abc", "Each candidate is measured 1 to"),
        ("each", "2.5", "Each candidate is measured 1 to"),
        ("most", "0", "Each candidate is measured at most"),
        ("target", "inf", "The target of the interval must be"),
        ("within", "nan", "The margin must be from"),
        ("within", "5 %", "The margin must be from"),
    ],
)
def test_an_invalid_design_of_a_comparison_is_named_and_ignored(
    visit: Visit, name: str, text: str, sentence: str
) -> None:
    usual = visit("run", vs="mode=batch")
    at = visit("run", vs="mode=batch", **{name: text})
    assert sentence in complaints(at)
    assert "What is wrong is ignored; the rest of the link applies." in complaints(at)
    assert [each.value for each in at.number_input] == [each.value for each in usual.number_input]
