"""Every route has a role, and nobody comes past the gate without it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from api import api
from app import app
from db import tokens
from services.base.roles import Role
from web.access import RULES, needed
from web.gate import Gate, email_in
from web.index import DEEPER
from web.security import Security

ENV = {
    "PACELINE_ADMINS": "admin@example.org",
    "PACELINE_RUNNERS": "runner@example.org",
    "PACELINE_VIEWERS": "viewer@example.org",
}
OWN = "http://127.0.0.1:8501"


def api_routes() -> Iterator[tuple[str, str]]:
    for path, operations in api.openapi()["paths"].items():
        yield from ((method.upper(), f"/api{path}") for method in operations)
    yield "GET", "/api/openapi.json"


def written(path: str) -> str:
    return path.replace(":path}", "}")


RULED = {(rule.method, written(rule.path)) for rule in RULES}


def test_every_route_of_the_api_has_a_role_and_every_rule_a_route() -> None:
    routes = set(api_routes())
    assert routes - RULED == set(), "a route without a role"
    ruled = {rule for rule in RULED if rule[1].startswith("/api")}
    assert ruled - routes == set(), "a rule without a route"


def test_every_page_has_a_role() -> None:
    assert {("GET", f"/{page}") for page in ("", *DEEPER)} <= RULED
    for route in app._user_routes:
        assert route.path.startswith("/api") or route.path in {path for _, path in RULED}


def test_tasks_need_the_same_role_with_and_without_api() -> None:
    for rule in RULES:
        if rule.path.startswith(("/tasks", "/inference")):
            assert needed(rule.method, f"/api{rule.path}") is rule.role


def test_no_two_rules_are_about_one_route() -> None:
    assert len(RULED) == len(RULES)


@pytest.mark.parametrize(
    ("line", "role"),
    [
        ("GET /share/abc", None),
        ("HEAD /share/abc", None),
        ("POST /share/abc", Role.admin),
        ("GET /", Role.viewer),
        ("WS /_stcore/stream", Role.viewer),
        ("GET /api/runs", Role.viewer),
        ("POST /api/runs", Role.runner),
        ("POST /api/engines", Role.admin),
        ("GET /api/tokens", Role.admin),
        ("GET /api/nothing", Role.admin),
        ("GET /api/runs/1/nothing", Role.admin),
        ("GET /api/runs/\n", Role.admin),
        ("GET //api/runs", Role.admin),
        ("GET /nothing", Role.admin),
        ("GET /_stcore/metrics", Role.admin),
        ("POST /_stcore/agent/interact", Role.admin),
        ("PUT /_stcore/upload_file/a/b", Role.runner),
        ("GET /tokens", Role.runner),
        ("DELETE /api/servers/a/b", Role.admin),
    ],
)
def test_each_route_needs_its_role_and_unknown_routes_an_admin(
    line: str, role: Role | None
) -> None:
    assert needed(*line.split(" ", 1)) is role


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the role that is said behind the gate."""
    roles = Request(scope).headers.getlist("x-paceline-role")
    await PlainTextResponse(",".join(roles) or "nobody")(scope, receive, send)


def email_of(cookies: Mapping[str, str]) -> str | None:
    return cookies.get("person")


def ask(method: str, path: str, person: str = "", **headers: str) -> httpx.Response:
    """Ask through the gate, as who has a cookie."""
    cookie = {"cookie": f"person={person}"} if person else {}

    async def send() -> httpx.Response:
        gate = Security(Gate(echo, ENV, email_of, lambda: "/auth/login?provider=x"))
        transport = httpx.ASGITransport(gate)
        async with httpx.AsyncClient(transport=transport, base_url=OWN) as client:
            return await client.request(method, path, headers=headers | cookie)

    return asyncio.run(send())


PEOPLE = {None: "", **{role: f"{role.name}@example.org" for role in Role}}
HTTP = [rule for rule in RULES if rule.method != "WS"]


@pytest.mark.parametrize("rule", HTTP, ids=lambda rule: f"{rule.method} {rule.path}")
def test_every_route_opens_to_its_role_and_those_above(rule: Any) -> None:
    path = re.sub(r"\{[^}]*\}", "1", rule.path)
    for role, person in PEOPLE.items():
        status = ask(rule.method, path, person).status_code
        may = rule.role is None or (role is not None and role >= rule.role)
        assert (status == 200) == may, (role, status)
        if not may:
            assert status == (403 if role else 401)


def test_a_role_in_the_headers_of_a_request_is_ignored() -> None:
    forged = {"X-Paceline-Role": "admin"}
    assert ask("GET", "/", PEOPLE[Role.viewer], **forged).text == "viewer"
    assert ask("GET", "/share/x", "", **forged).text == "nobody"


def test_a_visitor_gets_a_link_to_the_provider_without_a_redirect_loop() -> None:
    answer = ask("GET", "/")
    assert 'href="/auth/login?provider=x"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_a_person_without_a_role_sees_a_message() -> None:
    answer = ask("GET", "/", "eve@example.org")
    assert answer.status_code == 403
    assert "eve@example.org has no role here" in answer.text
    api_answer = ask("POST", "/api/engines", PEOPLE[Role.runner])
    assert api_answer.json()["error"] == (
        "This requires the role admin, but runner@example.org has the role runner. Ask an admin."
    )


def test_a_token_opens_the_api_and_metrics_only_and_only_until_it_is_revoked(
    database: Engine,
) -> None:
    made, text = tokens.create(database, "ci", Role.runner)
    bearer = {"authorization": f"Bearer {text}"}
    assert ask("POST", "/api/runs", **bearer).text == "runner"
    assert ask("POST", "/api/engines", **bearer).status_code == 403
    assert ask("GET", "/metrics", **bearer).text == "runner"
    assert ask("GET", "/", **bearer).status_code == 401
    for wrong in ("Bearer", "Bearer paceline-x", f"Basic {text}", text):
        answer = ask("GET", "/api/runs", PEOPLE[Role.admin], authorization=wrong)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    tokens.revoke(database, made.id)
    assert ask("POST", "/api/runs", **bearer).status_code == 401


@pytest.mark.parametrize(("person", "let_in"), [("", False), (PEOPLE[Role.viewer], True)])
def test_the_websocket_needs_a_signed_in_person(person: str, let_in: bool) -> None:
    reached: list[Any] = []
    sent: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["headers"])

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/_stcore/stream",
        "headers": [(b"cookie", f"person={person}".encode())] if person else [],
    }
    asyncio.run(Gate(inner, ENV, email_of, lambda: "")(scope, None, send))
    assert bool(reached) == let_in and bool(sent) != let_in


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "a@b.c", "is_logged_in": True}, "a@b.c"),
        ({"email": "a@b.c", "is_logged_in": True, "email_verified": True}, "a@b.c"),
        ({"email": " A@b.C ", "is_logged_in": True}, "a@b.c"),
        ({"email": " ", "is_logged_in": True}, None),
        ({"email": "a@b.c", "is_logged_in": True, "email_verified": False}, None),
        ({"email": "a@b.c", "is_logged_in": False}, None),
        ({"email": ["a@b.c"], "is_logged_in": True}, None),
        ({"is_logged_in": True}, None),
        ([], None),
    ],
)
def test_an_unverified_address_does_not_count(claims: Any, email: str | None) -> None:
    assert email_in(json.dumps(claims)) == email
    assert email_in(None) is None and email_in("{") is None


def test_a_token_has_at_most_its_owners_current_rights(database: Engine) -> None:
    def role(made_by: str) -> str:
        _, text = tokens.create(database, "ci", Role.runner, made_by=made_by)
        return ask("GET", "/api/runs", authorization=f"Bearer {text}").text

    assert role("runner@example.org") == role("admin@example.org") == "runner"
    assert role("viewer@example.org") == "viewer"
    assert "has no role here" in role("gone@example.org")
    assert role("root (terminal)") == "runner", "who reads the database's password is an admin"
