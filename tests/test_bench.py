"""The bench's own arithmetic: what each tool's output says, and how far off that is.

`data/bench/NAME` holds what the tool wrote for two requests of four tokens (the first after 50 ms,
then one every 10 ms), and the server's log of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from http.client import HTTPConnection
from itertools import accumulate
from math import exp
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pytest

from bench import report, server
from bench.arrivals import arrivals
from bench.errors import Disagreement, Errors, compare
from bench.play import Result
from bench.seen import Seen
from bench.tools import TOOLS, tool
from bench.turns import late_s
from bench.work import Case, Job
from services.ask import workloads
from services.ask.dialogue import messages_of
from services.ask.sessions import sessions_of

DATA = Path(__file__).parent / "data" / "bench"
SMALL = Case("small", "two small answers", 2, "ref ttft=0.05 gap=0.01 tokens=4", 4)
LOG = {"a": {"arrived": 2_000_000_000, "times": [3_000_000_000, 3_010_000_000, 3_020_000_000]}}


@pytest.mark.parametrize("name", [request.name for request in TOOLS])
def test_a_tools_output_is_matched_with_the_log(name: str) -> None:
    out = DATA / name / "out"
    job = Job(SMALL, 1, DATA / name, "recorded")  # an unused port
    seen = tool(name).read(job, out.read_bytes() if out.is_file() else b"")
    log = json.loads((DATA / name / "log.json").read_text())
    assert {request.prompt for request in seen} == set(log)
    assert all(0.05 < request.ttft_s < request.e2e_s for request in seen)
    errors = compare(seen, log)
    assert len(errors.ttft) == len(errors.e2e) == 2
    assert (len(errors.gap), len(errors.mean_gap)) in [(6, 0), (0, 2)]
    assert median(errors.gap or errors.mean_gap) < 0.015, "gaps of 10 ms, not of something else"


def test_errors_are_differences_to_the_log_without_their_sign() -> None:
    errors = compare([Seen("a", 1.004, 1.030, (0.012, 0.007))], LOG)
    assert errors.ttft == pytest.approx([0.004])  # 3.000 − 2.000 is true
    assert errors.e2e == pytest.approx([0.010])
    assert errors.gap == pytest.approx([0.002, 0.003])
    assert errors.mean_gap == []


def test_a_tool_without_single_gaps_is_compared_by_the_mean() -> None:
    errors = compare([Seen("a", 1.0, 1.02, tpot_s=0.0115)], LOG)
    assert errors.gap == []
    assert errors.mean_gap == pytest.approx([0.0015])


def test_the_send_time_replaces_a_missing_arrival_time() -> None:
    log = {"a": {"times": LOG["a"]["times"]}}
    assert compare([Seen("a", 1.5, 1.52, sent_ns=1_600_000_000)], log).ttft == pytest.approx([0.1])


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (Seen("b", 1.0, 1.0), "never had"),
        (Seen("a", 1.0, 1.0, (0.01,)), "2 chunks of 3"),
    ],
)
def test_output_that_cannot_be_matched_is_refused(seen: Seen, message: str) -> None:
    with pytest.raises(Disagreement, match=message):
        compare([seen], LOG)


def test_the_table_says_ratios_failures_and_what_was_not_installed() -> None:
    ours = Result(3, 3, 3, Errors([0.00001] * 3, [0.0001] * 3, [0.00002] * 6), [0.5, 0.7], 50)
    theirs = Result(3, 2, 3, Errors([0.002] * 2, [0.01] * 2, [], [0.001] * 2), [4.0], 200)
    absent = Result(problem="not installed: no wheel")
    text = report.table(
        {"paceline": ours, "guidellm": theirs, "vllm": absent}, {"paceline": 0.2, "guidellm": 2.0}
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    assert rows[0][1:8] == [
        "3 of 3",
        "10.0 µs",
        "10.0 µs",
        "20.0 µs",
        "20.0 µs",
        "100 µs",
        "100 µs",
    ]
    assert rows[0][8:] == ["0.60", "0.40", "50", "1.0", "1.0"]
    assert rows[1][1] == "2 of 3 (served: 3)"
    assert rows[1][4] == "1.00 ms¹"
    assert rows[1][8:] == ["4.00", "2.00", "200", "200", "5.0"]
    assert rows[2][1] == "not installed: no wheel"


def logged(gaps: Iterable[float]) -> dict[str, Any]:
    return {str(at): {"arrived": round(at * 1e9)} for at in accumulate(gaps, initial=1.0)}


def test_arrivals_are_compared_with_the_requested_rate() -> None:
    random = Random(2026)
    poisson = arrivals(logged(random.expovariate(100) for _ in range(3000)), 100)
    assert poisson and poisson.per_s == pytest.approx(100, rel=0.05)
    assert poisson.distance < poisson.allowed == pytest.approx(0.0248, rel=0.01)
    even = arrivals(logged([0.01] * 3000), 100)
    assert even and even.distance == pytest.approx(1 - exp(-1), abs=0.01)
    late = arrivals(logged(random.expovariate(100) + 0.005 for _ in range(3000)), 100)
    assert late and late.distance > late.allowed
    assert arrivals({"one": {"arrived": 5}, "two": {}}, 100) is None
    shown = report.arrivals({"paceline": Result(arrivals=[poisson])})
    assert f"| Paceline | {poisson.per_s:.1f} | {poisson.distance:.3f} | 0.025 |" in shown
    assert report.arrivals({"paceline": Result()}) == ""


def test_only_named_sections_of_a_document_are_replaced(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("one\n<!-- bench 1 -->\nold\n<!-- end -->\n<!-- bench 64 -->\n<!-- end -->\n")
    report.write(file, {"1": "new\n"})
    assert file.read_text() == (
        "one\n<!-- bench 1 -->\nnew\n<!-- end -->\n<!-- bench 64 -->\n<!-- end -->\n"
    )
    with pytest.raises(ValueError, match="no place"):
        report.write(file, {"tls": "new"})


def test_every_tool_has_its_pinned_versions() -> None:
    for peer in TOOLS:
        assert peer.own or peer.title.removeprefix(peer.label).strip()[0].isdigit()


def test_a_chunk_that_the_kernel_cannot_take_yet_is_logged_when_it_can() -> None:
    body = {"model": "ref ttft=0 gap=0 tokens=400 size=20000", "messages": [{"content": "big"}]}
    with server.serving() as port:
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        time.sleep(0.3)  # 8 MB are not read: more than the kernel buffers
        began_to_read = time.perf_counter_ns()
        connection.getresponse().read()
        connection.close()
        did = server.log_of(f"http://127.0.0.1:{port}")["big"]
    assert did["arrived"] <= did["times"][0] < began_to_read < did["times"][-1]
    assert len(did["times"]) == 400
    assert did["times"] == sorted(did["times"])


def test_a_later_turn_is_late_by_what_its_delay_does_not_explain() -> None:
    log: dict[str, Any] = {
        "a": {"arrived": 0, "times": [500_000_000, 1_000_000_000]},
        "b": {"arrived": 1_203_000_000, "times": [2_000_000_000]},
        "c": {"arrived": 2_201_000_000, "times": []},
    }
    late = late_s([["a", "b", "c", "never"]], log, 0.2)
    assert late == pytest.approx([0.003, 0.001])
    shown = report.later_turns({"paceline": Result(turns_late_s=late), "aiperf": Result()})
    assert "| Paceline | 2 | 2.00 ms | 2.98 ms | 3.00 ms |" in shown and "aiperf" not in shown


def test_sessions_are_asked_turn_by_turn_with_the_answers_of_the_server() -> None:
    case = Case("s", "", 5, "ref", 20, turns=3, delay_s=0.2, users=2)
    job = Job(case, 9, Path(), "ab")
    assert [len(texts) for texts in job.sessions] == [3, 2]
    config = job.config
    sessions = sessions_of(config)
    assert sessions and sessions.delays_s == ((0, 0.2, 0.2), (0, 0.2))
    asked = workloads.prompt(config, 0, 2, "", ["one", "two"])
    said = [message["content"] for message in messages_of(asked)]
    assert said == [job.prompts[0], "one", job.prompts[1], "two", job.prompts[2]]
