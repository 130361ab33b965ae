"""A run says where it was measured, and never whose machine that is."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from services import VERSION
from services.backends import Target
from services.machine import engine_facts, environment

ROOT = Path(__file__).parent.parent.parent


def test_the_machine_and_the_client_are_told() -> None:
    facts = environment()
    assert facts["cores"] == len(os.sched_getaffinity(0))
    assert facts["memory_bytes"] > 2**28
    assert facts["paceline"] == VERSION
    assert facts["httptools"] and facts["orjson"] and facts["cpu"] and facts["os"]
    assert "litellm" not in facts and "observed_at" not in facts


def test_the_version_is_the_projects() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_what_else_matters_is_told_when_asked_for() -> None:
    facts = environment(datetime(2026, 3, 1, 12, tzinfo=UTC), ("litellm", "no-such-package"))
    assert facts["observed_at"] == "2026-03-01T12:00:00+00:00"
    assert facts["litellm"] and "no-such-package" not in facts


def test_no_host_no_user_and_no_path_is_in_it_and_json_can_hold_it() -> None:
    told = json.dumps(environment())
    assert str(Path.home()) not in told and str(ROOT) not in told
    values = [str(value) for value in environment().values()]
    assert socket.gethostname() not in values and getpass.getuser() not in values


@contextmanager
def serving(pages: dict[str, Any], status: int = 200) -> Iterator[str]:
    """Serve `pages` as JSON (bytes as they are) and yield the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = pages.get(self.path)
            body = page if isinstance(page, bytes) else json.dumps(page).encode()
            self.send_response(404 if page is None else status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def facts_of(pages: dict[str, Any], status: int = 200) -> dict[str, Any]:
    with serving(pages, status) as base_url:
        return asyncio.run(engine_facts(Target("url", base_url)))


def test_sglang_tells_its_version_and_how_it_is_spread() -> None:
    page = json.loads((ROOT / "tests" / "data" / "sglang_server_info_tp2.json").read_bytes())
    assert facts_of({"/get_server_info": page, "/version": {"version": "other"}}) == {
        "engine": "SGLang",
        "engine_version": "0.5.23",
        "tensor_parallel": 2,
        "pipeline_parallel": 1,
        "data_parallel": 1,
        "context_length": 4096,
        "dtype": "auto",
        "attention_backend": "torch_native",
    }


LLAMACPP = {
    "default_generation_settings": {"params": {"seed": 1}, "n_ctx": 2048},
    "total_slots": 4,
    "model_alias": "smollm2-135m-instruct",
    "model_ftype": "Q4_1",
    "model_path": "/srv/models/smollm2.gguf",
    "build_info": "b9000-abcdef0",
}


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (
            {"/props": LLAMACPP},
            {
                "engine": "llama.cpp",
                "engine_version": "b9000-abcdef0",
                "slots": 4,
                "quantization": "Q4_1",
                "context_per_slot": 2048,
            },
        ),
        (
            {"/props": {"default_generation_settings": None, "build_info": "b0-unknown"}},
            {},
        ),
        ({"/version": {"version": "0.32.0"}}, {"engine": "vLLM", "engine_version": "0.32.0"}),
        (
            {"/api/version": {"version": "0.13.1"}},
            {"engine": "Ollama", "engine_version": "0.13.1"},
        ),
        ({}, {}),
        ({"/version": ["0.32.0"], "/props": "hello"}, {}),
        ({"/version": b"<html>", "/props": {"n_ctx": 1}, "/get_server_info": {"version": "1"}}, {}),
        ({"/version": {"version": "/srv/secret/path"}}, {}),
        ({"/version": {"version": True}}, {}),
        ({"/version": {"version": "x" * 100}}, {"engine": "vLLM", "engine_version": "x" * 60}),
    ],
)
def test_an_engine_is_known_by_its_pages_and_nothing_else_is_believed(
    pages: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert facts_of(pages) == expected


def test_a_page_that_is_refused_tells_nothing() -> None:
    assert facts_of({"/version": {"version": "0.32.0"}}, status=403) == {}


def test_where_nothing_answers_there_are_no_facts() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
    assert asyncio.run(engine_facts(Target("url", base_url))) == {}
