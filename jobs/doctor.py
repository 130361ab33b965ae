"""Checks this machine and the settings of Paceline:

`paceline doctor`. Each check looks at one thing, changes nothing, and returns findings: the current
state and, if there is a problem, what to do. Findings name variables, but never their values.
"""

from __future__ import annotations

import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import get_clock_info
from typing import Literal

from sqlalchemy import Engine, func, inspect, select, text

from db import engines, queue, retention, schema, tasks
from db.database import UNUSABLE, connect, message_of
from jobs.supervisor_lock import QueueProblem, supervisor_alive
from services.ask import clusters
from services.ask.backends import BACKENDS, has_key
from services.ask.config import parse
from services.ask.tasks import OPEN, limits
from services.base import hosts, listening, logs, machine, packaged_model, private_file, roles
from services.base.errors import PacelineError
from services.base.root import ROOT
from services.base.units import many, seconds, size
from services.report.spans import settings as spans
from services.report.spans.settings import is_on, span_settings
from services.servers.engines import ENGINES
from services.servers.engines.host import this_host
from services.servers.engines.switch import turned_off
from services.wire.limits import PORTS, SPARE_FILES

Level = Literal["ok", "note", "problem"]
Findings = Iterator["Finding"]

OLDEST_PYTHON = (3, 11)
MIN_FREE, LOW_FREE = 2**27, 2**30  # bytes free; below the first a run may not be stored
DEFAULT_AT_ONCE = 5_000  # requests in flight that Paceline is designed for
CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
SLOW_CLOCKS = ("hpet", "acpi_pm", "refined-jiffies", "jiffies")  # 1 µs or more to read
Reader = Callable[[Mapping[str, str]], object]
SETTINGS: tuple[Reader, ...] = (  # each refuses a value that it cannot use
    roles.sign_in,
    hosts.allowed,
    lambda env: span_settings(env) if is_on(env) else None,
    retention.days_of,
    limits.at_once,
    limits.kept,
)
WORDS: Mapping[str, tuple[str, ...]] = {  # what these may be besides empty; all else is ignored
    listening.VARIABLE: ("yes", "no"),
    logs.VARIABLE: ("json",),
    spans.TEXTS: ("yes", "no"),
    spans.OFF: ("true", "false"),
}
APART_S = 1.0  # the most between this machine's clock and the database's


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `level`: `problem` if something does not work, `note` if something
    may be missing. `todo`: what to do about it."""

    subject: str
    level: Level
    text: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What is checked: the environment with .env, and Paceline's folder."""

    env: Mapping[str, str]
    root: Path = ROOT


def run_checks(context: Context) -> list[Finding]:
    """Return the findings of all checks, in the order of the table."""
    return [finding for check in CHECKS for finding in check(context)]


def healthy(findings: list[Finding]) -> bool:
    """Return whether no finding keeps Paceline from working."""
    return all(finding.level != "problem" for finding in findings)


def _python(context: Context) -> Findings:
    summary = f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
    if sys.version_info < OLDEST_PYTHON:
        todo = "Recreate the environment with Python 3.11 or newer: make clean run."
        yield Finding("Python", "problem", summary, todo)
        return
    memory = size(machine.environment()["memory_bytes"])
    yield Finding("Python", "ok", f"{summary}, {many(machine.cores(), 'core')}, {memory}")


def _packages(context: Context) -> Findings:
    pinned = dict(_pins(context.root / "requirements.txt"))
    found = {name: machine.installed_version(name) for name in pinned}
    missing = [name for name, there in found.items() if there is None]
    mismatched = [
        f"{n} {there}, not {pinned[n]}" for n, there in found.items() if there != pinned[n]
    ]
    mismatched = [each for each in mismatched if each.split()[0] not in missing]
    todo = ".venv/bin/pip install -r requirements.txt, or make run."
    if missing:
        yield Finding("Packages", "problem", f"Missing: {', '.join(missing)}", todo)
    if mismatched:
        yield Finding("Packages", "note", f"Other versions: {', '.join(mismatched)}", todo)
    if not (missing or mismatched):
        yield Finding("Packages", "ok", f"{many(len(pinned), 'package')} as pinned")
    try:
        packaged_model.model_path()
    except FileNotFoundError as error:
        yield Finding("Packages", "note", *_split_sentences(str(error)))


def _pins(file: Path) -> Iterator[tuple[str, str]]:
    """The packages that a requirements file pins, with their versions."""
    for line in file.read_text().splitlines():
        name, pin, rest = line.partition("#")[0].partition("==")
        if pin:
            yield name.partition("[")[0].strip(), rest.partition(";")[0].strip()


def _settings(context: Context) -> Findings:
    file = context.root / ".env"
    if file.exists() and file.stat().st_mode & private_file.OTHERS:
        todo = f"chmod 600 {file}"
        yield Finding("Settings", "note", ".env may contain keys, but every user can read it", todo)
    yield from _ignored(context.env)
    refusals = [_refusal(read, context.env) for read in SETTINGS]
    for sentence in filter(None, refusals):
        yield Finding("Settings", "problem", *_split_sentences(sentence))
    if any(refusals):
        return
    shared = roles.sign_in(context.env)
    read = ".env is read" if file.exists() else "there is no .env"
    yield Finding("Settings", "ok", f"{read}; sign-in is {'on' if shared else 'off'}")
    secrets = context.root / ".streamlit" / "secrets.toml"
    if shared and not secrets.exists():
        todo = "Configure the provider in .streamlit/secrets.toml: docs/sign-in.md"
        yield Finding("Settings", "problem", "Sign-in is on, but no provider is configured", todo)


def _ignored(env: Mapping[str, str]) -> Findings:
    """Values that have no effect, since they are none of the words that have one."""
    for name, words in WORDS.items():
        if env.get(name, "").strip().lower() not in ("", *words):
            todo = f"Set it to {' or '.join(words)}, or leave it empty."
            yield Finding("Settings", "note", f"{name} has a value that is ignored", todo)
    if any(_refusal(_run_on(each), env) for each in clusters.clusters(env)):
        text = f"{clusters.VARIABLE} has an address that no run can use"
        yield Finding("Settings", "note", text, "Write each as ray://10.0.0.1:10001.")


def _run_on(cluster: str) -> Reader:
    return lambda env: parse({"on": cluster})


def _refusal(read: Reader, env: Mapping[str, str]) -> str:
    """Return why a setting is refused, or ""."""
    try:
        read(env)
    except PacelineError as error:
        return str(error)
    return ""


def _database(context: Context) -> Findings:
    try:
        database = connect(context.env.get("PACELINE_DATABASE_URL"))
        file = _file_of(database)
        if file is None or file.exists():
            yield from _check_storage(database, file)
        else:
            yield Finding("Database", "ok", f"{file} is created on the first start")
    except UNUSABLE as error:
        yield Finding("Database", "problem", *_split_sentences(message_of(error)))
        return
    yield from _disk(file.parent if file else Path(tempfile.gettempdir()), file)
    if file is None and not shutil.which("pg_dump"):
        todo = "Install postgresql-client, or use the server's own backups."
        yield Finding("Database", "note", "pg_dump is not installed: `backup` needs it", todo)


def _file_of(database: Engine) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL."""
    return Path(database.url.database or "") if database.dialect.name == "sqlite" else None


def _check_storage(database: Engine, file: Path | None) -> Findings:
    skew = 0.0
    with database.connect() as connection:
        revision = None
        if inspect(connection).has_table("alembic_version"):
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if file is None:
            used = connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
            theirs = connection.scalars(select(func.clock_timestamp())).one()
            skew = abs((theirs - datetime.now(UTC)).total_seconds())
        else:
            used = file.stat().st_size
    name = str(file) if file else f"PostgreSQL on {database.url.host or 'this machine'}"
    summary = f"{name}, {size(used)}, revision {revision or 'none'}"
    if revision is not None and revision > schema.REVISION:
        todo = "A newer Paceline wrote it: update Paceline, or restore a backup."
        yield Finding("Database", "problem", summary, todo)
    elif revision != schema.REVISION:
        todo = f"The next start migrates it to {schema.REVISION}. Make a backup first."
        yield Finding("Database", "note", summary, todo)
    else:
        yield Finding("Database", "ok", f"{summary} (the newest)")
        yield from _queue(database)
    if skew > APART_S:
        words = f"This machine's clock and the database's differ by {seconds(skew)}"
        yield Finding("Clock", "note", words, "Synchronize both with NTP (timedatectl).")


def _disk(folder: Path, file: Path | None) -> Findings:
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    stored = file.stat().st_size if file and file.exists() else 0
    summary = f"{size(free)} free in {existing}"
    if free < MIN_FREE:
        yield Finding("Disk", "problem", summary, "Free some space: runs are stored there.")
    elif free < max(LOW_FREE, stored):
        todo = "Free some space, or delete old runs; a backup needs as much space as the database."
        yield Finding("Disk", "note", summary, todo)
    else:
        yield Finding("Disk", "ok", summary)


def _queue(database: Engine) -> Findings:
    try:
        alive = supervisor_alive(database)
    except QueueProblem as error:
        yield Finding("Queue", "problem", *_split_sentences(str(error)))
        return
    waiting, up = queue.active(database), engines.active(database)
    asked = sum(tasks.count(database, tasks.TaskFilter(status=status)) for status in OPEN)
    work = f"{many(waiting, 'run')} and {many(asked, 'task')} queued or running"
    summary = f"{work}, {many(up, 'engine')}"
    if (waiting or asked or up) and not alive:
        todo = (
            "Start Paceline on the machine that measures: its supervisor then starts automatically."
        )
        yield Finding("Queue", "note", f"{summary}; no supervisor on this machine", todo)
    else:
        state = "the supervisor is alive" if alive else "no supervisor; none is needed now"
        yield Finding("Queue", "ok", f"{summary}; {state}")


def _open_files(context: Context) -> Findings:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= DEFAULT_AT_ONCE + SPARE_FILES:
        most = "no limit" if hard == resource.RLIM_INFINITY else f"at most {hard:,}"
        yield Finding("Open files", "ok", f"{soft:,} now, {most}; a run raises it as needed")
        return
    found = f"at most {hard:,}: a run has up to {max(0, hard - SPARE_FILES):,} requests in flight"
    todo = "Raise it: LimitNOFILE=65536 in the systemd unit, nofile in /etc/security/limits.conf."
    yield Finding("Open files", "note", found, todo)


def _ports(context: Context) -> Findings:
    try:
        low, high = map(int, PORTS.read_text().split())
    except (OSError, ValueError):  # not Linux
        return
    number = high - low + 1
    found = f"{number:,} for outgoing connections to one server"
    if number < DEFAULT_AT_ONCE:
        todo = "Widen the range: sysctl -w net.ipv4.ip_local_port_range='10240 65000'"
        yield Finding("Ports", "note", found, todo)
    else:
        yield Finding("Ports", "ok", found)


def _clock(context: Context) -> Findings:
    resolution = seconds(get_clock_info("monotonic").resolution)
    try:
        source = CLOCK.read_text().strip()
    except OSError:  # not Linux, or not readable here
        source = ""
    summary = f"{source or 'the system clock'}, resolution {resolution}"
    if source in SLOW_CLOCKS:
        todo = (
            "Reading this clock is slow. Use tsc (kernel parameter clocksource=tsc), or another "
            "machine."
        )
        yield Finding("Clock", "note", summary, todo)
    else:
        yield Finding("Clock", "ok", summary)


def _engines(context: Context) -> Findings:
    if sentence := turned_off(context.env):
        yield Finding("Engines", "ok", sentence)
        return
    host = this_host(context.env)
    for spec in ENGINES.values():
        if spec.is_installed(host):
            yield Finding("Engines", "ok", f"{spec.label} is installed")
        else:
            todo = f"Only to start it from Paceline: {spec.install(host.gpu)}"
            yield Finding("Engines", "ok", f"{spec.label} is not installed", todo)


def _keys(context: Context) -> Findings:
    keyed = {b.key_env: has_key(b, context.env) for b in BACKENDS.values() if b.key_env}
    there = [name for name, has in keyed.items() if has]
    absent = [name for name, has in keyed.items() if not has]
    if there:
        yield Finding("Keys", "ok", f"Set: {', '.join(there)}")
    if absent:
        todo = "Set the ones that your servers need in .env."
        yield Finding("Keys", "ok", f"Not set: {', '.join(absent)}", todo)


def _split_sentences(sentences: str) -> tuple[str, str]:
    """A message as its first sentence and the rest, which says what to do."""
    first, _, rest = sentences.partition(". ")
    return first.removesuffix("."), rest


CHECKS: tuple[Callable[[Context], Findings], ...] = (
    _python,
    _packages,
    _settings,
    _database,
    _open_files,
    _ports,
    _clock,
    _engines,
    _keys,
)
