"""The token counts that a server reports, under whatever names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_COUNT = 2**31 - 1  # no answer has more tokens; larger counts are treated as invalid


class Usage(NamedTuple):
    """Token counts as the server reports them; None: not reported."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None

    def after(self, earlier: Usage) -> Usage:
        """Return the latest non-zero counts: cumulative ones grow, and zeros may follow them."""
        both = zip(self, earlier, strict=True)
        latest = Usage(*(new or (new if old is None else old) for new, old in both))
        longest = max(
            self.prompt_tokens or 0, earlier.prompt_tokens or 0
        )  # some counts may lack cached tokens
        return latest._replace(prompt_tokens=longest or latest.prompt_tokens)


def usage_of(usage: Any) -> Usage | None:
    """Return the token counts in `usage`; None if all are missing or zero."""
    if not isinstance(usage, dict):
        return None
    prompt, output, reasoning, cached = (_first_count(usage, names) for names in COUNT_FIELDS)
    if not (prompt or output or reasoning or cached):
        return None
    if reasoning and prompt is not None and output is not None:
        total = _count(usage, "total_tokens")
        if total == prompt + output + reasoning:  # xAI's output is without it, OpenAI's with it
            output += reasoning
    return Usage(prompt or None, output or None, reasoning, cached)  # neither is ever empty


def groq_usage(data: Mapping[str, Any]) -> Usage | None:
    beside = data.get("x_groq")
    return usage_of(beside.get("usage")) if isinstance(beside, dict) else None


def ollama_usage(data: Mapping[str, Any]) -> Usage | None:
    return usage_of(data) if data.get("done") else None


def anthropic_usage(usage: Any) -> Usage | None:
    """Return the counts of Anthropic's API, whose `input_tokens` exclude cached tokens."""
    counts = usage_of(usage)
    if counts is None:
        return None
    cached = sum(_count(usage, name) or 0 for name in ANTHROPIC_CACHE)
    return counts._replace(prompt_tokens=(counts.prompt_tokens or 0) + cached or None)


def _first_count(usage: Mapping[str, Any], names: tuple[tuple[str, str], ...]) -> int | None:
    """Return the first count found under `names`, pairs of (nested object or "", field)."""
    for holder, name in names:
        count = _count(usage.get(holder) if holder else usage, name)
        if count is not None:
            return count
    return None


def _count(data: Any, key: str) -> int | None:
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_COUNT else None


ANTHROPIC_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")
# The names under which servers report each count of Usage: (nested object or "", field).
COUNT_FIELDS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("", "prompt_tokens"), ("", "input_tokens"), ("", "prompt_eval_count")),
    (("", "completion_tokens"), ("", "output_tokens"), ("", "eval_count")),
    (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
        ("", "reasoning_tokens"),
    ),
    (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("", "prompt_cache_hit_tokens"),  # DeepSeek
        ("", "cached_tokens"),  # Moonshot
        ("", "cache_read_input_tokens"),  # Anthropic
        ("", "prompt_eval_cached_count"),  # Ollama
    ),
)
