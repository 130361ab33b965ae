"""Shared pages, which anyone with the token can see: created once, never changed, gone when
revoked."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, delete, func, insert, select

from db import results, schema, studies
from db.database import writing
from db.runs import RunNotFound
from services.base.errors import Invalid, NotFound
from services.base.surrogates import clean
from services.report import export
from services.report.export.capacity_files import capacity_export
from services.report.export.study_capacity_files import study_capacity_page
from services.report.export.study_page import study_page
from services.studies.capacity import Capacity
from services.studies.study import Study

TOKEN_BYTES = 32  # too many to guess
LONGEST_DAYS = 3650
SHOWN = ("token", "title", "run_ids", "created_at", "expires_at", "texts")


class InvalidShare(Invalid):
    """The runs cannot be shared as one page, or the number of days is invalid; the message is a
    sentence."""


class ShareNotFound(NotFound):
    """No page is shared under this token."""

    def __init__(self) -> None:
        super().__init__("No page is shared under this token. It may have been revoked already.")


@dataclass(frozen=True, slots=True)
class Share:
    """Facts about a shared page, without its content."""

    token: str
    title: str
    run_ids: tuple[int, ...]
    created_at: datetime
    expires_at: datetime | None  # None: never
    texts: bool  # with prompts and answers

    @property
    def path(self) -> str:
        """Its path below the address of this Paceline."""
        return f"/share/{self.token}"


def publish(
    database: Engine,
    run_ids: Sequence[int],
    days: int | None = None,
    texts: bool = False,
    judgement: Mapping[str, Any] | None = None,
    margin: float | None = None,
) -> Share:
    """Make the page of these runs, the baseline first, and share it for `days` days; None: until it
    is revoked. `texts`: with prompts and answers; `judgement`, `margin`: see `candidates`.

    Raises:
        InvalidShare: too many runs, one of them twice, or an invalid number of days.
        RunNotFound: for the first run that is missing.
    """
    most = export.export("page.html").most
    if not 1 <= len(run_ids) <= most or len(set(run_ids)) < len(run_ids):
        raise InvalidShare(f"A shared page shows one to {most} runs, each only once.")
    lasts = _expiry(days)
    candidates = results.candidates(database, run_ids, judgement, margin, texts)
    page = export.page_html(candidates, texts)
    return create(database, run_ids, export.title_of(candidates), page, lasts, texts)


def publish_study(database: Engine, study: Study, days: int | None = None) -> Share:
    """Make the page of a study in its current state, and share it like `publish`.

    Raises:
        InvalidShare: an invalid number of days.
        RunNotFound: the study or a run of it was deleted meanwhile.
    """
    lasts = _expiry(days)
    return create(database, study.run_ids, study.name, _page_of_study(database, study), lasts)


def _page_of_study(database: Engine, study: Study) -> bytes:
    if study.config.search is not None:
        return study_capacity_page(study)
    cells = studies.measured_cells(database, study)
    return study_page(study.name, cells, study.config.usd_per_gpu_hour, study.device)


def publish_capacity(database: Engine, capacity: Capacity, days: int | None = None) -> Share:
    """Make the page of a capacity search in its current state, and share it like `publish`.

    Raises:
        InvalidShare: an invalid number of days.
        RunNotFound: the run of a probe was deleted.
    """
    lasts = _expiry(days)
    page = capacity_export("capacity.html").write(capacity)
    run_ids = [probe.run_id for probe in capacity.probes]
    return create(database, run_ids, capacity.name, page, lasts)


def _expiry(days: int | None) -> timedelta | None:
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise InvalidShare(
            f"A link expires after 1 to {LONGEST_DAYS:,} days, or when it is revoked."
        )
    return None if days is None else timedelta(days=days)


def create(
    database: Engine,
    run_ids: Sequence[int],
    title: str,
    page: bytes,
    lasts: timedelta | None = None,
    texts: bool = False,
) -> Share:
    """Store a page under a new token for `lasts`; None: until it is revoked. Expired pages are
    deleted at the same time.

    Raises:
        RunNotFound: a run was deleted while its page was made.
    """
    now = datetime.now(UTC)  # the page exists now: the time that making it took does not count
    expires_at = None if lasts is None else now + lasts
    token = secrets.token_urlsafe(TOKEN_BYTES)
    share = Share(token, title, tuple(run_ids), now, expires_at, texts)
    row = {name: getattr(share, name) for name in SHOWN} | {"run_ids": list(run_ids)}
    packed = gzip.compress(page, 9, mtime=0)
    with writing(database) as connection:
        runs = select(schema.runs.c.id).where(schema.runs.c.id.in_(run_ids)).with_for_update()
        existing = set(connection.scalars(runs))
        for run_id in run_ids:
            if run_id not in existing:
                raise RunNotFound(run_id)
        connection.execute(delete(schema.shares).where(schema.shares.c.expires_at <= now))
        connection.execute(insert(schema.shares).values(page=packed, **row))
    return share


def load(database: Engine, token: str) -> bytes | None:
    """Return a shared page, gzipped; None if there is none or it has expired."""
    table = schema.shares
    good = func.coalesce(table.c.expires_at > datetime.now(UTC), True)
    with database.connect() as connection:
        page: bytes | None = connection.scalar(
            select(table.c.page).where(table.c.token == clean(token), good)
        )
    return page


def revoke(database: Engine, token: str) -> None:
    """Delete a shared page. Raises ShareNotFound."""
    deleted = delete(schema.shares).where(schema.shares.c.token == clean(token))
    with writing(database) as connection:
        if not connection.execute(deleted).rowcount:
            raise ShareNotFound


def list_all(database: Engine, run_ids: Sequence[int] = ()) -> list[Share]:
    """Return the pages shared for exactly these runs in this order, or all pages, newest first."""
    table = schema.shares
    good = func.coalesce(table.c.expires_at > datetime.now(UTC), True)
    wanted = select(*(table.c[name] for name in SHOWN)).where(good).order_by(table.c.created_at)
    with database.connect() as connection:
        shares = [_share(row) for row in connection.execute(wanted)]
    return [share for share in reversed(shares) if share.run_ids == tuple(run_ids) or not run_ids]


def _share(row: Row[tuple[object, ...]]) -> Share:
    values = row._asdict()
    return Share(**{**values, "run_ids": tuple(values["run_ids"])})
