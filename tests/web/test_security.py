"""Who is let in by the web server, and the headers of every answer."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from services.base.hosts import LOOPBACK
from tests.conftest import ROOT
from web.index import DEEPER, INDEX
from web.security import Security, address_problem, content_policy, cross_site_problem

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
def test_requests_of_own_pages_and_programs_are_allowed(
    method: str, host: str, origin: str | None
) -> None:
    assert cross_site_problem(request(method, host, origin), HOSTS) is None


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
    assert "another site's page" in str(cross_site_problem(request(method, OWN, origin), HOSTS))


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
def test_a_foreign_host_name_is_refused_for_everyone(method: str, host: str | None) -> None:
    """DNS rebinding: the page's origin and the host are the same, and neither is ours."""
    problem = cross_site_problem(request(method, host, f"http://{host}", "/api/runs"), HOSTS)
    assert "PACELINE_ALLOWED_HOSTS" in str(problem)


def test_the_health_check_is_allowed_for_any_host() -> None:
    assert cross_site_problem(request("GET", "10.0.0.5", None, "/_stcore/health"), HOSTS) is None


@pytest.mark.parametrize(
    ("server", "let_in"),
    [
        (("127.0.0.1", 8501), True),
        (("::1", 8501), True),
        (("::ffff:127.0.0.1", 8501), True),
        (("/run/paceline.sock", None), True),
        (("10.0.0.5", 8501), False),
        (("::ffff:10.0.0.5", 8501), False),
        (None, False),
    ],
)
def test_a_request_to_another_address_is_refused_however_the_server_was_started(
    server: tuple[str, int | None] | None, let_in: bool
) -> None:
    scope = {**request("GET", OWN, None, "/api/runs"), "server": server}
    assert (address_problem(scope) is None) == let_in
    assert address_problem({**scope, "path": "/_stcore/health"}) is None


@pytest.mark.parametrize(("anyone", "status"), [(False, 403), (True, 200)])
def test_anyone_is_allowed_only_with_both_settings(anyone: bool, status: int) -> None:
    async def ask() -> httpx.Response:
        inner = Security(PlainTextResponse("A page."), frozenset({"10.0.0.5"}), anyone)
        transport = httpx.ASGITransport(inner)
        async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.5") as client:
            return await client.get("/")

    answer = asyncio.run(ask())
    assert answer.status_code == status
    assert anyone or "PACELINE_ALLOW_ANYONE=yes" in answer.json()["error"]


def test_a_request_with_two_hosts_is_refused() -> None:
    twice = request("GET", OWN, None, "/api/runs")
    twice["headers"].append((b"host", b"elsewhere.example"))
    assert "does not recognize the host" in str(cross_site_problem(twice, HOSTS))


@pytest.mark.parametrize(
    ("host", "status", "kind"),
    [(OWN, 200, "text/plain; charset=utf-8"), ("elsewhere.example", 403, "application/json")],
)
def test_every_response_and_refusal_has_the_security_headers(
    host: str, status: int, kind: str
) -> None:
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
    """A browser enforces every policy that it receives, so two would forbid each other's
    scripts."""
    own = {"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer"}

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Security(PlainTextResponse("A page.", headers=own)))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{OWN}") as client:
            return await client.get("/")

    headers = asyncio.run(ask()).headers
    assert headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers["x-content-type-options"] == "nosniff"


def test_the_policy_forbids_foreign_resources_and_inline_scripts() -> None:
    policy = content_policy()
    assert not re.search(r"https?:|\*|unsafe-eval", policy)
    (scripts,) = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert "unsafe-inline" not in scripts
    assert re.search(r"'sha256-[\w+/]{43}='", scripts)


def test_every_page_gets_the_address_of_its_server() -> None:
    with_own_file = {file.stem for file in (ROOT / "pages").glob("[a-z]*.py")}
    assert {"run", *DEEPER} == with_own_file
    assert "BACKEND_BASE_URL" in INDEX and INDEX.count("<script>") == 2
    assert content_policy().count("sha256-") == 2
