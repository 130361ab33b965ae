"""Where a task is sent and how it is answered: the fields of a run that apply to a single
prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.ask.config import RunConfig

USUAL = {"max_tokens": 1024, "retries": 3}  # unlike runs: nothing is measured
FIELDS = (
    *("backend", "base_url", "model", "client", "max_tokens", "temperature", "top_p", "seed"),
    *("ignore_eos", "min_tokens", "dialect", "omit", "max_tokens_field", "extra_body", "headers"),
    *("key_env", "ca_file", "insecure_tls", "timeout_s", "connect_timeout_s"),
    *("first_token_timeout_s", "chunk_timeout_s", "retries"),
)


def values_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a run's config for these settings."""
    return {**USUAL, **given}


def key_of(given: Mapping[str, Any]) -> str:
    """Return a key that is equal for equal settings only."""
    return json.dumps(given, sort_keys=True)


def to_dict(config: RunConfig) -> dict[str, Any]:
    """Return the fields of a config that apply to a task, JSON-ready."""
    return config.model_dump(mode="json", include=set(FIELDS))
