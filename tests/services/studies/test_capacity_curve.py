"""Where throughput stops rising with the load, and what tells why."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from services.analysis.capacity import Misses, Observation
from services.analysis.capacity.point import LoadPoint, load_point
from services.ask.measurement import Sample
from services.servers.telemetry.engines import MetricsReader
from services.studies.capacity import Capacity
from services.studies.capacity_curve import curve_sentences, knee, operating_points
from services.studies.capacity_probe import Probe
from tests.capacities import config_of_servers, searched
from tests.conftest import ROOT
from tests.services.servers.test_telemetry import changed
from tests.values import NOON


def users(*throughputs: tuple[int, float], **more: float) -> Capacity:
    """A search for users, with a probe for each of (users, requests per second)."""
    probes = tuple(
        Probe(
            0,
            count,
            60.0,
            place,
            Observation(count, (Misses(0, 100, 1.0),), int(rate * 60), 60.0, reached=(0.1,)),
            LoadPoint(rate, rate * 50, float(count), **(more if place else {})),
        )
        for place, (count, rate) in enumerate(throughputs)
    )
    return Capacity(1, "", "", NOON, config_of_servers(load="users"), "done", probes)


def test_the_knee_is_where_light_load_meets_the_most_that_is_completed() -> None:
    """One user gets 5 requests/s, and 40 are completed at most: the knee is at 8 users."""
    capacity = users((1, 5.0), (4, 20.0), (16, 40.0), (64, 40.0))
    found = knee(operating_points(capacity, 0), users=True)
    assert found is not None
    assert (found.load, found.most_per_s) == (pytest.approx(8.0), pytest.approx(40.0))
    first, *others = curve_sentences(capacity, 0)
    assert first.startswith("Throughput rises up to about 8 users, then stays at 40.0 requests/s")
    assert not any("peaks" in text for text in others)


def test_without_saturation_there_is_no_knee() -> None:
    capacity = users((1, 5.0), (4, 20.0))
    assert knee(operating_points(capacity, 0), users=True) is None
    (sentence,) = curve_sentences(capacity, 0)
    assert (
        sentence == "Throughput rises with the load up to 4 users, the highest that was measured."
    )


@pytest.mark.parametrize("probes", [(), ((8, 5.0),), ((8, 5.0), (8, 5.1)), ((1, 0.0), (8, 5.0))])
def test_throughput_is_described_only_from_two_loads_on(
    probes: tuple[tuple[int, float], ...],
) -> None:
    assert curve_sentences(users(*probes), 0) == []


def test_throughput_that_falls_again_is_reported_with_the_law_that_fits_it() -> None:
    def served(n: int) -> float:  # the Universal Scalability Law itself
        return 5 * n / (1 + 0.02 * (n - 1) + 0.001 * n * (n - 1))

    capacity = users(*((n, served(n)) for n in (1, 4, 16, 64, 128)))
    text = " ".join(curve_sentences(capacity, 0))
    assert "Overload costs throughput: at 128 users only" in text
    assert "contention σ is 2.00 % and coherency κ is 0.0010; throughput peaks at 31 req" in text


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"kv_cache_share": 0.99}, "From 16 users on, the KV cache is nearly full (99.0 %)"),
        (
            {"kv_cache_share": 0.4},
            "The KV cache is not the cause: at most 40.0 % of it was in use.",
        ),
        ({"preemptions": 3.0}, "From 16 users on, the engine preempts requests"),
        ({"waiting": 56.0}, "Up to 56 requests waited in the engine at 16 users."),
    ],
)
def test_a_reason_can_come_from_engine_metrics(told: dict[str, float], says: str) -> None:
    capacity = users((1, 5.0), (16, 40.0), (64, 40.0), **told)
    assert says in " ".join(curve_sentences(capacity, 0))


@pytest.mark.parametrize(
    ("engine", "first", "then"),
    [
        (
            "vllm",
            {"vllm_num_preemptions_total": 0},
            {
                "vllm_kv_cache_usage_perc": 0.99,
                "vllm_num_requests_waiting": 40,
                "vllm_num_preemptions_total": 3,
            },
        ),
        ("sglang", {}, {"sglang_token_usage": 0.99, "sglang_num_queue_reqs": 40}),
    ],
)
def test_recorded_engine_metrics_explain_the_saturation(
    engine: str, first: dict[str, float], then: dict[str, float]
) -> None:
    """Recorded from vLLM and SGLang, with other values: SGLang serves its counter of retractions
    only once there is one."""
    page = (ROOT / "tests" / "data" / "telemetry" / f"{engine}_metrics.txt").read_text()
    more = (
        'sglang:num_retracted_requests_total{model_name="smol"} 3.0' if engine == "sglang" else ""
    )
    reader = MetricsReader()
    pages = [changed(page, **first), f"{changed(page, **then)}\n{more}\n"]
    samples = [Sample(float(at), reader.values(text)) for at, text in enumerate(pages)]
    found = load_point([], samples, 0.0, 10.0)
    told = {name: getattr(found, name) for name in ("waiting", "kv_cache_share", "preemptions")}
    assert told == {"waiting": 40.0, "kv_cache_share": 0.99, "preemptions": 3.0}
    text = " ".join(curve_sentences(users((1, 5.0), (16, 40.0), (64, 40.0), **told), 0))
    assert "KV cache is nearly full (99.0 %)" in text and "(3 times at 16)" in text
    assert "Up to 40 requests waited" in text


def test_a_rate_beyond_saturation_makes_the_queue_grow() -> None:
    capacity = searched(config_of_servers())
    found = knee(operating_points(capacity, 0), users=False)
    assert found is not None and found.most_per_s == pytest.approx(40, rel=0.05)
    text = " ".join(curve_sentences(capacity, 0))
    assert re.search(r"At 64\.0 requests/s the queue grows by 2[1-6]\.\d", text)


def at_rates(window_s: float, *loads: tuple[float, int, int]) -> Capacity:
    """A search with a probe for each of (requests per second, requests sent, answered)."""
    probes = tuple(
        Probe(
            0,
            load,
            window_s,
            place,
            Observation(load, (Misses(0, sent, 1.0),), answered, window_s, reached=(0.1,)),
            LoadPoint(answered / window_s),
        )
        for place, (load, sent, answered) in enumerate(loads)
    )
    return Capacity(1, "", "", NOON, config_of_servers(), "running", probes)


def test_refused_requests_are_not_completed_ones() -> None:
    """A server that answers 39 of 64 requests and refuses the others has no queue that grows."""
    capacity = at_rates(60.0, (8.0, 480, 480), (64.0, 3840, 2340))
    found = knee(operating_points(capacity, 0), users=False)
    assert found is not None and found.most_per_s == pytest.approx(39)


def test_few_arrivals_by_chance_are_not_reported_as_saturation() -> None:
    """In a window of 3 s, 17 requests arrived instead of 24, and all of them were answered."""
    (sentence,) = curve_sentences(at_rates(3.0, (1.0, 4, 4), (8.0, 17, 17)), 0)
    assert sentence.startswith("Throughput rises with the load up to 8.00 requests/s")


def test_probes_without_a_point_are_left_out() -> None:
    capacity = searched(config_of_servers())
    earlier = tuple(replace(probe, point=None) for probe in capacity.probes)
    assert operating_points(replace(capacity, probes=earlier), 0) == []
