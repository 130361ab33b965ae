"""What a runner and a viewer may do on pages: start runs on saved servers, make tokens, share."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

import jobs
from db import runs, servers, shares, tokens
from services.analysis.comparison_design import ComparisonDesign
from services.ask.config import parse
from services.ask.saved_server import saved_server
from services.base.roles import Person, Role
from tests.pages.conftest import Visit, sound, text_of
from tests.stored import store

RAY = Person("ray@example.org", Role.runner)
ADA = Person("ada@example.org", Role.admin)
VERA = Person("vera@example.org", Role.viewer)


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(jobs, "ensure", lambda engine: None)  # nothing is measured
    return monkeypatch


def as_(monkeypatch: pytest.MonkeyPatch, who: Person) -> None:
    assert who.role is not None
    name = who.role.name
    monkeypatch.setattr("pages.widgets.view.role", lambda: name)
    monkeypatch.setattr("pages.widgets.view.person", lambda: who)


def button(at: AppTest, label: str) -> AppTest:
    return sound(next(each for each in at.button if each.label == label).click().run())


@pytest.fixture
def prod(database: Engine) -> str:
    server = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    servers.save(database, saved_server("prod", {**server, "headers": {"X-Route": "a"}}))
    return "prod"


def test_a_runner_chooses_among_saved_servers(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch, prod: str
) -> None:
    as_(signed_in, RAY)
    at = visit("run")
    chooser = at.selectbox(key="run-backend")
    assert chooser.options == [prod, "Embedded llama.cpp"]
    labels = {expander.label for expander in at.expander}
    assert "Request options" not in labels
    assert not [field for field in at.text_input if "API key" in field.label]
    as_(signed_in, ADA)
    admins = visit("run")
    assert len(admins.selectbox(key="run-backend").options) > 5
    assert "Request options" in {expander.label for expander in admins.expander}


@pytest.mark.parametrize("who", [RAY, ADA])
def test_a_run_shows_who_started_it(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch, who: Person
) -> None:
    as_(signed_in, who)
    button(visit("run"), "Start")
    (run,) = runs.search(database)
    assert run.started_by == who.name
    assert f"started by {who.name}" in text_of(visit("result", run=str(run.id))).replace("\\", "")
    assert [row.id for row in runs.search(database, who.name[:6])] == [run.id]


def test_a_link_gives_a_runner_no_other_server(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch
) -> None:
    as_(signed_in, RAY)
    at = visit("run", backend="url", base_url="http://127.0.0.1:9/v1", headers="X-Key: a")
    assert at.selectbox(key="run-backend").value == "embedded"
    button(at, "Start")
    (run,) = runs.search(database)
    config = runs.load(database, run.id).config
    assert config.backend == "embedded" and config.base_url is None and not config.headers


def test_a_runner_cannot_vary_a_field_of_the_server(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch
) -> None:
    as_(signed_in, RAY)
    at = visit("run", vs="dialect=responses")
    button(at, "Start")
    assert runs.count(database) == 0
    assert "Runners can only measure the embedded model" in " ".join(e.value for e in at.error)


def test_a_viewer_has_no_form(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch
) -> None:
    as_(signed_in, VERA)
    at = visit("run")
    assert "Start" not in {each.label for each in at.button}


@pytest.mark.parametrize("who", [VERA, RAY])
@pytest.mark.parametrize(("page", "query"), [("result", "run"), ("compare", "runs")])
def test_a_viewer_shares_and_revokes_nothing(
    visit: Visit,
    database: Engine,
    signed_in: pytest.MonkeyPatch,
    who: Person,
    page: str,
    query: str,
) -> None:
    ids = ",".join(str(store(database)) for _ in range(1 if page == "result" else 2))
    as_(signed_in, who)
    at = button(visit(page, **{query: ids}), "Create link")
    (link,) = shares.list_all(database, [int(number) for number in ids.split(",")])
    assert link.path in " ".join(block.value for block in at.code)
    assert "Revoke" not in {each.label for each in at.button}
    at.query_params["view"] = "share"
    assert "Create link" not in {each.label for each in sound(at.run()).button}


def test_a_runner_makes_tokens_and_sees_only_those(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch
) -> None:
    others, _ = tokens.create(database, "of an admin", Role.admin)
    as_(signed_in, RAY)
    at = visit("tokens")
    assert at.selectbox(key="token-role").options == ["viewer", "runner"]
    assert "of an admin" not in text_of(at)
    at.text_input(key="token-name").set_value("nightly")
    at.selectbox(key="token-role").set_value("runner")
    at = button(at, "Create token")
    (text,) = [block.value for block in at.code]
    made = tokens.find(database, text)
    assert made is not None and (made.name, made.role, made.made_by) == (
        "nightly",
        "runner",
        RAY.name,
    )
    assert text in str([block.value for block in sound(at.run()).code])  # until it was copied
    at = button(at, "Hide")
    assert text not in str([block.value for block in at.code])
    with pytest.raises(tokens.TokenNotFound):
        tokens.revoke(database, others.id, RAY.name)
    button(at, "Revoke")
    assert [token.name for token in tokens.list_all(database)] == ["of an admin"]


def test_an_admin_can_revoke_any_token(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch
) -> None:
    tokens.create(database, "rays", Role.runner, made_by=RAY.name)
    as_(signed_in, ADA)
    at = visit("tokens")
    assert RAY.name in text_of(at).replace("\\", "")
    button(at, "Revoke")
    assert tokens.list_all(database) == []


def test_tokens_cannot_be_created_without_sign_in(visit: Visit, database: Engine) -> None:
    assert "Create token" not in {each.label for each in visit("tokens").button}


@pytest.mark.parametrize(
    ("who", "may"),
    [(RAY, True), (ADA, True), (Person("uma@example.org", Role.runner), False), (VERA, False)],
)
def test_a_run_and_a_comparison_are_cancelled_by_who_started_them_and_by_admins(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch, who: Person, may: bool
) -> None:
    run_id = jobs.submit(database, parse({}), by=RAY)
    configs = [parse({}), parse({"mode": "batch"})]
    compared = jobs.submit_comparison(database, configs, ComparisonDesign(), by=RAY)
    as_(signed_in, who)
    at = visit("live", run=str(run_id))
    turns = visit("live", comparison=str(compared.id))
    assert ("Cancel" in {each.label for each in at.button}) == may
    assert ("Cancel all" in {each.label for each in turns.button}) == may
    if may:
        button(at, "Cancel"), button(turns, "Cancel all")
        ids = [run_id, *compared.run_ids]
        assert {run.status for run in runs.load_many(database, ids)} == {"cancelled"}


def test_a_person_is_offered_to_cancel_what_their_revoked_token_started(
    visit: Visit, database: Engine, signed_in: pytest.MonkeyPatch
) -> None:
    made, _ = tokens.create(database, "ci", Role.runner, made_by=RAY.name)
    run_id = jobs.submit(database, parse({}), by=tokens.person_of(made))
    tokens.revoke(database, made.id)
    as_(signed_in, RAY)
    at = visit("live", run=str(run_id))
    assert "started by ci (token) of ray@example.org" in text_of(at).replace("\\", "")
    button(at, "Cancel")
    assert runs.load(database, run_id).status == "cancelled"
