"""What a runner may ask for, in whatever part of a request."""

from __future__ import annotations

from typing import Any

import pytest

from services.ask.only_saved import beyond_saved


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requests": 3},
        {"backend": "embedded"},
        {"backend": "prod", "model": "m"},
        {"candidates": [{"backend": "prod"}, {"mode": "batch"}]},
        {"prompts": [{"messages": [], "tools": [{"properties": {"backend": {}, "headers": {}}}]}]},
        [1, "a", None],
    ],
)
def test_saved_servers_and_the_embedded_model_are_free(body: Any) -> None:
    assert beyond_saved(body, {"prod"}) is None


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        ({"backend": "url", "base_url": "http://h/v1"}, "base_url belongs to a server"),
        ({"backend": "prod", "headers": {}}, "headers belongs to a server"),
        ({"backend": "openai"}, "Runners measure saved servers"),
        ({"backend": ["prod"]}, "Runners measure saved servers"),
        ({"candidates": [{"backend": "prod"}, {"backend": "vllm"}]}, "Runners measure saved"),
    ],
)
def test_anything_else_is_for_admins(body: Any, begins: str) -> None:
    assert (beyond_saved(body, {"prod"}) or "").startswith(begins)
