"""A body that is no JSON object, of another type or too long."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Engine

from api.bodies import MAX_BODY
from db import engines as stored_engines
from db import runs, studies
from tests.api.conftest import JSON, call, problem


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'"run"',
        b"5",
        b"[" * 900,
        b'{"requests": ' + b"1" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:10]),
)
def test_an_invalid_run_is_refused(database: Engine, body: bytes) -> None:
    problem(call("POST", "/runs", content=body, headers=JSON), 422)
    assert runs.count(database) == 0


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "json"])
def test_a_body_of_another_type_is_refused(database: Engine, kind: str) -> None:
    response = call("POST", "/runs", content=b"{}", headers={"content-type": kind})
    problem(response, 415)
    assert runs.count(database) == 0


def test_a_body_that_is_too_long_is_refused_before_it_is_read() -> None:
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(50):
            read += 10**6
            yield b" " * 10**6

    problem(call("POST", "/runs", content=pieces(), headers=JSON), 413)
    assert read <= MAX_BODY + 10**6
    announced = {**JSON, "content-length": str(50 * 10**6)}
    read = 0
    problem(call("PUT", "/baselines/tag/import", content=pieces(), headers=announced), 413)
    problem(call("POST", "/runs", content=pieces(), headers=announced), 413)
    assert read == 0


@pytest.mark.parametrize("path", ["/engines", "/studies", "/studies/plan", "/studies/1/resume"])
@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_content_type_that_an_html_form_can_send_is_refused(
    database: Engine, path: str, kind: str
) -> None:
    body = json.dumps({"engine": "llamacpp"}) if path == "/engines" else "{}"
    problem(call("POST", path, content=body, headers={"content-type": kind}), 415)
    assert stored_engines.list_all(database) == [] and studies.list_all(database) == []


@pytest.mark.parametrize(("body", "said"), [("", "is missing."), ("5", "must be a JSON object.")])
@pytest.mark.parametrize("path", ["/runs", "/runs/1/more", "/shares", "/inference/async"])
def test_a_body_that_is_not_an_object_is_refused(path: str, body: str, said: str) -> None:
    response = call("POST", path, content=body, headers=JSON)
    assert problem(response, 422) == {}
    assert response.json()["error"] == f"The body {said}"
