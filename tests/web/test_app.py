"""The web server as a person starts it: pages, API and WebSocket, and starts that fail."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, text

from app import keep_queue
from tests.conftest import ROOT, until
from web.security import content_policy


def test_a_database_that_is_down_for_a_while_does_not_end_the_watch_over_the_queue(
    database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE runs RENAME TO away"))

    async def keep() -> bool:
        watch = asyncio.create_task(keep_queue())
        await asyncio.to_thread(until, lambda: "The queue cannot be read" in caplog.text, 10)
        return watch.cancel()  # false of one that has ended

    assert asyncio.run(keep())
    assert "no such table: runs" in caplog.text


@pytest.mark.long
def test_slow_imports_are_done_before_the_first_visit(database: Engine) -> None:
    slow = ("altair", "pandas", "services.report.charts")
    script = f"import sys, app; app.warm_up(); print([n for n in {slow} if n not in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout == "[]\n", ended.stderr


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the whole app, started with `python app.py`."""
    folder = tmp_path_factory.mktemp("app")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env=environment(folder, port),
            stdout=log,
            stderr=log,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # of a background job
        )
    try:
        until(lambda: status_of(port, "/_stcore/health") == 200, 60)
        yield port
    finally:
        process.send_signal(signal.SIGINT)  # Ctrl-C
        assert process.wait(20) == 130
    assert b"Traceback" not in (folder / "log").read_bytes()


def environment(folder: Path, port: int) -> dict[str, str]:
    url = f"sqlite:///{folder / 'paceline.db'}"
    return {**os.environ, "PACELINE_DATABASE_URL": url, "PORT": str(port)}


def status_of(port: int, path: str) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}").status_code
    except httpx.TransportError:
        return 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/runs", 200),
        ("GET", "/api/openapi.json", 200),
        ("GET", "/api", 404),
        ("POST", "/api", 404),
        ("GET", "/api/", 404),
        ("GET", "/api/nothing", 404),
        ("DELETE", "/api/runs", 405),
    ],
)
def test_the_api_is_served_beside_the_pages(
    served: int, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, f"http://127.0.0.1:{served}{path}", timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.headers["content-security-policy"] == content_policy()
    if status >= 400:
        assert f"{method} {path}" in answer.json()["error"]


def test_every_path_serves_the_app(served: int) -> None:
    for path in ("/", "/compare?runs=1,2", "/nothing"):
        answer = httpx.get(f"http://127.0.0.1:{served}{path}", timeout=60)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == content_policy()


def test_a_body_of_fifty_megabytes_is_refused_before_it_is_sent(served: int) -> None:
    with socket.create_connection(("127.0.0.1", served)) as connection:
        connection.settimeout(10)
        head = "POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 50000000\r\n\r\n{{".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_another_sites_page_starts_no_run(served: int) -> None:
    config = {"backend": "url", "base_url": "http://127.0.0.1:9"}
    for headers in ({"origin": "http://elsewhere.example"}, {"host": "elsewhere.example"}):
        answer = httpx.post(f"http://127.0.0.1:{served}/api/runs", json=config, headers=headers)
        assert answer.status_code == 403
    assert httpx.get(f"http://127.0.0.1:{served}/api/runs").json() == []


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("{own}", "http://{own}", 101),
        ("{own}", "http://elsewhere.example", 403),
        ("elsewhere.example", "http://elsewhere.example", 403),
        ("{own}", "http://localhost:3000", 403),
    ],
)
def test_only_own_pages_open_the_websocket(
    served: int, host: str, origin: str, status: int
) -> None:
    own = f"127.0.0.1:{served}"
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host.format(own=own)}",
        f"Origin: {origin.format(own=own)}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: streamlit",
    ]
    with socket.create_connection(("127.0.0.1", served)) as connection:
        connection.settimeout(10)
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(4096).split(b" ")[1] == str(status).encode()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PACELINE_DATABASE_URL", "postgresql://me:topsecret@127.0.0.1:1/x", "cannot be used"),
        ("PACELINE_DATABASE_URL", "nonsense", "This is not the address of a supported database"),
        ("PORT", "eighty", "PORT is 'eighty'"),
        ("PORT", "0", "PORT is '0'"),
        ("PORT", "65536", "PORT is '65536'"),
        ("STREAMLIT_SERVER_ADDRESS", "0.0.0.0", "anyone who reaches it can start programs"),
        ("PACELINE_ALLOWED_HOSTS", "*", "a pattern would let pages of other websites act here"),
        ("PACELINE_ALLOWED_HOSTS", "http://bench:8501/", "Write only the host name: bench."),
    ],
)
def test_an_app_that_cannot_start_says_why(
    tmp_path: Path, name: str, value: str, message: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        env = environment(tmp_path, free.getsockname()[1])
    ended = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**env, name: value},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode in (1, 2)
    assert message in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "topsecret" not in ended.stdout + ended.stderr


def test_a_port_as_an_argument_is_not_ignored() -> None:
    command = [sys.executable, "app.py", "--port", "9000"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("app.py takes no arguments: PORT=9000 python app.py")


@pytest.mark.long
def test_a_public_address_needs_two_settings(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    everyone = ["-m", "streamlit", "run", "app.py", "--server.address", "0.0.0.0"]
    command = [sys.executable, *everyone, "--server.port", str(port)]
    env = environment(tmp_path, port) | {"PACELINE_ALLOW_ANYONE": ""}
    once = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert once.returncode == 1
    assert "not on 0.0.0.0: anyone who reaches it can start programs" in once.stderr
    assert "PACELINE_ALLOW_ANYONE=yes in .env." in once.stderr
    assert "Traceback" not in once.stdout + once.stderr
    assert "http" not in once.stdout + once.stderr, "no address, because nothing listens"
    env["PACELINE_ALLOW_ANYONE"] = "yes"
    twice = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    assert twice.stdout
    try:
        assert twice.stdout.readline() == f"Paceline is ready: http://localhost:{port}\n"
        until(lambda: status_of(port, "/_stcore/health") == 200, 60)
        assert status_of(port, "/api/runs") == 200
    finally:
        twice.terminate()
        twice.communicate(timeout=20)


@pytest.mark.long
@pytest.mark.parametrize("how", [["app.py"], ["-m", "streamlit", "run", "app.py"]])
def test_settings_that_cannot_be_read_are_reported(tmp_path: Path, how: list[str]) -> None:
    shutil.copy(ROOT / "app.py", tmp_path)
    for name in ("api", "db", "jobs", "pages", "services", "web", ".streamlit"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".env").write_bytes(b"KEY=topsecret-\xfc\n")
    ended = subprocess.run(
        [sys.executable, *how], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 1
    assert f"{tmp_path}/.env is not UTF-8 text in line 1. Save it as UTF-8" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "topsecret" not in ended.stdout + ended.stderr
