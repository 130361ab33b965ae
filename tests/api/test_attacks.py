"""Bodies that are made to be costly are refused at once, and others are answered meanwhile."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from api.bodies import MAX_BODY, MAX_SMALL_BODY, WITH_PROMPTS
from tests.conftest import ROOT, until

MUCH = 18_000_000  # bytes of an attack: less than a route refuses by its length
JSON = {"content-type": "application/json"}
GROWN = 2**30  # bytes of memory that they may take together: one of them took 7,600 million


def filled(start: bytes, element: bytes, end: bytes, size: int) -> bytes:
    return start + b",".join([element] * ((size - 20) // (len(element) + 1))) + end


def named(size: int) -> bytes:
    return b"{" + b",".join(b'"x%d":1' % n for n in range(size // 12)) + b"}"


ATTACKS = {
    "objects": lambda size: filled(b'{"prompts":[', b"{}", b"]}", size),
    "lists": lambda size: filled(b'{"prompts":[', b"[]", b"]}", size),
    "numbers": lambda size: filled(b'{"prompts":[', b"5", b"]}", size),
    "empty texts": lambda size: filled(b'{"prompts":[', b'""', b"]}", size),
    "fewer numbers": lambda size: filled(b'{"prompts":[', b"5", b"]}", min(size, 200_000)),
    "unknown fields": named,
    "fewer fields": lambda size: named(min(size, 20_000)),
    "a deep list": lambda size: b"[" * (size - 20),
    "deep objects": lambda size: b'{"a":' * ((size - 20) // 5),
    "a long number": lambda size: b'{"requests":' + b"1" * (size - 20) + b"}",
    "a long fraction": lambda size: b'{"pause_s":9999.' + b"1" * (size - 20) + b"}",
    "a long name": lambda size: b'{"' + b"x" * (size - 20) + b'":1}',
    "a long text": lambda size: b'{"model":"' + b"x" * (size - 20) + b'"}',
    "escapes": lambda size: b'{"model":"' + rb"\u0041" * ((size - 20) // 6) + b'"}',
    "backslashes": lambda size: b'{"model":"' + b"\\" * (size - 20),
    "quotes": lambda size: b'"' * (size - 20),
    "half characters": lambda size: b'{"\\ud800":1,"model":"\\udc00"}',
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Process]]:
    """The API in a process of its own, with a database of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = tmp_path_factory.mktemp("attacked") / "paceline.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "api:api", "--port", str(port), "--log-level", "error"],
        cwd=ROOT,
        env={**os.environ, "PACELINE_DATABASE_URL": f"sqlite:///{file}"},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: lives(url), 60)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/baselines").status_code == 200
    except httpx.TransportError:
        return False


class Others:
    """Somebody else who asks meanwhile, again and again."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self._url, self._process, self._over = url, process, threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.slowest_s, self.most_bytes = 0.0, 0

    def __enter__(self) -> Others:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client() as client:
            while not self._over.is_set():
                began = time.monotonic()
                assert client.get(f"{self._url}/baselines", timeout=60).status_code == 200
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                self.most_bytes = max(self.most_bytes, self._process.memory_info().rss)


@pytest.mark.timed
@pytest.mark.timeout(600)
def test_a_malicious_body_is_refused_without_delaying_others(
    served: tuple[str, psutil.Process],
) -> None:
    url, process = served
    before = process.memory_info().rss
    with httpx.Client(timeout=60) as client, Others(url, process) as others:
        for name, attack in ATTACKS.items():
            body = attack(MUCH)
            for path in WITH_PROMPTS:
                response = client.post(url + path, content=body, headers=JSON)
                refusal = response.json()
                assert 400 <= response.status_code < 500, (name, path, refusal)
                assert len(response.content) < 30_000, (name, path)
                assert len(refusal["problems"]) <= 51, (name, path)
                assert refusal["error"].endswith("."), (name, path)
    assert httpx.get(f"{url}/runs").json() == []
    print(f"slowest {others.slowest_s:.2f} s, {(others.most_bytes - before) / 2**20:.0f} MiB more")
    assert others.slowest_s < 5, "one such body held the server for 43 s"
    assert others.most_bytes - before < GROWN


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/engines"),
        ("POST", "/shares"),
        ("PUT", "/baselines/tag/x"),
        ("POST", "/runs/1/more"),
        ("POST", "/studies/1/resume"),
        ("POST", "/import"),
    ],
)
def test_every_other_route_refuses_malicious_bodies(
    served: tuple[str, psutil.Process], method: str, path: str
) -> None:
    url, _ = served
    with httpx.Client(timeout=60) as client:
        for name, attack in ATTACKS.items():
            for size in (MUCH, MAX_SMALL_BODY) if path != "/import" else (MAX_SMALL_BODY,):
                response = client.request(method, url + path, content=attack(size), headers=JSON)
                assert 400 <= response.status_code < 500, (name, size, response.text)
                assert len(response.content) < 30_000, (name, size)


@pytest.mark.long
def test_ten_thousand_long_prompts_are_accepted(
    served: tuple[str, psutil.Process],
) -> None:
    run = {"prompts": ["why, [though]: " * 120] * 10_000}
    study = {"preset": "concurrency", "concurrencies": [1], "run": run}
    request = httpx.Request("POST", f"{served[0]}/studies/plan", json=study)
    assert MAX_BODY * 0.8 < len(request.content) < MAX_BODY
    with httpx.Client(timeout=60) as client:
        response = client.send(request)
    assert response.json()["cells"][0]["run"]["own_prompts"] == 10_000
