"""The browser's door: who is let in, what every answer carries, and what is mounted where."""

from __future__ import annotations

import asyncio
import html
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app import keep_queue
from db import runs, shares
from services.base.hosts import LOOPBACK
from tests.conftest import ROOT, until
from tests.stored import store
from web.index import DEEPER, INDEX
from web.security import Security, content_policy, foreign
from web.share import shared_page

OWN = "127.0.0.1:8501"
HOSTS = LOOPBACK | {"bench.example.org"}


def request(method: str, host: str | None, origin: str | None, path: str = "/") -> dict[str, Any]:
    headers = [(b"host", host.encode("latin-1"))] if host is not None else []
    headers += [(b"origin", origin.encode("latin-1"))] if origin is not None else []
    kind = "websocket" if method == "WS" else "http"
    return {"type": kind, "method": method, "path": path, "headers": headers}


@pytest.mark.parametrize(
    ("method", "host", "origin"),
    [
        ("GET", OWN, None),
        ("GET", OWN, "http://elsewhere.example"),  # it cannot read the answer
        ("POST", OWN, None),  # no browser
        ("POST", OWN, f"http://{OWN}"),
        ("POST", "localhost:8501", "http://localhost:8501"),
        ("POST", "LOCALHOST", "http://LOCALHOST"),
        ("POST", "[::1]:8501", "http://[::1]:8501"),
        ("POST", "bench.example.org", "https://bench.example.org"),
        ("WS", OWN, f"http://{OWN}"),
        ("WS", OWN, None),
    ],
)
def test_own_pages_and_programs_are_let_in(method: str, host: str, origin: str | None) -> None:
    assert foreign(request(method, host, origin), HOSTS) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "WS"])
@pytest.mark.parametrize(
    "origin",
    [
        "http://elsewhere.example",
        "https://elsewhere.example:8501",
        "http://127.0.0.1:3000",  # another program's page on this machine
        "http://127.0.0.1",
        f"http://{OWN}.elsewhere.example",
        "null",
        "",
        "http://[",
        OWN,
    ],
)
def test_another_sites_page_changes_nothing(method: str, origin: str) -> None:
    assert "another site's page" in str(foreign(request(method, OWN, origin), HOSTS))


@pytest.mark.parametrize("method", ["GET", "POST", "WS"])
@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example",
        "elsewhere.example:8501",
        "127.0.0.1.elsewhere.example",
        "10.0.0.5",
        "localhost@elsewhere.example",
        "[::1",
        "",
        None,
        "\xff",
        f"{OWN}, elsewhere.example",
        f"elsewhere.example\\@{OWN}",
        f"elsewhere.example/@{OWN}",
        f"{OWN}/elsewhere.example",
        f"{OWN}?",
        f"{OWN}#",
        f" {OWN}",
        f"{OWN}\t",
        "127.0.0.1:x",
        "127.0.0.1:8501:8501",
    ],
)
def test_a_name_that_is_not_ours_is_refused_whoever_asks(method: str, host: str | None) -> None:
    """DNS rebinding: the page's origin and the host are the same, and neither is ours."""
    wrong = foreign(request(method, host, f"http://{host}", "/api/runs"), HOSTS)
    assert "PACELINE_ALLOWED_HOSTS" in str(wrong)


def test_whether_it_lives_may_be_asked_by_any_name() -> None:
    assert foreign(request("GET", "10.0.0.5", None, "/_stcore/health"), HOSTS) is None


def test_two_hosts_in_one_request_are_none() -> None:
    twice = request("GET", OWN, None, "/api/runs")
    twice["headers"].append((b"host", b"elsewhere.example"))
    assert "does not know the host" in str(foreign(twice, HOSTS))


@pytest.mark.parametrize(
    ("host", "status", "kind"),
    [(OWN, 200, "text/plain; charset=utf-8"), ("elsewhere.example", 403, "application/json")],
)
def test_every_answer_carries_the_headers_a_refusal_too(host: str, status: int, kind: str) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Security(PlainTextResponse("A page.")))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.get("/")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
    assert answer.headers["content-security-policy"] == content_policy()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_an_answer_with_a_policy_of_its_own_keeps_that_one_alone() -> None:
    """A browser enforces every policy that it is told, so two would forbid each other's scripts."""
    own = {"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer"}

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Security(PlainTextResponse("A page.", headers=own)))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{OWN}") as client:
            return await client.get("/")

    headers = asyncio.run(ask()).headers
    assert headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers["x-content-type-options"] == "nosniff"


def test_nothing_may_be_loaded_from_elsewhere_and_no_other_script_run() -> None:
    policy = content_policy()
    assert not re.search(r"https?:|\*|unsafe-eval", policy)
    (scripts,) = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert "unsafe-inline" not in scripts
    assert re.search(r"'sha256-[\w+/]{43}='", scripts)


# --- shared pages ----------------------------------------------------------------------------


def seen(path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """What is behind a link, asked without a server."""
    routes = Starlette(routes=[Route("/share/{token}", endpoint=shared_page)])

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Security(routes))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{OWN}") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


def test_a_shared_page_may_do_nothing_but_draw_itself(database: Engine) -> None:
    share = shares.publish(database, [store(database)])
    answer = seen(share.path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    (policy,) = answer.headers.get_list("content-security-policy")
    parts = policy.split("; ")
    assert parts[0] == "default-src 'none'"
    assert parts[-2:] == ["frame-ancestors 'none'", "sandbox allow-scripts"]
    assert not re.search(r"unsafe|https?:|\*|'self'", policy)
    assert f'content="{"; ".join(parts[:-2])}"' in html.unescape(answer.text)
    assert seen(share.path, "POST").status_code == 405


def test_a_shared_page_comes_packed_to_those_who_unpack_it(database: Engine) -> None:
    share = shares.publish(database, [store(database)])
    packed = seen(share.path, **{"accept-encoding": "gzip, br"})
    plain = seen(share.path, **{"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


def test_what_was_never_shared_and_what_is_no_longer_look_the_same(database: Engine) -> None:
    run_id = store(database)
    revoked, deleted = shares.publish(database, [run_id]), shares.publish(database, [run_id])
    over = shares.create(database, [run_id], "A", b"", timedelta(seconds=-1))
    shares.revoke(database, revoked.token)
    answers = [seen(each.path) for each in (revoked, over)]
    runs.delete(database, run_id)
    answers += [seen(deleted.path), seen("/share/x"), seen("/share/%00"), seen("/share/'")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1
    assert "There is no page behind this link." in answers[0].text
    assert "script-src" not in answers[0].headers["content-security-policy"]


def test_a_shared_page_of_a_database_that_is_away_says_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PACELINE_DATABASE_URL", "postgresql://me:topsecret@127.0.0.1:1/x")
    answer = seen("/share/x")
    assert answer.status_code == 503
    assert "cannot be shown just now" in answer.text
    assert "127.0.0.1" not in answer.text and "topsecret" not in answer.text


def test_a_database_that_is_away_for_a_while_does_not_end_the_keeper_of_the_queue(
    database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE runs RENAME TO away"))

    async def keep() -> bool:
        keeper = asyncio.create_task(keep_queue())
        await asyncio.to_thread(until, lambda: "The queue cannot be read" in caplog.text, 10)
        return keeper.cancel()  # false of one that has ended

    assert asyncio.run(keep())
    assert "no such table: runs" in caplog.text


def test_what_a_first_visitor_would_wait_for_is_imported_before(database: Engine) -> None:
    slow = ("altair", "pandas", "services.report.charts")
    told = f"import sys, app; app.warm_up(); print([n for n in {slow} if n not in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout == "[]\n", ended.stderr


# --- the server as a person starts it --------------------------------------------------------


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
        )
    try:
        until(lambda: status_of(port, "/_stcore/health") == 200, 60)
        yield port
    finally:
        process.terminate()
        process.wait(20)
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
    answer = httpx.request(method, f"http://127.0.0.1:{served}{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.headers["content-security-policy"] == content_policy()
    if status >= 400:
        assert f"{method} {path}" in answer.json()["error"]


def test_a_page_of_any_name_is_the_browsers_to_find(served: int) -> None:
    for path in ("/", "/compare?runs=1,2", "/nothing"):
        answer = httpx.get(f"http://127.0.0.1:{served}{path}")
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == content_policy()


def test_a_body_of_fifty_megabytes_is_refused_before_it_is_sent(served: int) -> None:
    with socket.create_connection(("127.0.0.1", served)) as connection:
        connection.settimeout(10)
        head = "POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 50000000\r\n\r\n{{".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_every_page_is_told_where_its_server_is() -> None:
    with_own_file = {file.stem for file in (ROOT / "pages").glob("[a-z]*.py")}
    assert {"run", *DEEPER} == with_own_file
    assert "BACKEND_BASE_URL" in INDEX and INDEX.count("<script>") == 2
    assert content_policy().count("sha256-") == 2


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


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PACELINE_DATABASE_URL", "postgresql://me:topsecret@127.0.0.1:1/x", "cannot be used"),
        ("PACELINE_DATABASE_URL", "nonsense", "Paceline knows no database at such an address"),
        ("PORT", "eighty", "PORT is 'eighty'"),
        ("PORT", "0", "PORT is '0'"),
        ("PORT", "65536", "PORT is '65536'"),
        ("PACELINE_ALLOWED_HOSTS", "*", "the page of any website could act here"),
        ("PACELINE_ALLOWED_HOSTS", "http://bench:8501/", "Write only the host name: bench."),
    ],
)
def test_an_app_that_cannot_start_says_why_in_a_sentence(
    tmp_path: Path, name: str, value: str, words: str
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
    assert words in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "topsecret" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("how", [["app.py"], ["-m", "streamlit", "run", "app.py"]])
def test_settings_that_cannot_be_read_are_said(tmp_path: Path, how: list[str]) -> None:
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
