"""Prompts that begin with a shared prefix: see `services/ask/prefixes.py`.

The nonce of a request comes after the part that it shares. The prefix has its own nonce, which
depends on run and repeat: otherwise a second run or repeat would hit what the first one cached.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from services.ask import lengths, modes
from services.ask.config import RunConfig, TextStyle
from services.ask.prefixes import Prefixes
from services.ask.workloads.synthetic import NONCE_TOKENS, text

ALL = "all"


def prompt(
    config: RunConfig,
    shared: Prefixes,
    index: int,
    number: int,
    nonce_of: Callable[[object], str],
) -> str:
    """Return the prompt of request `index`, or the first message of the session that begins with
    it. `number`: of the request or session; prefixes are assigned to it in rotation. `nonce_of`:
    returns the nonce for a request's index or for a prefix's name."""
    index, number = index % modes.max_requests(config), number % modes.max_requests(config)
    length = lengths.of_prompts(config).of(index)
    tokens = shared.tokens(length)
    own = max(1, length - tokens - NONCE_TOKENS)
    return " ".join(
        [
            _prefix(config, shared, number % shared.count, tokens, nonce_of),
            nonce_of(index),
            text(f"{config.seed or 0}/{index}", own, config.text_style),
        ]
    )


def _prefix(
    config: RunConfig,
    shared: Prefixes,
    which: int,
    tokens: int,
    nonce_of: Callable[[object], str],
) -> str:
    """The first `tokens` tokens of a prefix."""
    system = min(shared.system, tokens)
    parts = []
    first = NONCE_TOKENS
    if system:
        parts.append(nonce_of(f"prefix/{ALL}"))
        parts.append(_text(f"{config.seed or 0}/{ALL}", max(1, system - first), config.text_style))
        first = 0
    if tokens > system:
        if not system:
            parts.append(nonce_of(f"prefix/{which}"))
        own = max(1, tokens - system - first)
        parts.append(_text(f"{config.seed or 0}/document/{which}", own, config.text_style))
    return " ".join(parts)


@lru_cache(maxsize=64)
def _text(key: str, tokens: int, style: TextStyle) -> str:
    """Cached, because many requests have the same text."""
    return text(key, tokens, style)
