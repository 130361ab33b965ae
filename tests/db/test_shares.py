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


def count_of_pages(database: Engine) -> int:
    with database.connect() as connection:
        return connection.scalar(select(func.count()).select_from(schema.shares)) or 0


def test_a_page_is_found_only_by_its_token(database: Engine) -> None:
    run_id = store(database)
    first, second = (shares.create(database, [run_id], "A", PAGE + title) for title in (b"1", b"2"))
    for share, end in ((first, b"1"), (second, b"2")):
        page = shares.load(database, share.token)
        assert page is not None and gzip.decompress(page) == PAGE + end
    assert first.token != second.token
    assert len(first.token) == 43  # 256 bits
    for other in ("", first.token[:-1], f"{first.token}x", first.token.swapcase(), "%", "\0"):
        assert shares.load(database, other) is None


def test_a_page_is_gone_when_it_is_revoked(database: Engine) -> None:
    share = shares.create(database, [store(database)], "A", PAGE)
    shares.revoke(database, share.token)
    assert shares.load(database, share.token) is None
    for token in (share.token, "", "\0"):
        with pytest.raises(ShareNotFound):
            shares.revoke(database, token)
    assert count_of_pages(database) == 0


def test_a_page_is_gone_when_it_has_expired(database: Engine) -> None:
    run_id = store(database)
    over = shares.create(database, [run_id], "A", PAGE, timedelta(seconds=-1))
    still = shares.create(database, [run_id], "A", PAGE, timedelta(days=1))
    always = shares.create(database, [run_id], "A", PAGE)
    assert shares.load(database, over.token) is None
    assert shares.load(database, still.token) and shares.load(database, always.token)
    assert [share.token for share in shares.list_all(database)] == [always.token, still.token]
    assert count_of_pages(database) == 2  # what was over was thrown away when the next was made


def test_a_deleted_run_is_no_longer_shared(database: Engine) -> None:
    first, second, third = (store(database) for _ in range(3))
    alone = shares.create(database, [first], "A", PAGE)
    both = shares.create(database, [second, first], "B", PAGE)
    other = shares.create(database, [second, third], "C", PAGE)
    runs.delete(database, first)
    assert [share.token for share in shares.list_all(database)] == [other.token]
    assert shares.load(database, alone.token) is shares.load(database, both.token) is None


def test_a_run_that_cannot_be_deleted_stays_shared(database: Engine) -> None:
    run_id = store(database, status="running")
    share = shares.create(database, [run_id], "A", PAGE)
    with pytest.raises(runs.RunBusy):
        runs.delete(database, run_id)
    assert shares.load(database, share.token)


def test_the_list_has_the_pages_of_these_runs_in_this_order(database: Engine) -> None:
    run_a, run_b = store(database), store(database)
    first = shares.create(database, [run_a, run_b], "A", PAGE, texts=True)
    second = shares.create(database, [run_a, run_b], "A", PAGE)
    shares.create(database, [run_b, run_a], "B", PAGE), shares.create(database, [run_a], "C", PAGE)
    assert shares.list_all(database, [run_a, run_b]) == [second, first]
    assert len(shares.list_all(database)) == 4
    assert (first.texts, second.texts, first.path) == (True, False, f"/share/{first.token}")


def test_a_published_page_does_not_change_with_its_run(database: Engine) -> None:
    config = {"workload": "text", "prompt": "a heron"}
    run_id = store(database, [measured(0, answer="grey on grey")], name="first-name", **config)
    share = shares.publish(database, [run_id], days=7)
    runs.edit(database, run_id, "second-name", [], "")
    page = gzip.decompress(shares.load(database, share.token) or b"")
    assert b"first-name" in page and b"second-name" not in page
    assert b"heron" not in page and b"grey on grey" not in page
    assert share.title == "first-name"
    assert share.expires_at is not None
    assert share.expires_at - share.created_at == timedelta(days=7)
    texts = shares.publish(database, [run_id], texts=True)
    page = gzip.decompress(shares.load(database, texts.token) or b"")
    assert b"a heron" in page and b"grey on grey" in page
    assert texts.expires_at is None


@pytest.mark.parametrize("days", [0, -1, 3651, 10**9])
def test_an_invalid_number_of_days_is_refused(database: Engine, days: int) -> None:
    with pytest.raises(InvalidShare, match=r"1 to 3,650 days, or when it is revoked\.$"):
        shares.publish(database, [store(database)], days)


def test_an_invalid_selection_of_runs_is_not_shared(database: Engine) -> None:
    run_id = store(database)
    for chosen in ([], [run_id, run_id], list(range(9))):
        with pytest.raises(InvalidShare, match=r"one to 8 runs, each only once\.$"):
            shares.publish(database, chosen)
    with pytest.raises(RunNotFound):
        shares.publish(database, [run_id, 99])
    with pytest.raises(RunNotFound):
        shares.create(database, [run_id, 99], "A", PAGE)
    assert count_of_pages(database) == 0
