"""Each kind of run says who started it and through what, and is theirs once the token is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, update

import jobs
from db import runs, schema, tokens
from db.database import writing
from jobs import capacities, studies
from services.analysis.comparison_design import ComparisonDesign
from services.ask.config import parse
from services.base.roles import Person, Role
from services.studies.study_config import StudyConfig
from tests.capacities import config_of_servers

ADA = Person("ada@example.org", Role.admin)
SERVER = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}


def run(database: Engine, by: Person) -> None:
    jobs.submit(database, parse(SERVER), by=by)


def comparison(database: Engine, by: Person) -> None:
    configs = [parse(SERVER), parse({**SERVER, "mode": "batch"})]
    jobs.submit_comparison(database, configs, ComparisonDesign(), by=by)


def study(database: Engine, by: Person) -> None:
    studies.submit(database, StudyConfig.model_validate(STUDY), by=by)


def resumed_study(database: Engine, by: Person) -> None:
    study_id = studies.submit(database, StudyConfig.model_validate(STUDY), by=by)
    with writing(database) as connection:
        connection.execute(update(schema.runs).values(status="interrupted"))
    studies.resume(database, study_id)


def capacity(database: Engine, by: Person) -> None:
    capacities.submit(database, config_of_servers(), by=by)
    capacities.advance(database)


STUDY = {"preset": "concurrency", "run": {**SERVER, "mode": "batch"}, "concurrencies": [1, 2]}
KINDS = (run, comparison, study, resumed_study, capacity)


@pytest.mark.parametrize("start", KINDS)
def test_a_run_is_the_persons_whose_token_started_it_also_once_that_is_revoked(
    database: Engine, monkeypatch: pytest.MonkeyPatch, start: Callable[[Engine, Person], None]
) -> None:
    monkeypatch.setattr(jobs, "ensure", lambda database: None)  # nothing is measured
    made, _ = tokens.create(database, "ci", Role.admin, made_by=ADA.name)
    token = tokens.person_of(made)
    start(database, token)
    tokens.revoke(database, made.id)
    ids = [row.id for row in runs.search(database)]
    assert ids
    stored = runs.origins(database, ids)
    assert set(stored.values()) == {("ci (token) of ada@example.org", token.caller, ADA.name)}
    for who, may in (
        (ADA._replace(role=Role.runner), True),
        (token._replace(role=Role.runner), True),
        (token._replace(role=Role.runner, token=made.id + 1), False),
        (Person("uma@example.org", Role.runner), False),
        (ADA._replace(role=Role.viewer), False),
    ):
        assert jobs.may_cancel(database, ids, who) == may
