"""The reference server's queue: its waits are those of c servers, its capacity is c / E[S]."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import factorial
from random import Random
from statistics import fmean
from time import perf_counter_ns
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from db import runs
from services.analysis.metrics import metric
from services.analysis.ttft_phases import ttft_phases
from services.ask.modes import Schedule
from services.ask.workloads import prompt
from services.load.reference import log_key
from services.load.runner import Runner
from services.load.slots import LAWS, Slots
from services.load.supply import PreparedRequest, Supply
from services.wire import Wire
from tests.conftest import ReferenceServer, Submit, finished, serving, until


def waits(arrivals: Sequence[float], services: Sequence[float], slots: int) -> list[float]:
    """Return the waits in a first-come-first-served queue by Kiefer and Wolfowitz's recursion."""
    free = [0.0] * slots
    answer = []
    for arrival, service in zip(arrivals, services, strict=True):
        start = max(arrival, heapq.heappop(free))
        heapq.heappush(free, start + service)
        answer.append(start - arrival)
    return answer


def erlang_wait(rate: float, service_s: float, slots: int) -> float:
    """Return the mean wait of M/M/c, in s (Erlang C; Gross et al., equations 2.32 and 2.33)."""
    load = rate * service_s
    share = load / slots
    last = load**slots / factorial(slots) / (1 - share)
    waiting = last / (sum(load**n / factorial(n) for n in range(slots)) + last)
    return waiting * service_s / (slots - load)


@dataclass(eq=False)
class Customer:
    arrival: int
    service: int
    began: int | None = None

    def begin(self, at: int) -> None:
        self.began = at


def simulated(slots: Slots, arrivals: Sequence[float], mean_s: float) -> list[Customer]:
    """Return requests after they passed through the slots; `arrivals` in seconds, in order."""
    customers = [
        Customer(round(at * 1e9), round(slots.multiple() * mean_s * 1e9)) for at in arrivals
    ]
    for customer in customers:
        slots.enter(customer, customer.arrival)
    slots.advance(10**18)
    return customers


def waits_of(customers: Sequence[Customer]) -> list[float]:
    return [(c.began - c.arrival) / 1e9 for c in customers if c.began is not None]


def arriving(rate: float, count: int, seed: int) -> list[float]:
    """Return Poisson arrivals, in s."""
    random = Random(seed)
    return list(accumulate(random.expovariate(rate) for _ in range(count)))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("slots", "rate"), [(1, 4.0), (3, 12.0), (8, 30.0), (8, 60.0)])
def test_waits_match_a_queue_with_several_servers(law: str, slots: int, rate: float) -> None:
    customers = simulated(Slots(slots, law, 5), arriving(rate, 2000, 6), 0.2)
    arrivals = [c.arrival / 1e9 for c in customers]
    services = [c.service / 1e9 for c in customers]
    assert waits_of(customers) == pytest.approx(waits(arrivals, services, slots), abs=1e-6)


@pytest.mark.slow
def test_the_mean_wait_of_poisson_arrivals_matches_erlang() -> None:
    customers = simulated(Slots(4, "exponential", 1), arriving(16.0, 200_000, 2), 0.2)
    assert fmean(waits_of(customers)) == pytest.approx(erlang_wait(16.0, 0.2, 4), rel=0.05)
    assert erlang_wait(0.5, 1.0, 1) == pytest.approx(1.0)  # M/M/1: ρ / (µ − λ)


@pytest.mark.parametrize("law", LAWS)
def test_above_its_capacity_the_queue_grows_and_below_it_does_not(law: str) -> None:
    capacity = 4 / 0.2
    for share, grows in ((0.8, 0.0), (1.5, 0.5)):  # s of wait, each second
        found = simulated(Slots(4, law, 3), arriving(share * capacity, 20_000, 4), 0.2)
        growth = (waits_of(found)[-1] - waits_of(found)[0]) / (found[-1].arrival / 1e9)
        assert growth == pytest.approx(grows, abs=0.02)


def test_leaving_the_queue_or_a_slot_admits_the_next_request() -> None:
    slots = Slots(1, "fixed", 0)
    first, second, third, fourth = (Customer(at, 100) for at in range(4))
    for customer in (first, second, third, fourth):
        slots.enter(customer, customer.arrival)
    assert slots.waiting == 3
    slots.leave(second, 50)
    slots.leave(first, 60)
    slots.advance(1000)  # late
    assert (first.began, second.began, third.began, fourth.began) == (0, None, 60, 160)
    slots.enter(first, 1001)
    assert (first.began, slots.waiting) == (1001, 0)


def test_too_many_waiting_requests_overload_it_permanently() -> None:
    slots = Slots(1, "fixed", 0, overload=2)
    customers = [Customer(at, 100) for at in range(3)]
    for customer, overloaded in zip(customers, (False, False, True), strict=True):
        slots.enter(customer, customer.arrival)
        assert slots.overloaded is overloaded
    slots.advance(1000)
    assert (slots.waiting, slots.overloaded) == (0, True)


# --- the real server ----------------------------------------------------------------------------


def prompts(count: int) -> list[str]:
    return [f"request {number}" for number in range(count)]


def play(base_url: str, model: str, dues: Sequence[float]) -> Runner:
    """Send one request at each of these times, in s."""
    wire = Wire(f"{base_url}/chat/completions")
    requests = [
        PreparedRequest(
            number,
            wire.request({"model": model, "messages": [{"role": "user", "content": prompt}]}),
            "",
        )
        for number, prompt in enumerate(prompts(len(dues)))
    ]
    runner = Runner(wire, 0)

    async def now() -> int:
        return perf_counter_ns()

    async def main() -> None:
        await runner.play(Schedule(tuple(dues)), Supply(iter(requests), len(requests)), now)
        wire.close()

    asyncio.run(main())
    return runner


@pytest.fixture
def own() -> Iterator[ReferenceServer]:
    """A new server: its log is empty, and its random service times start from the seed."""
    with serving("slots=2", "service=0.04", "law=exponential", "seed=7") as port:
        yield ReferenceServer(port)


@pytest.mark.slow
def test_a_real_run_has_the_waits_of_the_queue_and_seeded_service_times(
    own: ReferenceServer,
) -> None:
    play(own.base_url, "ref", arriving(40.0, 80, 8))  # at 0.8 of its capacity
    log = sorted(own.log().values(), key=lambda did: did["received"])
    random = Random(7)
    drawn = [random.expovariate(1) * 0.04 for _ in log]
    services = [did["service"] / 1e9 for did in log]
    assert services == pytest.approx(drawn, abs=1e-8)
    first = log[0]["received"]
    arrivals = [(did["received"] - first) / 1e9 for did in log]
    waited = [(did["began"] - did["received"]) / 1e9 for did in log]
    assert waited == pytest.approx(waits(arrivals, services, 2), abs=1e-5)
    assert max(waited) > 0.02


def test_a_slot_is_passed_on_at_the_planned_end_of_its_answer(
    reference: ReferenceServer,
) -> None:
    play(reference.base_url, "ref slots=3 service=0.02 tokens=4", [0.0] * 60)
    log = reference.log()
    did = sorted((log[prompt] for prompt in prompts(60)), key=lambda each: each["began"])
    assert [each["service"] for each in did] == [20_000_000] * 60
    for before, after in zip(did, did[3:], strict=False):
        assert after["began"] == max(before["began"] + before["service"], after["received"])


@pytest.mark.slow
def test_a_client_that_disconnects_leaves_the_queue(reference: ReferenceServer) -> None:
    url = f"{reference.base_url}/chat/completions"
    metrics = f"http://127.0.0.1:{reference.port}/metrics"

    def running_and_waiting() -> list[int]:
        lines = httpx.get(metrics).text.splitlines()
        return [int(line.split()[1]) for line in lines if not line.startswith("#")]

    before = running_and_waiting()
    model = "ref slots=1 service=60 name=hangs-up"
    body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
    for _ in range(2):  # one is served and one waits
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=body, timeout=0.2)
    until(lambda: running_and_waiting() == before, 5)
    with pytest.raises(httpx.ReadTimeout):  # it is served for a minute, and so began at once
        httpx.post(url, json=body, timeout=0.2)
    assert "began" in reference.log()["x"]


def test_a_server_that_was_overloaded_stays_slow(reference: ReferenceServer) -> None:
    model = "ref slots=1 service=0.01 overload=3 slow=2 name=stays-slow"
    play(reference.base_url, model, [0.0, 0.2, 0.2, 0.2, 0.2, 0.6])
    log = reference.log()
    services = [log[prompt]["service"] for prompt in prompts(6)]
    assert services == [10_000_000] * 5 + [20_000_000]


FORMATS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"content": "phases"}]},
    "/v1/completions": {"prompt": "phases"},
    "/v1/responses": {"input": [{"content": "phases"}]},
    "/api/chat": {"messages": [{"content": "phases"}]},
}


@pytest.mark.parametrize("path", FORMATS)
def test_an_answer_reports_how_long_it_waited_and_was_prefilled(
    reference: ReferenceServer, path: str
) -> None:
    root = f"http://127.0.0.1:{reference.port}"
    model = "ref slots=1 ttft=0.03 gap=0.01 tokens=3 prompt_tokens=5"
    answer = httpx.post(root + path, json={"model": model, **FORMATS[path]}).text
    did = reference.log()["phases"]
    first, last = did["times"][0], did["times"][-1]
    told = phases(answer)
    expected = (did["began"] - did["received"], first - did["began"], last - first)
    assert told == pytest.approx(expected, abs=1)
    assert sum(told) == pytest.approx(last - did["received"], abs=3)


def phases(answer: str) -> tuple[float, float, float]:
    """Return the queue, the prefill and the decoding that the last event of an answer tells, in
    ns."""
    events = [line.removeprefix("data: ") for line in answer.splitlines() if "{" in line]
    last = json.loads(events[-1])
    if "total_duration" in last:
        prefill, decode = last["prompt_eval_duration"], last["eval_duration"]
        return last["total_duration"] - prefill - decode, prefill, decode
    metrics = last.get("response", last)["metrics"]
    names = ("queue_time_ms", "time_to_first_token_ms", "generation_time_ms")
    queue, prefill, decode = (metrics[name] * 1e6 for name in names)
    return queue, prefill, decode


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["chat", "completions", "responses"])
def test_the_phases_of_each_request_sum_to_its_ttft(
    database: Engine, reference: ReferenceServer, reference_run: Submit, dialect: str
) -> None:
    """The network's part is known here, as client and server read one clock: on its way, and back
    from when the first token was handed to the kernel."""
    model = f"ref slots=2 ttft=0.02 gap=0.005 tokens=4 law=exponential name={dialect}"
    load = {"mode": "poisson", "rate": 45.0, "requests": 40, "warmup": 0}
    run = finished(database, reference_run(model, dialect=dialect, **load))
    log, mark = reference.log(), run.environment["prompt_mark"]
    measured = runs.measurements(database, run.id)
    began = run.repeats[0].health["began_ns"]
    for m in measured:
        did = log[log_key(prompt(run.config, 0, m.index, mark))]
        received, first = ((did[at] - began) / 1e9 for at in ("received", "began"))
        assert m.server_queue_s == pytest.approx(first - received, abs=1e-6)
        there, back = received - m.t_send, m.t_first - (did["times"][0] - began) / 1e9
        assert metric("network_s").of(m) == pytest.approx(there + back, abs=0.001)
    assert max(m.server_queue_s for m in measured) > 0.01
    found = ttft_phases(measured)
    assert found is not None and found.requests == len(measured) == 40
    assert sum(p.mean_s for p in found.phases) == pytest.approx(found.mean_s, abs=1e-9)


def test_without_slots_nothing_is_reported(reference: ReferenceServer) -> None:
    body = {"model": "ref", "messages": [{"content": "no phases"}]}
    answer = httpx.post(f"{reference.base_url}/chat/completions", json=body).text
    assert "metrics" not in answer and answer.endswith("data: [DONE]\n\n")
    assert "began" not in reference.log()["no phases"]
