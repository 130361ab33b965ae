"""Each check of the doctor, where something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db import new_tasks, runs
from db.database import writing
from db.new_tasks import NewSettings
from jobs import doctor
from jobs.doctor import CHECKS, Context, healthy, run_checks
from services.ask.config import parse
from services.ask.tasks import NewTask


@pytest.fixture
def context(database: Engine, tmp_path: Path) -> Context:
    root = tmp_path / "root"
    root.mkdir()
    (root / "requirements.txt").write_text("orjson>=3\nhttpx[x]==0.0.1  # why\nnot-there==1\n")
    return Context({"PACELINE_DATABASE_URL": database.url.render_as_string(False)}, root)


def said(context: Context, subject: str) -> list[tuple[str, str, str]]:
    return [(f.level, f.text, f.todo) for f in run_checks(context) if f.subject == subject]


def test_a_missing_package_is_a_problem_and_another_version_a_note(context: Context) -> None:
    (missing, other) = said(context, "Packages")[:2]
    assert missing[:2] == ("problem", "Missing: not-there") and "pip install" in missing[2]
    assert other[0] == "note" and "httpx" in other[1] and "not 0.0.1" in other[1]
    assert not healthy(run_checks(context))


def test_a_settings_file_that_everyone_can_read_is_noted(context: Context) -> None:
    file = context.root / ".env"
    file.write_text("OPENAI_API_KEY=sk-hush-hush")
    file.chmod(0o644)
    level, words, todo = said(context, "Settings")[0]
    assert (level, todo) == ("note", f"chmod 600 {file}") and "hush" not in words


def test_an_invalid_span_receiver_is_a_problem(context: Context) -> None:
    env = {**context.env, "OTEL_EXPORTER_OTLP_ENDPOINT": "127.0.0.1:6006"}
    ((state, problem, _),) = said(Context(env, context.root), "Settings")
    assert state == "problem" and "OTEL_EXPORTER_OTLP_ENDPOINT" in problem


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "ignored", "known"),
    [
        ("PACELINE_LOG", "xml", "JSON"),
        ("PACELINE_ALLOW_ANYONE", "1", "no"),
        ("PACELINE_TRACES_TEXTS", "true", "yes"),
        ("OTEL_SDK_DISABLED", "yes", "true"),
        ("PACELINE_RAY_CLUSTERS", "ray://10.0.0.1:10001, 10.0.0.2", "ray://10.0.0.1:10001"),
    ],
)
def test_a_value_that_is_ignored_is_noted(
    context: Context, name: str, ignored: str, known: str
) -> None:
    level, text, todo = said(Context({**context.env, name: ignored}, context.root), "Settings")[0]
    assert (level, text.split()[0]) == ("note", name) and todo.endswith(".")
    for fine in (known, ""):
        found = said(Context({**context.env, name: fine}, context.root), "Settings")
        assert [level for level, _, _ in found] == ["ok"]


def test_every_wrong_setting_is_a_problem_of_its_own(context: Context) -> None:
    wrong = {
        "PACELINE_SIGN_IN": "maybe",
        "PACELINE_ALLOWED_HOSTS": "*",
        "PACELINE_TOKEN_TIMES_DAYS": "abc",
        "PACELINE_MAX_CONCURRENT_REQUESTS": "many",
        "PACELINE_KEEP_TASKS_DAYS": "-1",
    }
    found = said(Context({**context.env, **wrong}, context.root), "Settings")
    assert [(level, text.split()[0]) for level, text, _ in found] == [
        ("problem", name) for name in wrong
    ]


@pytest.mark.parametrize(("revision", "level"), [("0001", "note"), ("9999", "problem")])
def test_a_database_of_another_revision_is_reported(
    context: Context, database: Engine, revision: str, level: str
) -> None:
    with writing(database) as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    found = said(context, "Database")[0]
    assert found[0] == level and f"revision {revision}" in found[1] and found[2]


def test_doctor_notes_work_without_a_supervisor(context: Context, database: Engine) -> None:
    assert said(context, "Queue")[0][0] == "ok"
    runs.create(database, parse({}), "embedded")
    (found,) = said(context, "Queue")
    assert found[0] == "note" and found[1].startswith("1 run and 0 tasks queued or running")
    assert "Start Paceline" in found[2]


def test_doctor_counts_tasks(context: Context, database: Engine) -> None:
    settings = NewSettings({"backend": "embedded"}, "embedded", "m", {"target": {}})
    new_tasks.create(database, "me", [settings], [(NewTask("a", {}), 0), (NewTask("b", {}), 0)])
    (found,) = said(context, "Queue")
    assert found[0] == "note" and found[1].startswith("0 runs and 2 tasks queued or running")


def test_few_ports_a_slow_clock_and_a_full_disk_are_reported(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports, clock = tmp_path / "ports", tmp_path / "clock"
    ports.write_text("32768\t33000\n")
    clock.write_text("hpet\n")
    monkeypatch.setattr(doctor, "PORTS", ports)
    monkeypatch.setattr(doctor, "CLOCK", clock)
    monkeypatch.setattr(doctor, "MIN_FREE", 2**60)
    assert said(context, "Ports")[0][0] == "note"
    assert said(context, "Clock")[0][0] == "note"
    assert said(context, "Disk")[0][0] == "problem"
    engines_off = Context({**context.env, "PACELINE_ENGINES": "off"}, context.root)
    assert "turned off" in said(engines_off, "Engines")[0][1]


def test_each_finding_that_is_not_ok_says_what_to_do(context: Context) -> None:
    assert len(CHECKS) >= 9
    assert all(finding.todo for finding in run_checks(context) if finding.level != "ok")
