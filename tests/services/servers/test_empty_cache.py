"""A server's prefix cache is emptied before each repeat, or it is said why not."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine

from db import runs
from services.ask.backends import Target
from services.ask.measurement import CACHE
from services.servers.empty_cache import empty_cache
from tests.conftest import ReferenceServer, Submit, finished


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("SGLang", ""),
        ("", ""),  # vLLM's endpoint is tried first
        ("vLLM", "VLLM_SERVER_DEV_MODE=1. It answered 404 to /reset_prefix_cache."),
        ("llama.cpp", "llama.cpp has no way to empty its whole cache."),
        ("TGI", "Paceline cannot empty the prefix cache of this server."),
    ],
)
def test_each_engine_is_asked_in_its_own_way(
    reference: ReferenceServer, engine: str, said: str
) -> None:
    target = Target("url", reference.base_url, "m")
    assert asyncio.run(empty_cache(target, engine)).endswith(said)


def test_providers_are_not_queried_and_a_missing_server_is_reported() -> None:
    assert asyncio.run(empty_cache(Target("groq", "http://127.0.0.1:9/v1", "m"), ""))
    gone = asyncio.run(empty_cache(Target("url", "http://127.0.0.1:9/v1", "m"), "vLLM"))
    assert "127.0.0.1:9" in gone


@pytest.mark.slow
def test_a_run_empties_the_cache_before_each_repeat_if_requested(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    before = reference.report()["state"].get("emptied", 0)
    config = {"max_tokens": 2, "requests": 1, "repeats": 3, "pause_s": 0}
    run = finished(database, reference_run("ref tokens=2", **config, empty_cache=True))
    assert reference.report()["state"].get("emptied", 0) == before + 3
    stored = runs.load(database, run.id)
    assert [repeat.health[CACHE] for repeat in stored.repeats] == ["", "", ""]
    run = finished(database, reference_run("ref tokens=2", **config))
    assert reference.report()["state"].get("emptied", 0) == before + 3
    assert all(CACHE not in repeat.health for repeat in runs.load(database, run.id).repeats)
