"""The cost of a run: per token, as providers charge, or per hour, as servers do.

Token prices come from the map in LiteLLM, which is read as a file since importing LiteLLM takes
seconds. The price per hour is entered by the user.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from services.ask.config import RunConfig
from services.base.units import dollars

MAP = "model_prices_and_context_window_backup.json"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token, and the source of the price."""

    usd_per_prompt_token: float
    usd_per_output_token: float
    source: str

    def cost(self, prompt_tokens: int, output_tokens: int) -> float:
        """Return the cost in US dollars. Cached prompt tokens count at full price."""
        return prompt_tokens * self.usd_per_prompt_token + output_tokens * self.usd_per_output_token

    def of(
        self, prompt_tokens: int | None, output_tokens: int | None, seconds: float | None
    ) -> float | None:
        """Return the cost of one repeat, or None if its tokens are unknown."""
        if prompt_tokens is None or output_tokens is None:
            return None
        return self.cost(prompt_tokens, output_tokens)


@dataclass(frozen=True, slots=True)
class Hourly:
    """US dollars per hour for the server with all its GPUs, as entered by the user."""

    usd_per_hour: float

    @property
    def source(self) -> str:
        return f"at {dollars(self.usd_per_hour)} an hour, as entered"

    def of(
        self, prompt_tokens: int | None, output_tokens: int | None, seconds: float | None
    ) -> float | None:
        """Return the cost of one repeat, or None if its duration is unknown."""
        return None if seconds is None else self.usd_per_hour * seconds / 3600


def price_of(config: RunConfig) -> Price | Hourly | None:
    """Return the price per hour if one is entered, otherwise the token price, or None."""
    if config.usd_per_hour is not None:
        return Hourly(config.usd_per_hour)
    return price(config.backend, config.model)


def price(backend: str, model: str) -> Price | None:
    """Return the token price of `model` at `backend`, or None if it is unknown."""
    if backend not in KEYS:
        return None
    provider, name = KEYS[backend](model)
    key = f"{provider}/{name}"
    if key not in _prices() and _sells(provider, name):
        key = name
    entry = _prices().get(key)
    if not isinstance(entry, dict):
        return None
    prompt, output = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not isinstance(prompt, int | float) or not isinstance(output, int | float):
        return None
    if not prompt and not output:  # an entry for a model on the user's own hardware
        return None
    return Price(float(prompt), float(output), f"LiteLLM's price map, {key}")


def _split(model: str) -> tuple[str, str]:
    provider, _, name = model.partition("/")
    return provider, name


def _sells(provider: str, model: str) -> bool:
    """Return whether the map has a model of this provider without its name before it, as those of
    Anthropic. Some have several names: `bedrock_converse`, `text-completion-openai`."""
    entry = _prices().get(model)
    given = entry.get("litellm_provider") if isinstance(entry, dict) else None
    if not isinstance(given, str) or not provider:
        return False
    return f"-{given}".endswith(f"-{provider}") or given.startswith(
        (f"{provider}_", f"{provider}-")
    )


@cache
def _prices() -> dict[str, Any]:
    """The price map: 4,000 entries, read once. Empty if LiteLLM is not installed."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).with_name(MAP)
    if not path.is_file():
        return {}
    prices: dict[str, Any] = json.loads(path.read_bytes())
    return prices


# The provider and the name of a backend's model. Other backends have no prices.
KEYS: dict[str, Callable[[str], tuple[str, str]]] = {
    "groq": lambda model: ("groq", model),
    "openai": lambda model: ("openai", model),
    "anthropic": lambda model: ("anthropic", model),
    "litellm": _split,
}
