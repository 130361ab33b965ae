"""The fields of prefixes that synthetic prompts share."""

from __future__ import annotations

from math import ceil

from services.ask.about import About, field
from services.ask.base_config import BaseConfig
from services.ask.repeated import Repeated

HIGHEST = 0.95  # share of hits: part of each prompt is its own
MAX_PREFIXES = 10_000
MIN_OWN = 8  # tokens of a prompt that are not shared: the nonce and a word


class PrefixFields(BaseConfig):
    """What prompts share."""

    prefix_share: float = field(
        0.0,
        About(
            "Planned cache hit rate",
            "Synthetic: share of all prompt tokens that the server should find in its prefix "
            "cache; 0: prompts share no prefix",
            section="prompts",
            step=0.1,
            read_by=("synthetic",),
            varied=True,
        ),
        ge=0,
        le=HIGHEST,
    )
    prefix_count: int = field(
        1,
        About(
            "Number of prefixes",
            "Synthetic: number of prefixes, such as documents that questions are about, used in "
            "rotation",
            section="prompts",
            read_by=("synthetic",),
            ignored=lambda config: "" if config.prefix_share else "without prefix_share",
            varied=True,
        ),
        ge=1,
        le=MAX_PREFIXES,
    )
    prefix_system_tokens: int = field(
        0,
        About(
            "Prefix tokens common to all",
            "Synthetic: tokens at the start of all prefixes, such as a system prompt",
            section="prompts",
            read_by=("synthetic",),
            ignored=lambda config: "" if config.prefix_share else "without prefix_share",
            varied=True,
        ),
        ge=0,
        le=131_072,
    )


def problem(
    fields: PrefixFields, tokens: int, requests: int | None, unique: bool, again: Repeated
) -> str:
    """Return why prompts of so many tokens cannot reach the requested share, as field and sentence;
    "" if they can. `requests`: per repeat; None if unlimited. `again`: what one session repeats, or
    one request without a session."""
    share, system = fields.prefix_share, fields.prefix_system_tokens
    if not unique:
        return (
            "prefix_share: needs unique prompts, otherwise a repeat would hit the prompts of the "
            "previous one."
        )
    if system > tokens - MIN_OWN:
        return f"prefix_system_tokens: must leave {MIN_OWN} of the {tokens:,} tokens of a prompt."
    count = fields.prefix_count
    low, high = map(again.share, _possible(tokens, system, min(count, requests or 1), requests))
    if share < low:
        history = "the history of the sessions and " if again.found else ""
        return (
            f"prefix_share: must be at least {ceil(low * 1000) / 1000:g}, the share that "
            f"{history}the tokens common to all prompts give alone. Raise it, or lower "
            "prefix_system_tokens."
        )
    if share > high:
        return (
            f"prefix_share: at most {int(high * 1000) / 1000:g} is possible here, because the "
            "first use of each prefix is not a hit. Send more requests, use fewer prefixes, or "
            "lower it."
        )
    return ""


def _possible(tokens: int, system: int, count: int, requests: int | None) -> tuple[float, float]:
    """The lowest and the highest possible share of hits, among prompts that begin a session or are
    not part of one."""
    longest = tokens - MIN_OWN
    if requests is None:
        return system / tokens, longest / tokens
    total = requests * tokens
    hits = (requests - count) * longest + (count - 1) * system
    return (requests - 1) * system / total, hits / total
