"""The tables of what runs are: which rows they have, and which they mark."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.analysis.compare import compare
from services.analysis.compare.candidate import labels_of
from services.ask.measurement import Repeat
from services.report import run_facts
from services.report.export import EXPORTS
from tests.values import NOON, candidate, measured, repeats, run


def test_a_row_of_the_config_that_differs_is_marked() -> None:
    runs = [candidate(repeats(), run_id=i, max_tokens=i * 64) for i in (1, 2)]
    table = run_facts.configuration(runs, labels_of(runs))
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["≠ Max tokens"] == ("64", "128") and "Max tokens" not in rows
    assert table.note.startswith("≠: differs between runs. Not set: Address, Max concurrency")


@pytest.mark.parametrize(("law", "shown"), [("fixed", False), ("normal", True)])
def test_the_spread_of_lengths_is_shown_only_if_they_vary(law: str, shown: bool) -> None:
    varied = candidate([measured(0)], workload="synthetic", output_distribution=law)
    names = {row[0] for row in run_facts.configuration([varied], ("A",)).rows}
    assert ("Spread of answer lengths" in names) == shown
    assert "Spread of prompt lengths" not in names


def test_the_config_table_has_only_fields_that_the_runs_use() -> None:
    runs = [
        candidate(repeats(), run_id=1, mode="sequential"),
        candidate(repeats(), run_id=2, mode="batch"),
    ]
    table = run_facts.configuration(runs, ("A", "B"))
    names = {row[0].removeprefix("≠ ") for row in table.rows}
    assert {"Pause (s)", "Repeats"} <= names
    assert not {"Users", "Steps", "Burstiness", "Tokens per prompt"} & names
    assert "Max concurrency" not in names and "Max concurrency" in table.note.split("Not set: ")[1]


def test_a_number_of_requests_is_not_shown_beside_a_duration() -> None:
    """It has no effect then: 5 is only its default."""
    by_time = candidate(repeats(), run_id=1, mode="users", duration_s=30)
    by_count = candidate(repeats(), run_id=2, mode="users", requests=64)
    assert "Requests" not in {row[0] for row in run_facts.configuration([by_time], ("A",)).rows}
    rows = {row[0]: row[1:] for row in run_facts.configuration([by_time, by_count], "AB").rows}
    assert rows["≠ Requests"] == ("–", "64")
    requests = next(d for d in compare([by_time, by_count]).differences if d.field == "requests")
    assert requests.values == ("–", "64")


def test_the_sampling_that_was_sent_is_in_the_config() -> None:
    """Without a temperature a 0 is sent, but none to OpenAI."""
    runs = [
        candidate(repeats(), run_id=1, backend="vllm"),
        candidate(repeats(), run_id=2, backend="openai"),
        candidate(repeats(), run_id=3, backend="vllm", temperature=0.7, top_p=0.9),
        candidate(repeats(), run_id=4, backend="vllm", omit=("temperature",)),
    ]
    table = run_facts.configuration(runs, labels_of(runs))
    rows = {row[0].removeprefix("≠ "): row[1:] for row in table.rows}
    assert rows["Temperature"] == ("0", "not sent", "0.7", "not sent")
    assert rows["Top-p"] == ("not sent", "not sent", "0.9", "not sent")


def test_a_single_run_and_equal_runs_have_no_marked_rows() -> None:
    runs = [candidate(repeats(), run_id=i) for i in (1, 2)]
    for table in (
        run_facts.configuration(runs[:1], labels_of(runs[:1])),
        run_facts.configuration(runs, labels_of(runs)),
    ):
        assert "≠" not in table.note and not any("≠" in row[0] for row in table.rows)


def test_how_long_was_measured_is_the_time_of_all_repeats_if_none_was_cut_short() -> None:
    assert run_facts.measured_for(run(repeats=5)) == "5 s"
    assert run_facts.measured_for(run(repeats=0)) == ""
    assert run_facts.measured_for(run(status="running")) == ""
    cut = (Repeat(0, NOON, 1.0, {}), Repeat(1, NOON, None, {}))
    assert run_facts.measured_for(replace(run(status="cancelled"), repeats=cut)) == ""


def test_how_long_several_runs_were_measured_is_the_sum_of_those_that_are_known() -> None:
    known, unknown = run(repeats=5), run(status="running")
    later = replace(known, started_at=NOON + timedelta(hours=1))
    assert run_facts.all_measured_for([later, unknown, replace(known, started_at=NOON)]) == (
        f"Measured for 10 s in total. Started {NOON:%Y-%m-%d %H:%M:%S} UTC."
    )
    undated = replace(known, started_at=None)
    assert run_facts.all_measured_for([undated]) == "Measured for 5 s in total."
    assert run_facts.all_measured_for([unknown]) == ""


@pytest.mark.parametrize("name", ["page.html", "markdown.md"])
def test_files_say_how_long_was_measured(name: str) -> None:
    alone = candidate(repeats(), run_id=1, repeats=5)
    (write,) = (entry.write for entry in EXPORTS if entry.name == name)
    assert "measured for 5 s" in write([alone]).decode().replace("\xa0", " ")


def test_facts_of_the_machine_have_units_and_the_glossarys_words() -> None:
    facts = {"memory_bytes": 25276502016, "prompt_mark": "f44f", "cores": 2}
    facts |= {"context_per_slot": 512, "orjson": "3.11", "os": "Debian"}
    alone = candidate(repeats(), run_id=1, environment=facts)
    rows = dict(run_facts.environment([alone], labels_of([alone])).rows)
    assert (rows["Memory"], rows["Nonce"], rows["Cores"]) == ("23.5 GiB", "f44f", "2")
    assert {"Context per slot", "orjson", "OS"} <= rows.keys()


@pytest.mark.parametrize("odd", ["lots", [1, 2], 10**400])
def test_a_fact_of_another_kind_is_shown_as_it_is(odd: object) -> None:
    """An imported file may say anything."""
    alone = candidate(repeats(), run_id=1, environment={"memory_bytes": odd})
    assert dict(run_facts.environment([alone], labels_of([alone])).rows)["Memory"]


def test_what_differs_is_named_as_in_the_form() -> None:
    runs = [
        candidate(
            repeats(), run_id=n, base_url=f"http://127.0.0.1:800{n}", mode="sequential", pause_s=n
        )
        for n in (1, 2)
    ]
    table = run_facts.differences(compare(runs))
    assert ("Address", "http://127.0.0.1:8001", "http://127.0.0.1:8002") in table.rows
    assert ("Pause", "1 s", "2 s") in table.rows
