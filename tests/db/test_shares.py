"""What is shared: it stays as it was, and is gone with its time, its runs, or when revoked."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from db import runs, schema, shares
from db.runs import RunNotFound
from db.shares import InvalidShare, ShareNotFound
from tests.stored import store
from tests.values import measured

PAGE = b"<!doctype html>"


def kept(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(schema.shares)) or 0


def test_a_page_is_behind_its_token_and_no_other(engine: Engine) -> None:
    run_id = store(engine)
    one, two = (shares.create(engine, [run_id], "A", PAGE + title) for title in (b"1", b"2"))
    for share, end in ((one, b"1"), (two, b"2")):
        found = shares.load(engine, share.token)
        assert found is not None and gzip.decompress(found) == PAGE + end
    assert one.token != two.token
    assert len(one.token) == 43  # 256 bits
    for other in ("", one.token[:-1], f"{one.token}x", one.token.swapcase(), "%", "\0"):
        assert shares.load(engine, other) is None


def test_a_page_is_gone_when_it_is_revoked(engine: Engine) -> None:
    share = shares.create(engine, [store(engine)], "A", PAGE)
    shares.revoke(engine, share.token)
    assert shares.load(engine, share.token) is None
    for token in (share.token, "", "\0"):
        with pytest.raises(ShareNotFound):
            shares.revoke(engine, token)
    assert kept(engine) == 0


def test_a_page_is_gone_when_its_time_is_over(engine: Engine) -> None:
    run_id = store(engine)
    over = shares.create(engine, [run_id], "A", PAGE, timedelta(seconds=-1))
    still = shares.create(engine, [run_id], "A", PAGE, timedelta(days=1))
    always = shares.create(engine, [run_id], "A", PAGE)
    assert shares.load(engine, over.token) is None
    assert shares.load(engine, still.token) and shares.load(engine, always.token)
    assert [share.token for share in shares.listed(engine)] == [always.token, still.token]
    assert kept(engine) == 2  # what was over was thrown away when the next was made


def test_what_is_deleted_is_not_shared_any_more(engine: Engine) -> None:
    first, second, third = (store(engine) for _ in range(3))
    alone = shares.create(engine, [first], "A", PAGE)
    both = shares.create(engine, [second, first], "B", PAGE)
    other = shares.create(engine, [second, third], "C", PAGE)
    runs.delete(engine, first)
    assert [share.token for share in shares.listed(engine)] == [other.token]
    assert shares.load(engine, alone.token) is shares.load(engine, both.token) is None


def test_a_run_that_cannot_be_deleted_stays_shared(engine: Engine) -> None:
    run_id = store(engine, status="running")
    share = shares.create(engine, [run_id], "A", PAGE)
    with pytest.raises(runs.RunBusy):
        runs.delete(engine, run_id)
    assert shares.load(engine, share.token)


def test_what_is_listed_are_the_pages_of_these_runs_in_this_order(engine: Engine) -> None:
    one, two = store(engine), store(engine)
    first = shares.create(engine, [one, two], "A", PAGE, texts=True)
    second = shares.create(engine, [one, two], "A", PAGE)
    shares.create(engine, [two, one], "B", PAGE), shares.create(engine, [one], "C", PAGE)
    assert shares.listed(engine, [one, two]) == [second, first]
    assert len(shares.listed(engine)) == 4
    assert (first.texts, second.texts, first.path) == (True, False, f"/share/{first.token}")


def test_a_page_that_is_published_is_what_was_measured_then(engine: Engine) -> None:
    asked = {"workload": "text", "prompt": "a heron"}
    run_id = store(engine, [measured(0, answer="grey on grey")], name="first-name", **asked)
    share = shares.publish(engine, [run_id], days=7)
    runs.edit(engine, run_id, "second-name", [], "")
    page = gzip.decompress(shares.load(engine, share.token) or b"")
    assert b"first-name" in page and b"second-name" not in page
    assert b"heron" not in page and b"grey on grey" not in page
    assert share.title == "first-name"
    assert share.expires_at is not None
    assert share.expires_at - share.created_at == timedelta(days=7)
    texts = shares.publish(engine, [run_id], texts=True)
    page = gzip.decompress(shares.load(engine, texts.token) or b"")
    assert b"a heron" in page and b"grey on grey" in page
    assert texts.expires_at is None


@pytest.mark.parametrize("days", [0, -1, 3651, 10**9])
def test_a_time_that_cannot_be_is_refused_in_a_sentence(engine: Engine, days: int) -> None:
    with pytest.raises(InvalidShare, match=r"1 to 3,650 days, or until revoked\.$"):
        shares.publish(engine, [store(engine)], days)


def test_runs_that_make_no_page_are_refused_in_a_sentence(engine: Engine) -> None:
    run_id = store(engine)
    for chosen in ([], [run_id, run_id], list(range(9))):
        with pytest.raises(InvalidShare, match=r"one to 8 runs, each of them once\.$"):
            shares.publish(engine, chosen)
    with pytest.raises(RunNotFound):
        shares.publish(engine, [run_id, 99])
    with pytest.raises(RunNotFound):
        shares.create(engine, [run_id, 99], "A", PAGE)
    assert kept(engine) == 0
