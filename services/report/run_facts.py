"""What runs are, as tables: names and times, configuration, environment, and what differs between
them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.analysis import fingerprint
from services.analysis.compare import Candidate, Comparison
from services.analysis.compare.candidate import labels_of
from services.analysis.compare.differences import Difference, flat
from services.ask import about
from services.ask.backends.dialects import dialect_of
from services.ask.config import RunConfig
from services.ask.measurement import ACTIVE, Run
from services.ask.own_prompts import summarized
from services.ask.plan import duration
from services.base import untrusted
from services.base.machine import LIBRARIES
from services.base.table import Table
from services.base.units import NOTHING, listed, show
from services.report.fact_text import fact_text

DIFFERS = "≠"
NOT_SENT = "not sent"
TITLES = {  # of facts that are not called by their name in words
    "cpu": "CPU",
    "memory_bytes": "Memory",
    "os": "OS",
    "prompt_mark": "Nonce",
    "sha256": "SHA-256",
}
PACKAGES = (*LIBRARIES, "litellm")  # written as they are installed


def differences(comparison: Comparison) -> Table:
    """Show the config and environment fields in which the runs differ."""
    candidates = (comparison.baseline, *comparison.others)
    rows = tuple((_title_of(each), *each.values) for each in comparison.differences)
    return Table("What differs", ("", *labels_of(candidates)), rows)


def _title_of(difference: Difference) -> str:
    known = about.fields(RunConfig)
    if difference.field in known:
        return known[difference.field].label.removesuffix(" (s)")  # the values have their units
    return difference.label if "." in difference.field else _title(difference.field)


def identities(candidates: Sequence[Candidate], labels: Sequence[str]) -> Table:
    """Show the runs' names, status, times and tags."""
    return _side_by_side("Runs", [_identity(candidate.run) for candidate in candidates], labels)


def configuration(candidates: Sequence[Candidate], labels: Sequence[str]) -> Table:
    """Show the fields that the runs' modes and workloads use, with custom prompts as their number
    and length."""
    configs = [_named(_fact_texts(_config_facts(candidate.run))) for candidate in candidates]
    own = all(candidate.run.source is None for candidate in candidates)
    absent = "Not set" if own else "Not known or not set"
    return _side_by_side("Configuration", configs, labels, mark=True, absent=absent)


def _config_facts(run: Run) -> dict[str, Any]:
    """Return the config with the API format and the sampling parameters that were used; for an
    imported run, what its file states, and which file that is."""
    if run.source is None:
        return _sent_facts(run.config)
    config = _used_facts(run.config)
    file = {name: run.source.get(name) for name in ("tool", "version", "file", "sha256")}
    known = {name: value for name, value in config.items() if run.knows(name)}
    return {**file, **known, **run.source.get("facts", {})}


def config_texts(config: RunConfig, without: Collection[str] = ()) -> dict[str, str]:
    """Return the fields that a config uses, except `without`, as texts by their titles."""
    facts = {name: value for name, value in _sent_facts(config).items() if name not in without}
    return _named(_fact_texts(facts))


def _sent_facts(config: RunConfig) -> dict[str, Any]:
    sent = {"temperature": config.sent_temperature, "top_p": config.sent_top_p}
    used = {name: NOT_SENT if value is None else value for name, value in sent.items()}
    return _used_facts(config) | {"dialect": dialect_of(config), **used}


def _used_facts(config: RunConfig) -> dict[str, Any]:
    return {name: value for name, value in summarized(config).items() if _is_used(name, config)}


def _is_used(name: str, config: RunConfig) -> bool:
    return name not in about.fields(type(config)) or config.reads(name)


def _named(facts: Mapping[str, str]) -> dict[str, str]:
    """Name each field of a config as the form does."""
    known = about.fields(RunConfig)
    return {
        known[name].label if name in known else _title(name): text for name, text in facts.items()
    }


def _title(name: str) -> str:
    """Return a fact's name in words; the path to a value that a server reported stays unchanged."""
    if "." in name or name in PACKAGES:
        return name
    words = name.replace("_", " ")
    return TITLES.get(name) or words[:1].upper() + words[1:]


def environment(candidates: Sequence[Candidate], labels: Sequence[str]) -> Table:
    """Show machine, client and engine, with the fingerprint of the server first."""
    surroundings = [environment_texts(candidate.run.environment) for candidate in candidates]
    return _side_by_side("Environment", surroundings, labels, mark=True)


def environment_texts(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of a run as texts by their titles, its fingerprint first."""
    digest = fingerprint.of_environment(facts)
    texts = {_title(name): text for name, text in _fact_texts(facts).items()}
    return ({"Fingerprint": digest} if digest else {}) | texts


def _identity(run: Run) -> dict[str, str]:
    facts = {
        "Run": run.id,
        "Name": run.name,
        "Status": run.status,
        "Started": moment_of(run.started_at),
        "Ended": moment_of(run.ended_at),
        "Measured for": measured_for(run),
        "Tags": run.tags,
    }
    return _fact_texts(facts)


def measured_for(run: Run) -> str:
    """Return how long the repeats took together, without warm-up, calibration and, in a comparison,
    the other candidates' turns; "" for a run that goes on or was cut short."""
    seconds = _measured_s(run)
    return duration(seconds) if seconds is not None else ""


def all_measured_for(runs: Iterable[Run]) -> str:
    """Return a sentence on how long these runs were measured and since when, without those that go
    on or were cut short; "" if no other is left."""
    known = [(run, each) for run in runs if (each := _measured_s(run)) is not None]
    began = min((run.started_at for run, _ in known if run.started_at), default=None)
    return measured_sentence((each for _, each in known), began)


def measured_sentence(seconds: Iterable[float], began: datetime | None) -> str:
    """Return a sentence on how long was measured, and since when; "" if nothing was."""
    total = sum(seconds)
    if not total:
        return ""
    started = f" Started {moment_of(began)}." if began else ""
    return f"Measured for {duration(total)} in total.{started}"


def _measured_s(run: Run) -> float | None:
    seconds = [repeat.duration_s for repeat in run.repeats]
    known = [each for each in seconds if each is not None]
    whole = run.status not in ACTIVE and len(known) == len(seconds)
    return sum(known) if known and whole else None


def moment_of(moment: datetime | None) -> str:
    """Format a time with its zone; "" for None."""
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}".strip() if moment else ""


def _side_by_side(
    title: str,
    columns: Sequence[Mapping[str, str]],
    labels: Sequence[str],
    mark: bool = False,
    absent: str = "",
) -> Table:
    """Build a table with a column for each run; `mark` marks the rows in which they differ. Rows
    without any value are left out; they are named after `absent`, if any."""
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, *(column.get(name, NOTHING) for column in columns)) for name in names]
    empty = [name for name, *values in rows if {*values} == {NOTHING}]
    rows = [row for row in rows if row[0] not in empty]
    if mark:
        rows = [
            (f"{DIFFERS} {name}" if len(set(values)) > 1 else name, *values)
            for name, *values in rows
        ]
    marked = any(row[0].startswith(DIFFERS) for row in rows)
    notes = [f"{DIFFERS}: differs between runs."] if marked else []
    notes += [f"{absent}: {listed(empty)}."] if empty and absent else []
    note = " ".join(notes)
    return Table(title, ("", *labels), tuple(rows), note)


def _fact_texts(facts: Mapping[str, Any]) -> dict[str, str]:
    return {name: _fact_text(name, value) for name, value in flat(facts).items()}


def _fact_text(name: str, value: Any) -> str:
    size = untrusted.number(value) if name == "memory_bytes" else None
    return fact_text(value) if size is None else show(size, "bytes")
