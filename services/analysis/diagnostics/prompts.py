"""Diagnostics of prompts: whether the server received what was planned."""

from __future__ import annotations

from collections.abc import Sequence

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import Summary
from services.analysis.summary.cached import cached_share
from services.analysis.summary.repeats import successes
from services.analysis.turns import history_share
from services.ask import workloads
from services.ask.measurement import CACHE, Measurement, Run
from services.ask.planned_hits import planned_hits
from services.base import units

OFF_SHARE = 0.1  # limit, of the planned tokens
HITS_OFF = 0.02  # limit, of all prompt tokens


def other_length(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    """Check the server's own count of prompt tokens against the plan."""
    planned = workloads.prompt_tokens(run.config)
    if planned is None or run.source is not None:
        return None
    good = successes(measurements)
    good = good.where(good.numbers("prompt_tokens") > 0)
    if not len(good):
        return None
    counted = float(good.numbers("prompt_tokens").sum()) / len(good)
    expected = sum(planned(int(index)) for index in good.numbers("index")) / len(good)
    off = counted / expected - 1
    how = f"{units.share(abs(off))} {'more' if off > 0 else 'fewer'}"
    if abs(off) <= OFF_SHARE:
        return None
    return Diagnostic(
        "note",
        f"Prompts have {how} tokens than planned",
        f"On average, the server counted {units.significant(counted)} for "
        f"{units.significant(expected)} planned. Its chat template adds 5 to 40 to each, and "
        "models with a different vocabulary count differently: rely on the server's count, and "
        "change the planned number to get closer.",
    )


def other_hits(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    """Compare the cached prompt tokens with the plan. The length of a session's repeated history is
    the one that the server counted."""
    shared = planned_hits(run.config)
    if shared is None or not summary.ok:
        return None
    good = successes(measurements)
    share, counted = cached_share(good), history_share(good, run.config)
    if shared.history:
        return _of_history(share, counted)
    plan = shared.share if counted is None else counted
    planned = units.share(plan)
    if share is None:
        return Diagnostic(
            "note",
            "The cache hit rate is unknown",
            f"{planned} of the prompt tokens should come from the prefix cache, but the server "
            "reports no cached tokens. vLLM does with --enable-prompt-tokens-details, SGLang with "
            "--enable-cache-report.",
        )
    if abs(share - plan) <= HITS_OFF:
        return None
    return Diagnostic(
        "warning",
        f"{units.share(share)} of the prompt tokens came from the prefix cache instead of "
        f"{planned}",
        MORE_HITS if share > plan else FEWER_HITS,
    )


def _of_history(share: float | None, counted: float | None) -> Diagnostic | None:
    if share is None or counted is None or share >= counted - HITS_OFF:
        return None
    return Diagnostic(
        "note",
        "Part of the history was recomputed",
        f"{units.share(counted)} of the prompt tokens repeat earlier messages of their session, "
        f"and {units.share(share)} came from the prefix cache. TTFT of later turns includes "
        "computing the rest. The cache may be off or too small for all sessions, the server may "
        "share whole blocks only (vLLM: 16 tokens, 128 on a CPU), or sessions may have changed "
        "slots (llama.cpp): use longer prompts, or fewer sessions at once.",
    )


FEWER_HITS = (
    "TTFT is longer than at the planned share. The cache may be off or too small for all prefixes, "
    "requests with the same prefix may have started together, or the server shares whole blocks "
    "only (vLLM: 16 tokens, 128 on a CPU), or keeps one prompt per slot and goes back to an "
    "earlier one only for a quarter of it or more (llama.cpp): send fewer requests at once, use "
    "fewer prefixes or longer prompts."
)
MORE_HITS = (
    "TTFT is shorter than at the planned share. The beginning of the chat template is the same in "
    "all prompts, which counts more the shorter they are: use longer prompts. Or another client "
    "sends this server the same prompts."
)


def not_emptied(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    """Report a cache that should have been emptied before a repeat and was not."""
    why = [text for repeat in run.repeats if (text := repeat.health.get(CACHE))]
    if not run.config.empty_cache or not why:
        return None
    return Diagnostic(
        "warning",
        f"The server's cache was not emptied before {units.many(len(why), 'repeat')}",
        f"{why[0]} Unless prompts are unique, they may hit what a previous repeat or another run "
        "left there. Restart the server between runs instead.",
    )


CHECKS = (other_length, other_hits, not_emptied)
