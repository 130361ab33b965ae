"""What a runner may ask for, in whatever part of a request."""

from __future__ import annotations

from typing import Any

import pytest

from services.ask.config import parse
from services.ask.only_saved import NotASavedServer, check_only_saved, why_admin_only
from services.ask.saved_server import saved_server


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
def test_saved_servers_and_the_embedded_model_need_no_admin(body: Any) -> None:
    assert why_admin_only(body, {"prod"}) is None


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        ({"backend": "url", "base_url": "http://h/v1"}, "base_url can only be set by an admin"),
        ({"backend": "prod", "headers": {}}, "headers can only be set by an admin"),
        ({"backend": "openai"}, "Runners can only measure saved servers"),
        ({"backend": ["prod"]}, "Runners can only measure saved servers"),
        (
            {"candidates": [{"backend": "prod"}, {"backend": "vllm"}]},
            "Runners can only measure saved",
        ),
    ],
)
def test_other_servers_are_for_admins_only(body: Any, begins: str) -> None:
    assert (why_admin_only(body, {"prod"}) or "").startswith(begins)


SAVED = saved_server("prod", {"backend": "url", "base_url": "http://h/v1", "usd_per_hour": 2.0})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"model": "another", "mode": "batch", "concurrency": 3},
        SAVED.values,
        {**SAVED.values, "model": "m", "requests": 3},
    ],
)
def test_a_run_on_a_saved_server_is_accepted(values: dict[str, Any]) -> None:
    check_only_saved([parse(values)], [SAVED.values])


@pytest.mark.parametrize(
    "values",
    [
        {"backend": "vllm"},
        {**SAVED.values, "base_url": "http://other/v1"},
        {**SAVED.values, "headers": {"X-Route": "a"}},
        {**SAVED.values, "usd_per_hour": 1.0},
        {"insecure_tls": True, **{k: v for k, v in SAVED.values.items() if k != "insecure_tls"}},
    ],
)
def test_a_server_that_differs_from_the_saved_one_is_for_admins(values: dict[str, Any]) -> None:
    with pytest.raises(NotASavedServer, match="ask an admin"):
        check_only_saved([parse({}), parse(values)], [SAVED.values])
