"""Paceline's own files: a run as JSON (`paceline/run/1` to `/3`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from pydantic import ValidationError

from services.ask.config import FORMER, MAX_REPEATS, RunConfig
from services.ask.measurement import FINISHED, Measurement, Repeat, Sample, Status
from services.ask.run_names import LONGEST_NOTE, LONGEST_TAG, MAX_TAGS
from services.ask.series import series_of
from services.base import untrusted
from services.base.surrogates import clean
from services.report.imports import fields
from services.report.imports.imported import (
    Imported,
    InvalidImport,
    Load,
    StatedMetric,
    imported,
    read_stated,
)
from services.report.imports.parse import Document
from services.report.imports.placeholders import prompts_of

TOOL = "Paceline"
SCHEMAS = ("paceline/run/1", "paceline/run/2", "paceline/run/3")
LONGEST_ERROR = 300
# Of facts about engine and machine: as they are stored (see `untrusted.data`), below the two levels
# of the environment itself. Else the run's content hash would change.
DEEPEST, MAX_FACTS = untrusted.DEEPEST + 2, untrusted.ENTRIES
LONGEST_FACT = untrusted.SENTENCE
LARGEST_FACT = 2**63 - 1
HEALTH_NUMBERS = ("t", "cpu_share", "loop_lag_p99_s", "clock_error_s", "start_spread_s")
MAX_SAMPLES = 10_000
CALIBRATED = (  # see services/load/calibrate.py
    "requests",
    "lost",
    "ttft_p50_s",
    "ttft_p99_s",
    "e2e_p50_s",
    "e2e_p99_s",
    "inter_chunk_p50_s",
    "inter_chunk_p99_s",
)


def recognise(document: Document) -> bool:
    return document.first.get("schema") in SCHEMAS


def read(document: Document) -> list[Imported]:
    return [run_of(row) for row in document.rows if row.get("schema") in SCHEMAS]


def run_of(document: Mapping[str, Any]) -> Imported:
    """Return the run of a document. Raises InvalidImport."""
    run = fields.as_dict(document.get("run"))
    rows = [row for row in fields.as_list(document.get("requests")) if isinstance(row, dict)]
    summary = document.get("summary")
    stated = read_stated((entry, fields.inside(summary, entry.key)) for entry in STATED)
    measurements = [_request(row) for row in rows]
    base = imported(TOOL, Load(), measurements=measurements, stated=stated)
    config, known_fields = _config(run)
    inner = run.get("source")
    status = run.get("status")
    return replace(
        base,
        config=config,
        name=fields.line(run.get("name")) or base.name,
        started_at=fields.moment(run.get("started_at")),
        ended_at=fields.moment(run.get("ended_at")),
        error=untrusted.text(run.get("error"), limit=untrusted.SENTENCE) or None,
        token_times_removed_at=fields.moment(run.get("token_times_removed_at")),
        source={**base.source, "version": str(document["schema"]), "known": known_fields}
        | (_source(inner) if isinstance(inner, dict) else {}),
        repeats=_repeats(run.get("repeats")),
        status=status if status in FINISHED else "interrupted",
        environment=_facts(run.get("environment")),
        calibration=_calibration(run.get("calibration")),
        samples=_samples(document.get("samples")),
        tags=_tags(run.get("tags")),
        note=clean(note[:LONGEST_NOTE]) if isinstance(note := run.get("note"), str) else "",
    )


def _tags(tags: Any) -> tuple[str, ...]:
    lines = (fields.line(tag, LONGEST_TAG).replace(",", " ") for tag in fields.as_list(tags))
    return tuple(filter(None, lines))[:MAX_TAGS]


def _config(run: Mapping[str, Any]) -> tuple[RunConfig, list[str]]:
    config = fields.as_dict(run.get("config"))
    known = {name: value for name, value in config.items() if name in RunConfig.model_fields}
    try:
        return RunConfig.model_validate({**FORMER, **known, **prompts_of(config)}), sorted(known)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"])) or "config"
        raise InvalidImport(
            f"Its run.config is not valid: {fields.line(field)} is wrong."
        ) from None


def _request(row: Mapping[str, Any]) -> Measurement:
    """Return a request of either version. Version 1 has durations instead of times, and no
    chunks."""
    sent = fields.seconds(row.get("sent_s"))

    def at(moment: str, span: str) -> float | None:
        if moment in row:
            return fields.seconds(row[moment])
        since = fields.seconds(row.get(span))
        return None if sent is None or since is None else sent + since

    times = [fields.seconds(t) for t in fields.as_list(row.get("chunks_s"))]
    last = at("last_s", "e2e_s")
    status, source = row.get("status"), row.get("token_source")
    due, http = fields.seconds(row.get("due_s")), fields.count(row.get("http_status"))
    return Measurement(
        fields.count(row.get("repeat")) or 0,
        fields.count(row.get("index")) or 0,
        cast(Status, status) if status in get_args(Status) else "failed",
        (sent or 0.0) if due is None else due,
        sent,
        at("first_s", "ttft_s"),
        at("answer_s", "ttfa_s"),
        last,
        fields.seconds(row["ended_s"]) if "ended_s" in row else last,
        tuple(sorted(t for t in times if t is not None)),
        prompt_tokens=fields.count(row.get("prompt_tokens")),
        output_tokens=fields.count(row.get("output_tokens")),
        reasoning_tokens=fields.count(row.get("reasoning_tokens")),
        cached_tokens=fields.count(row.get("cached_tokens")),
        token_source=source if source in ("usage", "tokenizer") else "unknown",
        error_class=fields.line(row.get("error_class"), 40) or None,
        error=fields.line(row.get("error"), LONGEST_ERROR) or None,
        http_status=http if http and http < 1000 else None,
        finish_reason=fields.line(row.get("finish_reason"), 40) or None,
        connect_s=fields.seconds(row.get("connect_s")),
        coalesced_reads=fields.count(row.get("coalesced_reads")) or 0,
        attempts=fields.count(row.get("attempts")) or 1,
        first_error_class=fields.line(row.get("first_error_class"), 40) or None,
        retry_wait_s=fields.seconds(row.get("retry_wait_s")),
        cap_wait_s=fields.seconds(row.get("cap_wait_s")),
        server_queue_s=fields.seconds(row.get("server_queue_s")),
        load_s=fields.seconds(row.get("load_s")),
        prefill_s=fields.seconds(row.get("prefill_s")),
    )


def _repeats(rows: Any) -> tuple[Repeat, ...]:
    repeats: dict[int, Repeat] = {}
    for row in fields.as_list(rows):
        index, began = fields.count(fields.inside(row, "index")), fields.inside(row, "began_at")
        at = fields.moment(began)
        if index is not None and index < MAX_REPEATS and at is not None:
            health = _health(_facts(row.get("health")))
            repeats[index] = Repeat(index, at, fields.seconds(row.get("duration_s")), health)
    return tuple(repeats.values())


def _health(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client's health without the fields that are not what their readers expect."""
    return {
        name: [_health(node) for node in value] if name == "nodes" else value
        for name, value in facts.items()
        if (name not in HEALTH_NUMBERS or value is None or fields.number(value) is not None)
        and (name != "nodes" or _are_nodes(value))
    }


def _are_nodes(value: Any) -> bool:
    nodes = value if isinstance(value, list) else [None]
    return all(isinstance(each, dict) and fields.count(each.get("node")) for each in nodes)


def _samples(rows: Any) -> tuple[Sample, ...]:
    """Return the server samples of the series that this version supports."""
    samples: dict[float, Sample] = {}
    for row in fields.as_list(rows)[:MAX_SAMPLES]:
        t, series = fields.seconds(fields.inside(row, "t")), fields.inside(row, "values")
        values = {
            name: number
            for name, value in list(fields.as_dict(series).items())[:MAX_FACTS]
            if series_of(name) is not None and (number := fields.number(value)) is not None
        }
        if t is not None and values:
            samples[t] = Sample(t, values)
    return tuple(samples[t] for t in sorted(samples))


def _calibration(calibration: Any) -> dict[str, Any] | None:
    """Return the client's overhead if it is complete."""
    numbers_given = fields.as_dict(calibration)
    numbers = {name: fields.number(numbers_given.get(name)) for name in CALIBRATED}
    return {name: numbers_given[name] for name in numbers} if None not in numbers.values() else None


def _facts(facts: Any, depth: int = DEEPEST) -> dict[str, Any]:
    """Return facts about a machine or a client, limited in number, length and depth."""
    given = list(facts.items())[:MAX_FACTS] if isinstance(facts, dict) else ()
    return {
        clean(name[:LONGEST_FACT]): _fact(value, depth - 1)
        for name, value in given
        if _is_fact(value, depth)
    }


def _fact(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return _facts(value, depth)
    if isinstance(value, list):
        return [_fact(each, depth - 1) for each in value[:MAX_FACTS] if _is_fact(each, depth)]
    return clean(value[:LONGEST_FACT]) if isinstance(value, str) else value


def _is_fact(value: Any, depth: int) -> bool:
    """Whether a value is plain, or holds others at a depth that is read. Its numbers may be larger
    than any that is measured: nanoseconds of a clock, bytes of a memory."""
    if isinstance(value, dict | list):
        return depth > 0
    if isinstance(value, int | float):
        return -LARGEST_FACT <= value <= LARGEST_FACT
    return value is None or isinstance(value, str)


def _source(inner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the source of a run that was imported from another tool before it was exported."""
    definitions = inner.get("definitions")
    stated = {
        name: known
        for name, value in _facts(inner.get("stated")).items()
        if (known := fields.number(value)) is not None
    }
    kept_definitions = {
        n: fields.line(fields.inside(definitions, n), LONGEST_ERROR) for n in stated
    }
    return {
        "tool": fields.line(inner.get("tool"), 40) or TOOL,
        "version": fields.line(inner.get("version"), 40),
        "stated": stated,
        "definitions": kept_definitions,
        "facts": fields.facts(fields.as_dict(inner.get("facts"))),
        "known": [n for n in fields.as_list(inner.get("known")) if n in RunConfig.model_fields],
        "placed": inner.get("placed") is not False,
        "unread": [
            name for each in fields.as_list(inner.get("unread"))[:40] if (name := fields.line(each))
        ],
    }


SAME = "Same as here."
STATED = tuple(
    StatedMetric(name, name, 1, SAME)
    for name in (
        "output_tokens_per_s",
        "total_tokens_per_s",
        "requests_per_s",
        "ok",
        "failed",
        "prompt_tokens",
        "output_tokens",
        "ttft_s_median",
        "ttft_s_mean",
        "tpot_s_median",
        "tpot_s_mean",
        "e2e_s_median",
        "e2e_s_mean",
        "e2e_s_sd",
        "tokens_per_s_median",
        "inter_chunk_s_median",
    )
)
