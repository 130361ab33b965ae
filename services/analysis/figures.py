"""Labels and units of the numbers of a summary, the same everywhere."""

from __future__ import annotations

from services.analysis.metrics import metric


def figure_name(name: str) -> tuple[str, str]:
    """Return the label and the unit of a key of `summary_row`."""
    if name in _FIGURES:
        return _FIGURES[name]
    of, _, statistic = name.rpartition("_")
    entry = metric(of)
    return f"{entry.label}, {STATISTICS[statistic]}", entry.unit


# Keys of summary_row, in the order of display.
FIGURES = (
    ("output_tokens_per_s", "Output throughput", "tokens/s"),
    ("total_tokens_per_s", "Total throughput", "tokens/s"),
    ("requests_per_s", "Requests/s", "requests/s"),
    ("steady_output_tokens_per_s", "Steady-state output throughput", "tokens/s"),
    ("total_e2e_s", "E2E latency, sum of all requests", "s"),
    ("session_s_n", "Completed sessions", "count"),
    ("session_s_median", "Session time, median", "s"),
    ("session_s_p95", "Session time, p95", "s"),
    ("goodput_per_s", "Goodput", "requests/s"),
    ("slo_attainment", "SLO attainment", "share"),
    ("slo_attainment_low", "SLO attainment, 95 % interval from", "share"),
    ("slo_attainment_high", "SLO attainment, 95 % interval to", "share"),
    ("sent", "Requests sent", "count"),
    ("ok", "Succeeded", "count"),
    ("failed", "Failed", "count"),
    ("cancelled", "Cancelled", "count"),
    ("error_rate", "Error rate", "share"),
    ("prompt_tokens", "Prompt tokens, sum of all requests", "tokens"),
    ("output_tokens", "Output tokens, sum of all requests", "tokens"),
    ("peak_in_flight", "Peak requests in flight", "count"),
    ("fairness", "Fairness (Jain's index)", ""),
    ("cost_usd", "Cost, sum of all requests", "USD"),
    ("usd_per_million_output", "Cost per million output tokens", "USD"),
)
_FIGURES = {name: (label, unit) for name, label, unit in FIGURES}
STATISTICS = {
    "median": "median",
    "mean": "mean",
    "sd": "std dev",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
}
