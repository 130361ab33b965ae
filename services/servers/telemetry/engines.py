"""An engine's metrics on /metrics: a table of engines and their metric names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from statistics import fmean

from services.base.untrusted import number
from services.servers.telemetry.prometheus import Metric, metrics

# Labels of ranks of one replica, which all report the same number: the highest is taken.
RANKS = frozenset({"tp_rank", "pp_rank", "moe_ep_rank", "pid"})
SUM_AND_COUNT = ("_sum", "_count")  # what Prometheus calls these of a histogram


@dataclass(frozen=True, slots=True)
class Names:
    """An engine's metric names, with `_` for `:`; several where versions differ, none where it does
    not report them. `looked_up` counts all prompt tokens, `hits` those found in the prefix cache,
    `missed` those not found. `queue_s` and `prefill_s` are histograms of requests, of which the
    sums and counts are read: they belong to the run, and to none of its requests."""

    engine: str
    running: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    kv_cache_share: tuple[str, ...] = ()
    preemptions: tuple[str, ...] = ()
    hits: tuple[str, ...] = ()
    looked_up: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    queue_s: str = ""
    prefill_s: str = ""

    def wanted(self) -> set[str]:
        """Return every name."""
        values = [getattr(self, f.name) for f in fields(self)]
        names = {name for value in values if isinstance(value, tuple) for name in value}
        histograms = filter(None, (self.queue_s, self.prefill_s))
        return names | {f"{name}{part}" for name in histograms for part in SUM_AND_COUNT}


class MetricsReader:
    """Reads one server's page repeatedly; counters are relative to the first read."""

    def __init__(self) -> None:
        self._first: dict[str, float] = {}

    def values(self, text: str) -> dict[str, float]:
        """Return the series on a page by their names in SERIES; {} for an unknown engine. Replicas
        are summed, shares are averaged."""
        page = list(metrics(text, WANTED))
        for names in ENGINES:
            if any(metric.name in names.running for metric in page):
                return self._series(names, page)
        return {}

    def _series(self, names: Names, page: list[Metric]) -> dict[str, float]:
        series = {
            "running": _aggregate(page, names.running, sum),
            "waiting": _aggregate(page, names.waiting, sum),
            "kv_cache_share": _aggregate(page, names.kv_cache_share, fmean),
            "prefix_hit_share": self._hit_share(names, page),
            "preemptions": self._since(_aggregate(page, names.preemptions, sum), "preemptions"),
            "queue_mean_s": self._mean(names.queue_s, page),
            "prefill_mean_s": self._mean(names.prefill_s, page),
        }
        sound = {name: number(value) for name, value in series.items()}
        return {name: value for name, value in sound.items() if value is not None}

    def _hit_share(self, names: Names, page: list[Metric]) -> float | None:
        hits = self._since(_aggregate(page, names.hits, sum), "hits")
        looked_up = self._since(_aggregate(page, names.looked_up, sum), "looked_up")
        missed = self._since(_aggregate(page, names.missed, sum), "missed")
        if looked_up is None and hits is not None and missed is not None:
            looked_up = hits + missed
        return hits / looked_up if looked_up and hits is not None else None

    def _mean(self, histogram: str, page: list[Metric]) -> float | None:
        """The mean of a histogram over what came since the first read."""
        names = [f"{histogram}{part}" for part in SUM_AND_COUNT]
        total, count = (self._since(_aggregate(page, (name,), sum), name) for name in names)
        return total / count if count and total is not None else None

    def _since(self, count: float | None, name: str) -> float | None:
        """The increase of a counter; from 0 where the server was restarted, or serves it only once
        there is something to count."""
        if count is None:
            self._first.setdefault(name, 0.0)
            return None
        if count < self._first.setdefault(name, count):
            self._first[name] = 0.0
        return count - self._first[name]


def _aggregate(
    page: list[Metric], names: tuple[str, ...], combine: Callable[[Iterable[float]], float]
) -> float | None:
    """The values of all replicas, combined; of several names, the first that is present."""
    for name in names:
        replicas: dict[frozenset[tuple[str, str]], float] = {}
        for metric in page:
            if metric.name == name:
                which = frozenset(item for item in metric.labels.items() if item[0] not in RANKS)
                replicas[which] = max(metric.value, replicas.get(which, metric.value))
        if replicas:
            return float(combine(replicas.values()))
    return None


ENGINES = (
    Names(
        "vLLM",
        running=("vllm_num_requests_running",),
        waiting=("vllm_num_requests_waiting",),
        kv_cache_share=("vllm_kv_cache_usage_perc", "vllm_gpu_cache_usage_perc"),
        preemptions=("vllm_num_preemptions_total",),
        hits=("vllm_prefix_cache_hits_total", "vllm_gpu_prefix_cache_hits_total"),
        looked_up=("vllm_prefix_cache_queries_total", "vllm_gpu_prefix_cache_queries_total"),
        queue_s="vllm_request_queue_time_seconds",
        prefill_s="vllm_request_prefill_time_seconds",
    ),
    Names(
        "SGLang",
        running=("sglang_num_running_reqs",),
        waiting=("sglang_num_queue_reqs",),
        kv_cache_share=("sglang_token_usage",),
        preemptions=("sglang_num_retracted_requests_total",),  # the gauge of that name resets
        hits=("sglang_cached_tokens_total",),
        looked_up=("sglang_prompt_tokens_total",),
        queue_s="sglang_queue_time_seconds",
    ),
    Names(
        "llama.cpp",
        running=("llamacpp_requests_processing",),
        waiting=("llamacpp_requests_deferred",),
        kv_cache_share=("llamacpp_kv_cache_usage_ratio",),
        hits=("llamacpp_prompt_tokens_cached_total",),
        missed=("llamacpp_prompt_tokens_total",),
    ),
    Names(
        "reference server",
        running=("reference_requests_running",),
        waiting=("reference_requests_waiting",),
    ),
)
WANTED = frozenset(name for names in ENGINES for name in names.wanted())
