"""A server is known by what it says of itself, and nothing of its machine is kept."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.backends import Target
from services.facts import engine_facts
from services.facts.vllm_server import arguments

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "data"


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


def facts_of(pages: dict[str, Any], status: int = 200, model: str = "") -> dict[str, Any]:
    with serving(pages, status) as base_url:
        return asyncio.run(engine_facts(Target("url", base_url, model)))


def page(name: str) -> Any:
    return json.loads((DATA / name).read_bytes())


def test_sglang_tells_its_version_and_how_it_is_spread() -> None:
    told = page("sglang_server_info_tp2.json")
    assert facts_of({"/get_server_info": told, "/version": {"version": "other"}}) == {
        "engine": "SGLang",
        "engine_version": "0.5.23",
        "model_name": "smol12",
        "tensor_parallel": 2,
        "pipeline_parallel": 1,
        "data_parallel": 1,
        "nodes": 1,
        "device_type": "cpu",
        "context_length": 4096,
        "dtype": "auto",
        "load_format": "auto",
        "attention_backend": "torch_native",
        "max_seqs": 4096,
        "max_batched_tokens": 16384,
        "chunked_prefill": True,
        "chunk_tokens": 4096,
        "memory_share": 0.3,
        "prefix_cache": True,
        "cache_tokens": 32768,
    }


def test_sglang_without_chunks_says_so() -> None:
    told = {**page("sglang_server_info_tp2.json"), "chunked_prefill_size": -1}
    facts = facts_of({"/get_server_info": told})
    assert facts["chunked_prefill"] is False and "chunk_tokens" not in facts


VERSION = {"/version": {"version": "0.32.0"}}


def test_vllm_in_development_mode_tells_its_whole_configuration() -> None:
    config = "/server_info?config_format=json"
    facts = facts_of({**VERSION, config: page("vllm_server_info_tp2.json")})
    assert facts == {
        "engine": "vLLM",
        "engine_version": "0.32.0",
        "model_name": "smollm2-135m",
        "tensor_parallel": 2,
        "pipeline_parallel": 1,
        "data_parallel": 1,
        "nodes": 1,
        "executor": "mp",
        "device_type": "cpu",
        "dtype": "bfloat16",
        "load_format": "auto",
        "eager": True,
        "context_length": 8192,
        "max_seqs": 256,
        "max_batched_tokens": 4096,
        "chunked_prefill": True,
        "memory_share": 0.92,
        "prefix_cache": True,
        "cache_tokens": 34944,
    }
    assert "/" not in json.dumps(facts)


METRICS = b"""# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="smollm2-135m"} 4.0
vllm:num_requests_running{engine="1",model_name="smollm2-135m"} 0.0
vllm:cache_config_info{block_size="128",enable_prefix_caching="True",engine="0",kv_cache_size_tokens="8704"} 1.0
"""  # noqa: E501 - as vLLM writes it
MODELS = {"data": [{"id": "a", "max_model_len": 1024}, {"id": "m", "max_model_len": 2048}]}


def test_another_vllm_is_known_by_what_it_counts_and_lists() -> None:
    """Its tensor-parallel size is told nowhere, so it is not known."""
    facts = facts_of({**VERSION, "/metrics": METRICS, "/v1/models": MODELS}, model="m")
    assert facts == {
        "engine": "vLLM",
        "engine_version": "0.32.0",
        "data_parallel": 2,
        "context_length": 2048,
        "prefix_cache": True,
        "cache_tokens": 8704,
    }


def test_a_vllm_on_this_machine_is_known_by_its_command_line() -> None:
    """Any process serves: what counts is its command line and that it listens there."""
    code = (
        "import json, sys\n"
        "from http.server import *\n"
        "class H(BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        known = self.path == '/version'\n"
        "        self.send_response(200 if known else 404)\n"
        "        self.end_headers()\n"
        "        self.wfile.write(b'{\"version\": \"0.32.0\"}' if known else b'')\n"
        "    def log_message(self, *_): pass\n"
        "server = ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
        "print(server.server_port, flush=True)\n"
        "server.serve_forever()\n"
    )
    given = ["vllm", "serve", "/srv/secret/model", "--tensor-parallel-size=4", "-pp", "2"]
    with subprocess.Popen([sys.executable, "-c", code, *given], stdout=subprocess.PIPE) as server:
        assert server.stdout
        port = int(server.stdout.readline())
        facts = asyncio.run(engine_facts(Target("url", f"http://127.0.0.1:{port}/v1")))
        server.kill()
    sizes = {"tensor_parallel": 4, "pipeline_parallel": 2, "data_parallel": 1}
    assert facts == {"engine": "vLLM", "engine_version": "0.32.0", **sizes}


@pytest.mark.parametrize(
    ("line", "sizes"),
    [
        ("vllm serve m", (1, 1, 1)),
        ("vllm serve m --tensor_parallel_size 2 -dp 4", (2, 1, 4)),
        ("python -m vllm.entrypoints.cli.main serve m -tp=8 --pipeline-parallel-size 2", (8, 2, 1)),
        ("vllm serve m --config sizes.yaml", None),
        ("ssh -L 8000:gpu:8000 vllm", None),
        ("python -m http.server", None),
    ],
)
def test_a_command_line_tells_all_or_nothing(line: str, sizes: tuple[int, ...] | None) -> None:
    assert tuple(arguments(line.split()).values()) == (sizes or ())


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
