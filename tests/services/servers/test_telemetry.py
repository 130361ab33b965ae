"""What a server did: read from real pages, real processes, and a driver with known readings."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter, perf_counter_ns
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analysis.samples import during, gpus, highest, increase, mean
from services.ask.measurement import Repeat, Sample
from services.ask.series import SERIES, series_of
from services.report.server_table import table
from services.servers.protocol import Sampled, encode, expect
from services.servers.telemetry import nvml
from services.servers.telemetry.engines import WANTED, MetricsReader
from services.servers.telemetry.nvml import Gpus
from services.servers.telemetry.processes import Tree, listener
from services.servers.telemetry.prometheus import LINES, WANTED_LINES, metrics
from services.servers.telemetry.sampler import Page, Sampler
from services.servers.telemetry.target import SamplerTarget
from tests.conftest import ROOT, ReferenceServer, until
from tests.values import NOON, candidate, measured, run

DATA = ROOT / "tests" / "data" / "telemetry"
VLLM, SGLANG = ((DATA / f"{name}_metrics.txt").read_text() for name in ("vllm", "sglang"))


def changed(text: str, **values: float) -> str:
    """A page on which metrics have other values."""
    lines = []
    for line in text.splitlines():
        name = line.partition("{")[0].replace(":", "_")
        lines.append(f"{line.rpartition(' ')[0]} {values[name]}" if name in values else line)
    return "\n".join(lines)


# the text format


def test_a_line_has_a_name_labels_and_a_value() -> None:
    text = (
        "# HELP a:b Words.\n# TYPE a:b gauge\n"
        'a:b{one="1",two="with \\" } , and =",} 3.5\na_b 4 1700000000000\na:b{x="1"} +Inf\n'
        'a:b{x="1"} words\nother 1\na:b\n\na:bc 2\n'
    )
    assert list(metrics(text, {"a_b"})) == [
        ("a_b", {"one": "1", "two": 'with \\" } , and ='}, 3.5),
        ("a_b", {}, 4.0),
    ]


@given(st.text())
def test_any_text_is_read_as_metrics_without_an_error(text: str) -> None:
    list(metrics(text + "\nrunning 1\n", {"running", text[:9]}))
    MetricsReader().values(text)


RUNNING = "vllm:num_requests_running"
LONG = 1_000_000  # characters; with patterns that go back, 30,000 took 21 s


@pytest.mark.parametrize(
    "page",
    [
        f'{RUNNING}{{a="{"x" * LONG}',
        f"{RUNNING}{' ' * LONG}x",
        f"{RUNNING}{{{'a=' * (LONG // 2)}",
        f'{RUNNING}{{a="' + "\\" * LONG,
        f"{RUNNING}{{" * (LONG // 25),
        f'{RUNNING}{{a="\n' * (LONG // 25),
        (f'{RUNNING}{{a="' + "\\" * 15_000 + "\n") * (LONG // 15_000),
        (RUNNING + " " * 15_000 + "x\n") * (LONG // 15_000),
        "\n" * LONG,
    ],
    ids=range(9),
)
def test_a_long_page_is_read_in_a_moment(page: str) -> None:
    began = perf_counter()
    assert MetricsReader().values(page) == {}
    assert perf_counter() - began < 10


def test_only_a_part_of_an_endless_page_is_read() -> None:
    page = "".join(f'{RUNNING}{{engine="{i}"}} 1\n' for i in range(2 * WANTED_LINES))
    assert MetricsReader().values(page)["running"] == WANTED_LINES
    assert MetricsReader().values("# \n" * LINES + f"{RUNNING} 1\n") == {}


# engines


@pytest.mark.parametrize("value", ["1e308", "-1e308", "9" * 25, "9" * 5000, "1e999", "NaN", "²"])
def test_numbers_that_cannot_be_stored_are_left_out(value: str) -> None:
    """Two of 1e308 are infinite together, and no database or JSON holds that."""
    page = "".join(f'{name}{{engine="{i}"}} {value}\n' for name in sorted(WANTED) for i in range(2))
    assert MetricsReader().values(page + f'{RUNNING}{{engine="2"}} 3\n') == {"running": 3.0}


def test_a_share_of_next_to_nothing_is_finite() -> None:
    reading, hits, looked_up = (
        MetricsReader(),
        "vllm:prefix_cache_hits",
        "vllm:prefix_cache_queries",
    )
    reading.values(f"{RUNNING} 1\n{hits}_total 0\n{looked_up}_total 0\n")
    values = reading.values(f"{RUNNING} 1\n{hits}_total 1e18\n{looked_up}_total 1e-310\n")
    assert values == {"running": 1.0}


def test_the_page_of_a_real_vllm_is_read() -> None:
    assert MetricsReader().values(VLLM) == {
        "running": 4.0,
        "waiting": 8.0,
        "kv_cache_share": pytest.approx(0.0597, abs=1e-4),
        "preemptions": 0.0,
    }


def test_the_page_of_a_real_sglang_is_read() -> None:
    assert MetricsReader().values(SGLANG) == {"running": 0.0, "waiting": 0.0, "kv_cache_share": 0.0}


def test_counters_start_at_zero() -> None:
    reading = MetricsReader()
    reading.values(VLLM)  # 230 tokens looked up, none found
    later = changed(
        VLLM,
        vllm_prefix_cache_queries_total=330,
        vllm_prefix_cache_hits_total=25,
        vllm_num_preemptions_total=3,
    )
    values = reading.values(later)
    assert (values["prefix_hit_share"], values["preemptions"]) == (0.25, 3.0)
    again = reading.values(changed(VLLM, vllm_num_preemptions_total=0))
    assert again["preemptions"] == 0.0


def test_queueing_and_prefill_are_means_over_the_run() -> None:
    reading = MetricsReader()
    assert "queue_mean_s" not in reading.values(VLLM)  # two requests of before
    later = changed(
        VLLM,
        vllm_request_queue_time_seconds_sum=8.0,
        vllm_request_queue_time_seconds_count=6,
        vllm_request_prefill_time_seconds_sum=1.18745863799995277,
        vllm_request_prefill_time_seconds_count=6,
    )
    values = reading.values(later)
    assert values["queue_mean_s"] == pytest.approx(2.0, abs=1e-4)
    assert values["prefill_mean_s"] == pytest.approx(0.25)
    reading = MetricsReader()
    reading.values(SGLANG)
    more = changed(SGLANG, sglang_queue_time_seconds_sum=1, sglang_queue_time_seconds_count=79)
    assert reading.values(more)["queue_mean_s"] == pytest.approx(0.092, abs=1e-3)
    assert "prefill_mean_s" not in reading.values(more)


def test_the_prefix_hits_of_sglang_are_summed_over_memory_tiers() -> None:
    reading = MetricsReader()
    reading.values(SGLANG)  # 43 and 6,227 tokens prefilled, 3,852 found on the device
    more = changed(SGLANG, sglang_cached_tokens_total=3952, sglang_prompt_tokens_total=6227)
    assert reading.values(more)["prefix_hit_share"] == pytest.approx(100 / (6227 - 43))


def test_replicas_are_added_up_and_ranks_of_one_are_not() -> None:
    two = VLLM + VLLM.replace('engine="0"', 'engine="1"')
    values = MetricsReader().values(changed(two, vllm_kv_cache_usage_perc=0.5))
    assert (values["running"], values["waiting"], values["kv_cache_share"]) == (8.0, 16.0, 0.5)
    ranks = SGLANG + SGLANG.replace('tp_rank="0"', 'tp_rank="1"')
    assert MetricsReader().values(changed(ranks, sglang_num_running_reqs=3))["running"] == 3.0


def test_metrics_of_an_unknown_engine_give_no_values() -> None:
    assert MetricsReader().values("process_cpu_seconds_total 8.29\n") == {}


def test_every_reported_series_is_in_the_table() -> None:
    values = MetricsReader().values(VLLM) | {"gpu3_memory_bytes": 1.0, "gpu11_use_share": 1.0}
    labels = {name: entry.label for name in values if (entry := series_of(name))}
    assert labels.keys() == values.keys()
    assert labels["gpu11_use_share"] == "GPU 11, utilization"
    assert series_of("gpu3_nonsense") is None and series_of("nonsense") is None
    assert len({entry.name for entry in SERIES}) == len(SERIES)


# a server's page, over HTTP


class Metrics:
    """A server with a page of metrics whose values a test changes."""

    def __init__(self) -> None:
        self.text, self.status, self.asked = VLLM, 200, 0
        self.keys: list[str | None] = []
        self.needs_key = ""
        self.base_url = ""


@pytest.fixture
def served() -> Iterator[Metrics]:
    page = Metrics()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page.asked += self.path == "/metrics"
            key = self.headers.get("Authorization")
            page.keys.append(key)
            refused = page.needs_key and key != f"Bearer {page.needs_key}"
            body = b"" if refused else page.text.encode()
            self.send_response(401 if refused else page.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.base_url = f"http://127.0.0.1:{server.server_port}/v1"
        yield page
        server.shutdown()


def looks(page: Page, times: int, between: Callable[[], None] = lambda: None) -> list[Any]:
    async def read() -> list[Any]:
        samples = []
        for _ in range(times):
            samples.append(await page.read())
            between()
        await page.close()
        return samples

    return asyncio.run(read())


def page_of(served: Metrics, env: dict[str, str] | None = None, backend: str = "vllm") -> Page:
    return Page(SamplerTarget(backend, served.base_url, 0).target(env or {}))


def test_each_look_reads_the_current_values(served: Metrics) -> None:
    def change() -> None:
        served.text = changed(VLLM, vllm_num_requests_running=7)

    first, second = looks(page_of(served), 2, change)
    assert (first["running"], second["running"]) == (4.0, 7.0)


def test_a_server_without_metrics_is_asked_once(served: Metrics) -> None:
    served.status = 404
    assert looks(page_of(served), 3) == [{}, {}, {}]
    assert served.asked == 1


def test_a_server_that_is_down_for_a_while_is_polled_again(served: Metrics) -> None:
    served.status = 503

    def mend() -> None:
        served.status = 200

    assert [bool(seen) for seen in looks(page_of(served), 2, mend)] == [False, True]


def test_an_unreachable_server_gives_no_values() -> None:
    page = Page(SamplerTarget("vllm", "http://127.0.0.1:9/v1", 0).target({}))
    assert looks(page, 2) == [{}, {}]


def test_a_key_is_sent_only_where_the_page_asks_for_it(served: Metrics) -> None:
    env = {"VLLM_BASE_URL": served.base_url, "VLLM_API_KEY": "fake-0123456789"}
    assert looks(page_of(served, env), 1)[0]["running"] == 4.0
    assert served.keys == [None]
    served.needs_key = "fake-0123456789"
    assert looks(page_of(served, env), 1)[0]["running"] == 4.0
    elsewhere = {**env, "VLLM_BASE_URL": "http://127.0.0.1:1/v1"}
    assert looks(page_of(served, elsewhere), 2) == [{}, {}]  # the key belongs to another server


# who is watched


@pytest.mark.parametrize(
    ("backend", "base_url", "worth_it"),
    [
        ("embedded", "http://127.0.0.1:1/v1", True),
        ("ollama", "http://localhost:11434/v1", True),
        ("vllm", "http://10.255.255.1:8000/v1", True),
        ("url", "https://example.org/v1", True),
        ("ollama", "http://10.255.255.1:11434/v1", False),
        ("groq", "https://api.groq.com/openai/v1", False),
        ("openai", "https://api.openai.com/v1", False),
        ("openai", "http://127.0.0.1:8000/v1", True),
    ],
)
def test_only_own_servers_may_be_sampled(backend: str, base_url: str, worth_it: bool) -> None:
    assert SamplerTarget(backend, base_url, 0).may_be_sampled is worth_it


# GPUs


class Nvml:
    """What pynvml answers on a machine with GPUs of so many bytes in use."""

    NVMLError = type("NVMLError", (Exception,), {})

    def __init__(self, used: list[int], pids: dict[int, int] | None = None) -> None:
        self.used, self.pids = used, pids or {}

    def nvmlInit(self) -> None:
        pass

    def no_driver(self) -> None:
        raise self.NVMLError("NVML Shared Library Not Found")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.used)

    def nvmlDeviceGetHandleByIndex(self, i: int) -> int:
        return i

    def nvmlDeviceGetMemoryInfo(self, i: int) -> Any:
        return SimpleNamespace(used=self.used[i], total=100)

    def nvmlDeviceGetUtilizationRates(self, i: int) -> Any:
        if i == 1:
            raise self.NVMLError("Not Supported")
        return SimpleNamespace(gpu=50, memory=1)

    def nvmlDeviceGetComputeRunningProcesses(self, i: int) -> Any:
        return [SimpleNamespace(pid=pid) for pid, on in self.pids.items() if on == i]


def test_only_the_engines_gpus_are_reported() -> None:
    seen = Gpus(Nvml([10, 20, 30], {7: 0, 8: 2})).read({7, 8, 9})
    assert seen == {
        "gpu0_memory_bytes": 10.0,
        "gpu0_memory_total_bytes": 100.0,
        "gpu0_use_share": 0.5,
        "gpu2_memory_bytes": 30.0,
        "gpu2_memory_total_bytes": 100.0,
        "gpu2_use_share": 0.5,
    }


def test_all_gpus_are_reported_if_the_processes_are_unknown() -> None:
    seen = Gpus(Nvml([10, 20])).read(set())
    assert {name for name in seen if name.startswith("gpu1")} == {
        "gpu1_memory_bytes",
        "gpu1_memory_total_bytes",
    }
    assert gpus([Sample(0.0, seen)]) == [0, 1]


def test_a_machine_without_a_driver_or_without_the_package_has_no_gpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No other machine is at hand: the package is as it is there."""
    driver = Nvml([10])
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    here = nvml.gpus()
    assert here is not None and here.read(set())["gpu0_memory_bytes"] == 10.0
    monkeypatch.setattr(driver, "nvmlInit", driver.no_driver)
    assert nvml.gpus() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as where it is not installed
    assert nvml.gpus() is None


# processes


@contextmanager
def busy() -> Iterator[int]:
    """A process that does nothing, with a child that keeps a core busy."""
    child = f"import subprocess; subprocess.run([{sys.executable!r}, '-c', 'while True: pass'])"
    process = subprocess.Popen([sys.executable, "-c", child])
    yield process.pid
    everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for each in reversed(everyone):
        each.kill()
    process.wait(10)


def test_child_processes_count_toward_the_engine() -> None:
    with busy() as pid:
        tree = Tree(pid)
        until(lambda: len(tree.read()[1]) == 2, 30)
        until(lambda: tree.read()[0].get("engine_cores", 0.0) > 0, 30)
        values, pids = tree.read()
        assert values["memory_bytes"] > 2**20 and pid in pids
    until(lambda: tree.read() == ({}, set()), 10)


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="Linux counts it")
def test_the_time_a_process_waited_for_a_core_is_counted() -> None:
    """Two that are always busy share one core: each waits while the other runs."""
    with busy() as pid, busy() as other:
        core = {min(os.sched_getaffinity(0))}
        tree = Tree(pid)
        until(lambda: len(tree.read()[1]) == 2, 30)
        for pid_ in (pid, other):
            for process in (pid_, *(p.pid for p in psutil.Process(pid_).children())):
                os.sched_setaffinity(process, core)
        until(lambda: tree.read()[0].get("engine_waiting_cores", 0.0) > 0.2, 30)


def test_the_process_that_listens_on_a_port_is_found(reference: ReferenceServer) -> None:
    pid = listener(reference.port)
    assert pid and "tests.reference" in psutil.Process(pid).cmdline()
    assert listener(9) is None


# all together


def names(samples: list[Sample]) -> set[str]:
    return {name for sample in samples for name in sample.values}


def test_a_local_server_and_its_machine_are_sampled(reference: ReferenceServer) -> None:
    began = perf_counter_ns()

    async def look() -> list[Sample]:
        sampler = Sampler(SamplerTarget("url", reference.base_url, began))
        seen = [await sampler.look()]
        while not {"machine_cores", "engine_cores"} <= names(seen):
            await asyncio.sleep(0.05)
            seen.append(await sampler.look())
        await sampler.close()
        return seen

    seen = asyncio.run(look())
    assert {"running", "memory_bytes"} <= names(seen)
    assert 0 < seen[0].t <= seen[-1].t <= (perf_counter_ns() - began) / 1e9


@pytest.mark.parametrize(
    ("sampler_target", "seen"),
    [
        (SamplerTarget("url", "http://127.0.0.1:9/v1", 0), True),
        (SamplerTarget("url", "http://127.0.0.1:9/v1", 0, on_cores=True), False),
        (SamplerTarget("embedded", "http://127.0.0.1:9/v1", 0), False),
    ],
)
def test_the_gpus_are_not_those_of_an_engine_on_the_cores(
    monkeypatch: pytest.MonkeyPatch, sampler_target: SamplerTarget, seen: bool
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml([10]))

    async def look() -> Sample:
        sampler = Sampler(sampler_target)
        try:
            return await sampler.look()
        finally:
            await sampler.close()

    assert ("gpu0_memory_bytes" in asyncio.run(look()).values) is seen


@pytest.mark.slow
def test_the_process_writes_samples_until_its_input_ends(served: Metrics) -> None:
    sampler_target = SamplerTarget("url", served.base_url, perf_counter_ns(), period_s=0.05)
    sampler = subprocess.Popen(
        [sys.executable, "-m", "services.servers.telemetry"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with sampler:
        assert sampler.stdin and sampler.stdout
        sampler.stdin.write(encode(sampler_target))
        sampler.stdin.flush()
        samples = [expect(Sampled, sampler.stdout.readline()) for _ in range(3)]
        assert psutil.Process(sampler.pid).nice() > psutil.Process().nice()
        sampler.stdin.close()
        assert sampler.wait(30) == 0
    assert [sample.values["running"] for sample in samples] == [4.0] * 3
    assert samples[0].t < samples[1].t < samples[2].t


# in numbers


def watched(*spans: tuple[float, float | None]) -> Any:
    """A run whose repeats began at, and lasted, so many seconds."""
    repeats = tuple(Repeat(i, NOON, lasted, {"t": at}) for i, (at, lasted) in enumerate(spans))
    return replace(run(), repeats=repeats)


def test_only_what_was_sampled_while_requests_were_measured_counts() -> None:
    samples = [Sample(float(t), {"running": float(t)}) for t in range(10)]
    two = watched((2.0, 2.0), (6.0, 1.0))
    assert [s.t for s in during(two, samples)] == [2.0, 3.0, 4.0, 6.0, 7.0]
    assert [s.t for s in during(two, samples, repeat=1)] == [6.0, 7.0]
    assert [s.t for s in during(watched((8.0, None)), samples)] == [8.0, 9.0]
    assert (mean(samples, "running"), highest(samples, "running")) == (4.5, 9.0)
    assert mean(samples, "waiting") is None and highest(samples, "waiting") is None


def test_a_counter_that_was_reset_continues_to_grow() -> None:
    samples = [
        Sample(float(i), {"preemptions": n}) for i, n in enumerate([0.0, 2.0, 5.0, 1.0, 4.0])
    ]
    assert increase(samples, "preemptions") == 9.0
    assert increase([], "preemptions") is None


def test_the_table_has_mean_and_maximum_and_omits_missing_series() -> None:
    run = replace(
        candidate([measured()]),
        run=watched((1.0, 2.0)),
        samples=[
            Sample(0.0, {"running": 9.0}),
            Sample(
                1.0,
                {
                    "running": 1.0,
                    "gpu1_memory_bytes": 2.0**30,
                    "preemptions": 1.0,
                    "gpu1_memory_total_bytes": 2.0**31,
                },
            ),
            Sample(2.0, {"running": 2.0, "gpu0_memory_bytes": 2.0**29, "preemptions": 3.0}),
        ],
    )
    assert table(run).rows == (
        ("Requests running", "1.5", "2"),
        ("GPU 0, memory in use", "512 MiB", "512 MiB"),
        ("GPU 1, memory in use", "1.00 GiB", "1.00 GiB"),
    )
    assert table(run).note.startswith("Preemptions: 3. Sampled ")  # a count has no mean
    assert table(candidate([measured()])).rows == ()
