"""History finds runs by text and by filters."""

from datetime import datetime

import pytest
from sqlalchemy import Engine

from db import queue, runs
from services.ask.config import RunConfig


@pytest.fixture
def history(database: Engine) -> Engine:
    """Three runs: 1 done, 2 failed, 3 queued."""
    first = RunConfig(model="SmolLM2-135M")
    runs.create(database, first, "a", "Warm cache", ["night", "H200"], "100% of the slots")
    vllm = RunConfig(backend="vllm", model="Qwen/Qwen3-8B", mode="batch")
    runs.create(database, vllm, "b", "snake_case été", ["night"], "1000 requests")
    runs.create(database, RunConfig(mode="staggered"), "c", "Plain", (), r"C:\logs")
    for run_id in (1, 2):
        claimed = queue.claim(database)
        assert claimed and claimed.id == run_id
    queue.finish(database, 1, "done", headline={"output_tokens_per_s": 52.5})
    queue.finish(database, 2, "failed", "Nothing answers.")
    return database


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [3, 2, 1]),
        ("  ", [3, 2, 1]),
        ("warm", [1]),
        ("CACHE", [1]),
        (" plain ", [3]),
        ("smollm2", [1]),
        ("qwen/", [2]),
        ("h200", [1]),
        ("nigh", [2, 1]),
        ("REQUESTS", [2]),
        ("ÉTÉ", [2]),
        ("100%", [1]),
        ("%", [1]),
        ("0_", []),
        ("_", [2]),
        ("\\", [3]),
        ("/", [2]),
        ("'; DROP TABLE runs; --", []),
        ("\0", []),
    ],
)
def test_text_is_searched_literally_and_in_any_case(
    history: Engine, text: str, expected: list[int]
) -> None:
    assert [row.id for row in runs.search(history, text=text)] == expected
    assert runs.count(history, text=text) == len(expected)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"backend": "vllm"}, [2]),
        ({"backend": "vll"}, []),
        ({"model": "SmolLM2-135M"}, [1]),
        ({"mode": "staggered"}, [3]),
        ({"tag": "night"}, [2, 1]),
        ({"tag": "nigh"}, []),
        ({"status": "queued"}, [3]),
        ({"tag": "night", "status": "done"}, [1]),
        ({"tag": "night", "text": "qwen"}, [2]),
        ({"backend": None, "model": "", "mode": None, "tag": None, "status": None}, [3, 2, 1]),
    ],
)
def test_filters_narrow_together(
    history: Engine, filters: dict[str, str], expected: list[int]
) -> None:
    assert [row.id for row in runs.search(history, **filters)] == expected  # type: ignore[arg-type]
    assert runs.count(history, **filters) == len(expected)  # type: ignore[arg-type]


def test_pages_of_a_search_do_not_overlap(history: Engine) -> None:
    pages = [runs.search(history, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [[row.id for row in page] for page in pages] == [[3, 2], [1], []]


def test_a_row_says_what_history_shows(history: Engine) -> None:
    _, failed, done = runs.search(history)
    assert (done.name, done.status, done.tags) == ("Warm cache", "done", ("H200", "night"))
    assert (done.backend, done.model, done.mode) == ("embedded", "SmolLM2-135M", "sequential")
    assert (done.note, done.error) == ("100% of the slots", None)
    assert done.headline == {"output_tokens_per_s": 52.5}
    assert isinstance(done.ended_at, datetime) and done.ended_at.tzinfo is not None
    assert (failed.error, failed.headline) == ("Nothing answers.", {})


def test_filters_offer_the_values_that_runs_have(history: Engine) -> None:
    assert runs.choices(history) == {
        "backends": ("embedded", "vllm"),
        "models": ("Qwen/Qwen3-8B", "SmolLM2-135M"),
        "modes": ("batch", "sequential", "staggered"),
        "tags": ("H200", "night"),
    }


def test_an_empty_history_has_no_choices(database: Engine) -> None:
    assert runs.choices(database) == {"backends": (), "models": (), "modes": (), "tags": ()}
    assert (runs.search(database), runs.count(database)) == ([], 0)
