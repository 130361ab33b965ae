"""A server that puts the key and the prompt that it was sent into every field of every answer:
nothing that Paceline keeps, exports, shows or logs holds them. The prompt is in the config only."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

import cli
import jobs
from api import api
from db import results, runs, shares
from services.ask.config import parse
from services.base.redact import RUN
from services.report.export import EXPORTS
from services.servers.facts import pages
from services.servers.telemetry.engines import WANTED
from tests.conftest import finished

KEY = "my.own-key_of=no_known+form"
PROMPT = 'Keep this to "yourself":\nthe merger is on Monday, and nobody is to know.'
SAID = f"Bearer {KEY} {PROMPT}"
FIELDS = (
    *("id", "object", "model", "system_fingerprint", "service_tier", "provider", "created"),
    *("name", "type", "code", "param", "warning", "message_id", "native_finish_reason"),
)
VERSIONS = {"version": SAID, "build_info": SAID, "model": SAID}
CONFIG = {part: dict.fromkeys(names, SAID) for part, names in pages.VLLM_PARTS.items()}


def chunk(**values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(FIELDS, SAID), **values}


def metrics() -> str:
    labels = f"{{model_name={json.dumps(SAID)},engine={json.dumps(KEY)}}}"
    lines = [
        f"# HELP {SAID!r}",
        *(f"{name}{labels} {value}" for name in sorted(WANTED) for value in ("1e308", "2", KEY)),
    ]
    labels = f'{{enable_prefix_caching="{KEY}",kv_cache_size_tokens="{KEY}",engine="{KEY}"}}'
    return "\n".join([*lines, f"vllm:cache_config_info{labels} 1", ""])


def events(*chunks: Any) -> bytes:
    data = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    return "".join(
        f": {json.dumps(SAID)}\nid: {KEY}\nevent: {KEY}\ndata: {item}\n\n" for item in data
    ).encode()


DELTA = chunk(role=SAID, content=f"My key is {KEY}.", refusal=None)
USAGE = chunk(prompt_tokens=SAID, completion_tokens=10**25, total_tokens=1e308)
TOKEN = chunk(choices=[chunk(index=0, delta=DELTA)])
END = chunk(choices=[chunk(delta={}, finish_reason=SAID, stop_reason=SAID)], usage=USAGE)
WHOLE = chunk(choices=[chunk(message=DELTA, finish_reason=SAID)], usage=USAGE)
ERROR = chunk(error=chunk(message=SAID))
HEADERS = {"Server": KEY, "Retry-After": KEY, "Location": f"/{KEY}?{KEY}", "X-Request-Id": KEY}
CHATS: tuple[tuple[str, str, bytes], ...] = (
    ("200", "text/event-stream", events(TOKEN, TOKEN, END, "[DONE]")),
    ("200", "text/event-stream", events(TOKEN, ERROR)),
    ("200", "text/event-stream", events(TOKEN, SAID.replace("\n", " "))),
    ("200", "text/event-stream", events(chunk(), "[DONE]")),
    ("200", "text/event-stream", events(TOKEN)),
    ("200", "application/json", json.dumps(WHOLE).encode()),
    ("200", "application/json", json.dumps(ERROR).encode()),
    ("200", f"text/{KEY}", SAID.encode()),
    ("200", KEY, json.dumps(chunk(detail=[chunk(msg=SAID, loc=[SAID])])).encode()),
    (f"401 {KEY}", "application/json", json.dumps(ERROR).encode()),
    ("400", "application/json", json.dumps(chunk(detail=SAID)).encode()),
    ("422", "application/json", json.dumps({"detail": [chunk(msg=SAID)]}).encode()),
    ("429", "text/plain", SAID.encode()),
    ("500", "text/plain", repr(SAID).encode()),
    ("503", "text/html", f"<title>{SAID}</title>".encode()),
    ("302", "text/plain", SAID.encode()),
    (f"{KEY} {KEY}", "text/plain", SAID.encode()),
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A vLLM of one's own, with a key; its pages can be changed. Chats alternate."""
    pages: dict[str, Any] = {
        "/v1/models": {"data": [chunk(id=each) for each in (KEY, SAID, PROMPT, "m")]},
        "/get_server_info": None,
        "/props": None,
        "/api/version": None,
        "/version": VERSIONS,
        "/server_info": None,
        "/metrics": metrics(),
    }
    reply_number = count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            body = page if isinstance(page, str) else json.dumps(page)
            self._send("404" if page is None else "200", "application/json", body.encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(*CHATS[next(reply_number) % len(CHATS)])

        def _send(self, status: str, kind: str, body: bytes) -> None:
            more = {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}
            head = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            self.wfile.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("VLLM_BASE_URL", f"http://127.0.0.1:{listening.server_port}/v1")
        monkeypatch.setenv("VLLM_API_KEY", KEY)
        monkeypatch.setenv("VLLM_MODEL", "")
        try:
            yield pages
        finally:
            listening.shutdown()
            thread.join()


def runs_of(secret: str) -> set[bytes]:
    written = {secret, json.dumps(secret)[1:-1], " ".join(secret.split())}
    return {way[at : at + RUN].encode() for way in written for at in range(len(way) - RUN + 1)}


def leaks(data: bytes, *secrets: str) -> list[bytes]:
    offsets = (data.find(run) for secret in secrets for run in runs_of(secret))
    return [data[max(0, at - 80) : at + 40] for at in offsets if at >= 0][:3]


def response_to(method: str, path: str, **what: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **what)

    return asyncio.run(send())


PAGES: tuple[dict[str, Any], ...] = (
    {},
    {"/server_info": {"vllm_config": CONFIG}},
    {"/get_server_info": {"tp_size": 1, **dict.fromkeys(pages.SGLANG, SAID)}},
    {"/props": {"default_generation_settings": {}, **dict.fromkeys(pages.LLAMACPP, SAID)}},
    {"/api/version": VERSIONS},
)


@pytest.mark.long
@pytest.mark.parametrize("more", PAGES, ids=["metrics", "vllm", "sglang", "llama.cpp", "ollama"])
def test_key_and_prompt_are_in_nothing_that_leaves_a_run(
    database: Engine,
    server: dict[str, Any],
    more: dict[str, Any],
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    server.update(more)
    config = {"backend": "vllm", "prompt": PROMPT, "mode": "sequential", "pause_s": 0, "warmup": 0}
    run_id = jobs.submit(database, parse({**config, "requests": len(CHATS)}))
    run = finished(database, run_id)
    assert run.status == "done", run.error
    assert run.config.model == "m"  # the only name that holds no secret
    assert len(runs.measurements(database, run_id)) == len(CHATS)

    candidate = results.candidate(database, run_id)
    texts: dict[str, bytes] = {}
    for kind in EXPORTS:
        if kind.least == 1:
            texts[kind.name] = kind.write([candidate])
    for path in (f"/runs/{run_id}", f"/runs/{run_id}/requests.csv", "/runs"):
        texts[path] = response_to("GET", path).content
    share = shares.publish(database, [run_id])
    texts["shared page"] = shares.load(database, share.path.rpartition("/")[2]) or b""
    capfdbinary.readouterr()
    for command in (("show", str(run_id)), ("list",), ("backends", "--test", "vllm")):
        cli.main(command)
        texts[" ".join(command)] = b"".join(capfdbinary.readouterr())
    texts["requests.parquet"] = _plain(texts["requests.parquet"])
    assert all(texts.values()), [name for name, text in texts.items() if not text]
    for file in tmp_path.rglob("*"):
        if file.is_file():
            database_file = ".db" in file.name and not file.name.endswith("log")
            leaked = leaks(file.read_bytes(), KEY, *([] if database_file else [PROMPT]))
            assert not leaked, (file.name, leaked)
    for name, text in texts.items():
        assert not leaks(text, KEY, PROMPT), (name, leaks(text, KEY, PROMPT))


def _plain(parquet: bytes) -> bytes:
    return str(pq.read_table(io.BytesIO(parquet)).to_pydict()).encode()
