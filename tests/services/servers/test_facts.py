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
from time import perf_counter
from typing import Any

import orjson
import pytest

from services.ask.backends import Target
from services.servers.facts import engine_facts, pages
from services.servers.facts.vllm_server import arguments

ROOT = Path(__file__).parents[3]
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


def test_sglang_reports_its_version_and_its_parallelism() -> None:
    info = page("sglang_server_info_tp2.json")
    assert facts_of({"/get_server_info": info, "/version": {"version": "other"}}) == {
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


def test_sglang_without_chunked_prefill_is_recognised() -> None:
    info = {**page("sglang_server_info_tp2.json"), "chunked_prefill_size": -1}
    facts = facts_of({"/get_server_info": info})
    assert facts["chunked_prefill"] is False and "chunk_tokens" not in facts


VERSION = {"/version": {"version": "0.32.0"}}


def test_vllm_in_development_mode_reports_its_whole_configuration() -> None:
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


def test_a_vllm_without_its_config_is_known_from_metrics_and_models() -> None:
    """Its tensor-parallel size is reported nowhere, so it is unknown."""
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
    command = ["vllm", "serve", "/srv/secret/model", "--tensor-parallel-size=4", "-pp", "2"]
    with subprocess.Popen([sys.executable, "-c", code, *command], stdout=subprocess.PIPE) as server:
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
def test_a_command_line_gives_all_sizes_or_none(line: str, sizes: tuple[int, ...] | None) -> None:
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
        (
            {"/version": {"version": "x" * 200}},
            {"engine": "vLLM", "engine_version": "x" * 119 + "…"},
        ),
    ],
)
def test_an_engine_is_recognised_by_its_pages_alone(
    pages: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert facts_of(pages) == expected


HOSTILE: dict[str, Any] = {
    "long": 10**24,
    "longer": 10**4000,
    "superscript": "²",
    "arabic": "٣",
    "float": 1e308,
    "endless": float("inf"),
    "none": float("nan"),
    "deep": None,
    "text": "9" * 25,
    "below": -5,
}
for _ in range(900):
    HOSTILE["deep"] = [HOSTILE["deep"]]


@pytest.mark.slow
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    ("path", "page", "names"),
    [
        ("/get_server_info", {"tp_size": 1}, pages.SGLANG),
        ("/props", {"default_generation_settings": {}}, pages.LLAMACPP),
        ("/version", {}, {"version": None}),
    ],
)
def test_numbers_that_cannot_be_stored_are_left_out(
    path: str, page: dict[str, Any], names: dict[str, Any], value: Any
) -> None:
    facts = facts_of({path: {**page, **dict.fromkeys(names, value)}})
    assert orjson.loads(orjson.dumps(facts)) == facts
    assert not {type(fact) for fact in facts.values()} & {list, dict}
    assert all(0 <= fact < 2**63 for fact in facts.values() if isinstance(fact, int | float))


@pytest.mark.slow
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_invalid_numbers_of_vllm_are_ignored(value: Any) -> None:
    labels = f'enable_prefix_caching="True",kv_cache_size_tokens="{value!s:.9999}"'.replace(
        "\n", ""
    )
    metrics = f'vllm:num_requests_running{{engine="{value!s:.9999}"}} 1\n'
    metrics += f"vllm:cache_config_info{{{labels}}} 1\n"
    listed = {"data": [{"id": "m", "max_model_len": value}]}
    pages = {**VERSION, "/metrics": metrics.encode(), "/v1/models": listed}
    facts = {"engine": "vLLM", "engine_version": "0.32.0", "prefix_cache": True}
    assert facts_of(pages) == facts


KEY, PROMPT = "my.own-key_of=no_known+form", "Keep this to yourself: the merger is on Monday."


@pytest.mark.slow
@pytest.mark.parametrize("secret", [KEY, PROMPT])
@pytest.mark.parametrize("before", ["", "0.32.0 ", "x" * 50, "y" * 1990])
def test_no_fact_contains_a_key_or_prompt_that_a_server_echoes(secret: str, before: str) -> None:
    text = before + secret
    config = {part: dict.fromkeys(names, text) for part, names in pages.VLLM_PARTS.items()}
    replies: tuple[dict[str, Any], ...] = (
        {"/get_server_info": {"tp_size": 1, **dict.fromkeys(pages.SGLANG, text)}},
        {"/props": {"default_generation_settings": {}, **dict.fromkeys(pages.LLAMACPP, text)}},
        {"/version": {"version": text}, "/server_info?config_format=json": {"vllm_config": config}},
        {"/api/version": {"version": text}},
    )
    for some in replies:
        with serving(some) as base_url:
            facts = asyncio.run(engine_facts(Target("url", base_url, key=KEY), [PROMPT]))
        assert "engine" in facts
        written = json.dumps(facts)
        assert not any(secret[at : at + 12] in written for at in range(len(secret) - 12)), written


def test_a_key_in_a_model_path_is_removed_from_the_model_name() -> None:
    key = "a.key-of-mine/with+slash"
    with serving({"/get_server_info": {"tp_size": 1, "model_path": f"/srv/{key}"}}) as base_url:
        facts = asyncio.run(engine_facts(Target("url", base_url, key=key)))
    assert facts["model_name"] == "[removed]"


LINE = b'vllm:cache_config_info{a="'
PAGE = 2_000_000  # bytes; with patterns that go back, 30,000 took 21 s


@pytest.mark.parametrize(
    "metrics",
    [
        LINE * (PAGE // len(LINE)),
        (LINE + b"\n") * (PAGE // len(LINE)),
        LINE + b"x" * PAGE,
        LINE.replace(b'a="', b" ") + b" " * PAGE,
        b"vllm:num_requests_running" + b" " * PAGE,
        b"vllm:num_requests_running{" + b"engine=" * (PAGE // 7),
        b"\n" * PAGE,
        b"vllm:num_requests_running{" * (PAGE // 26) + b"\\" * PAGE,
    ],
    ids=range(8),
)
def test_a_long_page_is_read_in_a_moment(metrics: bytes) -> None:
    began = perf_counter()
    facts = facts_of({**VERSION, "/metrics": metrics})
    assert facts == {"engine": "vLLM", "engine_version": "0.32.0"}
    assert perf_counter() - began < 10


def test_a_refused_page_yields_no_facts() -> None:
    assert facts_of({"/version": {"version": "0.32.0"}}, status=403) == {}


def test_where_nothing_answers_there_are_no_facts() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
    assert asyncio.run(engine_facts(Target("url", base_url))) == {}
