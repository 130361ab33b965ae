"""A run in one sentence: the same on its page, on shared pages and in Markdown."""

from __future__ import annotations

from services.analysis.compare import Candidate
from services.analysis.compare.candidate import only_stated
from services.analysis.summary import summary_row
from services.ask import modes
from services.base.units import many, seconds, significant
from services.report.imports.stated import tool_of


def headline(candidate: Candidate) -> str:
    """Summarize a run in one line: its throughput and TTFT, or for a file without requests the
    numbers that its tool reports."""
    row, summary = summary_row(candidate.summary), candidate.summary
    if not summary.ok:
        return _headline_without_success(candidate)
    ended = summary.ok + summary.failed
    failed = f"; {summary.failed:,} of {many(ended, 'request')} failed" if summary.failed else ""
    rate, ttft = row["output_tokens_per_s"], row["ttft_s_median"]
    if rate is None:
        latency = row["e2e_s_median"]
        each = "" if latency is None else f", median E2E latency {seconds(latency)}"
        return f"{many(summary.ok, 'request')} answered{each}{failed}"
    after_ttft = "" if ttft is None else f", first token after a median of {seconds(ttft)}"
    each = row["tokens_per_s_median"]
    if modes.client_wait(candidate.run.config) and each is not None:
        return f"Median {significant(each)} tokens/s per request{after_ttft}{failed}"
    return f"{significant(rate)} output tokens/s{after_ttft}{failed}"


def _headline_without_success(candidate: Candidate) -> str:
    stated = only_stated(candidate)
    if candidate.summary.sent or not stated:
        return "No request succeeded" if candidate.summary.sent else "No request was measured"
    if rate := stated.get("output_tokens_per_s"):
        return f"{significant(rate)} tokens/s, according to {tool_of(candidate)}"
    return f"What {tool_of(candidate)} reports for all requests together"
