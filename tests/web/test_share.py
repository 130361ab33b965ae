"""The page behind a link: what it may do, and what it does not tell."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import Route

from db import runs, shares
from tests.stored import store
from web.security import Security
from web.share import shared_page

OWN = "http://127.0.0.1:8501"


def seen(path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """What is behind a link, asked without a server."""
    routes = Starlette(routes=[Route("/share/{token}", endpoint=shared_page)])

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Security(routes))
        async with httpx.AsyncClient(transport=transport, base_url=OWN) as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


def test_a_shared_page_has_restrictive_headers(database: Engine) -> None:
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


def test_a_shared_page_is_compressed_for_clients_that_accept_it(database: Engine) -> None:
    share = shares.publish(database, [store(database)])
    packed = seen(share.path, **{"accept-encoding": "gzip, br"})
    plain = seen(share.path, **{"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


@pytest.mark.long
def test_unknown_and_revoked_shares_look_the_same(database: Engine) -> None:
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
    assert "This link does not work." in answers[0].text
    assert "script-src" not in answers[0].headers["content-security-policy"]


def test_a_shared_page_does_not_reveal_a_database_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PACELINE_DATABASE_URL", "postgresql://me:topsecret@127.0.0.1:1/x")
    answer = seen("/share/x")
    assert answer.status_code == 503
    assert "temporarily unavailable" in answer.text
    assert "127.0.0.1" not in answer.text and "topsecret" not in answer.text
