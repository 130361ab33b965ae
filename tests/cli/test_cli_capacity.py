"""`capacity` and `capacities`: planned, searched, judged, listed, shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db import capacities, capacity_list
from services.analysis.capacity import Step
from tests.capacities import config_of_servers, searched, stored
from tests.cli.conftest import RunCli
from tests.conftest import ReferenceServer

pytestmark = pytest.mark.timeout(600)

SLOTS = "ref slots=2 service=0.3 ttft=0.001 gap=0.1 tokens=2"


def search(reference: ReferenceServer) -> tuple[str, ...]:
    server = ("--backend", reference.base_url, "--model", SLOTS, "--warmup", "0", "--think", "0")
    load = ("--load", "users", "--highest", "8", "--window", "1", "--probes", "4")
    return ("capacity", *server, *load, "--slo", "e2e:p50<0.45")


@pytest.mark.long
def test_a_search_prints_its_result_and_exits_with_1_below_the_minimum(
    database: Engine, reference: ReferenceServer, run_cli: RunCli
) -> None:
    assert run_cli("capacities", "list").out == "There are no capacity searches yet.\n"
    result = run_cli(*search(reference), "--name", "Two", "--json", "--at-least", "100")
    document = json.loads(result.out)
    assert (document["name"], document["status"], document["unit"]) == ("Two", "done", "users")
    assert result.code == 1 and "The capacity is not shown to be at least 100 users" in result.err
    assert len(document["probes"]) == len(capacities.load(database, 1).probes)
    assert all(probe["measured"]["requests"] for probe in document["probes"])
    shown = run_cli("capacities", "show", "1").out
    assert shown.startswith("Capacity search 1 · Two\n") and document["sentences"][0] in shown
    page = run_cli("capacities", "show", "1", "--format", "capacity.md").out
    assert page.startswith("### Two") and "Operating points" in page
    scenario = run_cli("scenario", "capacity", "1").out
    assert "name: Two" in scenario and "load: users" in scenario and "slots=2" in scenario
    (row,) = json.loads(run_cli("capacities", "list", "--json").out)
    assert (row["id"], row["status"]) == (1, "done")
    assert row["answer"] and f"Two: {row['answer']}" in run_cli("capacities", "list").out
    assert run_cli("capacities", "delete", "1").code == 0
    missing = run_cli("capacities", "show", "1")
    assert missing.code == 2 and "There is no capacity search 1." in missing.err


def test_a_scenario_is_planned_and_a_flag_overrides_it(
    database: Engine, run_cli: RunCli, tmp_path: Path
) -> None:
    file = tmp_path / "search.yaml"
    file.write_text(
        "version: 1\ncapacity:\n  window_s: 30\n  probes: 4\ncompare: [max_tokens: 7]\n"
    )
    assert "Up to 4 probes of each server" in run_cli("capacity", str(file), "--plan").out
    assert "Up to 6 probes" in run_cli("capacity", str(file), "--probes", "6", "--plan").out
    refused = run_cli("run", str(file))
    assert refused.code == 2 and "is the scenario of a capacity search: " in refused.err
    assert f"capacity {file}" in refused.err


@pytest.mark.long
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--rate", "5"), "--rate is set by the search for each probe"),
        (("--concurrency", "4"), "--concurrency is set by the search for each probe"),
        (("--tag", "a"), "--tag does not apply"),
        (("--slo", "ttft:p95>1"), "upper limit"),
        (("--lowest", "9", "--highest", "3"), "must be more than the lowest load"),
        (("--at-least", "much"), "is not a load"),
        (("--probes", "2"), "probes must be at least 4"),
    ],
)
def test_an_invalid_search_is_refused(
    database: Engine, run_cli: RunCli, flags: tuple[str, ...], says: str
) -> None:
    result = run_cli("capacity", *flags)
    assert result.code == 2 and says in result.err
    assert capacity_list.list_all(database) == []


def test_a_plan_starts_nothing(database: Engine, run_cli: RunCli) -> None:
    result = run_cli("capacity", "--window", "20", "--plan")
    assert result.code == 0 and "Up to 15 probes, each a run" in result.out
    assert capacity_list.list_all(database) == []


def test_a_search_that_has_ended_goes_on_with_the_probes_that_it_has(
    database: Engine, run_cli: RunCli
) -> None:
    ended = searched(config_of_servers(probes=5, precision=0.01))
    assert stored(database, ended) == 1
    refused = run_cli("capacities", "resume", "1")
    assert refused.code == 2 and "nothing more would be probed. Allow more probes" in refused.err
    wrong = run_cli("capacities", "resume", "1", "--probes", "1000")
    assert wrong.code == 2 and "probes must be at most 100" in wrong.err
    capacities.resume(database, 1, "elsewhere", probes=7)
    again = capacities.load(database, 1)
    assert (again.status, again.config.probes, again.ended_at) == ("running", 7, None)
    assert [probe.load for probe in again.probes] == [probe.load for probe in ended.probes]
    assert isinstance(again.next_step(0), Step)
