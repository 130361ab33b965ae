"""System D's `results.csv`, and Paceline's own CSV of requests, which adds columns such as when
each request was sent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from services.ask.measurement import Measurement
from services.base.text_file import original_cell
from services.report.imports import fields
from services.report.imports.imported import Imported, InvalidImport, Load, imported
from services.report.imports.parse import Document

TOOL, OWN = "results.csv", "Paceline CSV"
NEEDED = {"Total Time Taken", "Tokens Generated"}
OWN_COLUMNS = {"sent_s", "status"}


def recognise(document: Document) -> bool:
    return document.kind == "csv" and document.first.keys() >= NEEDED


def read(document: Document) -> list[Imported]:
    own = document.first.keys() >= OWN_COLUMNS
    placed = own and any(_number(row, "sent_s") is not None for row in document.rows)
    of = partial(_paceline_row, placed) if own else _legacy_row
    measurements = [of(index, row) for index, row in enumerate(document.rows)]
    tool = OWN if own else TOOL
    return [imported(tool, Load(), measurements=measurements, placed=placed)]


def _legacy_row(index: int, row: Mapping[str, Any]) -> Measurement:
    latency = fields.seconds(_number(row, "Total Time Taken"))
    if not latency:
        raise InvalidImport(f"Row {index + 1} has no valid Total Time Taken in seconds.")
    return Measurement(
        0,
        index,
        "ok",
        0.0,
        0.0,
        t_last=latency,
        t_end=latency,
        prompt_tokens=fields.count(_number(row, "Prompt Tokens")),
        output_tokens=fields.count(_number(row, "Tokens Generated")),
        token_source="usage",
    )


def _paceline_row(placed: bool, index: int, row: Mapping[str, Any]) -> Measurement:
    """Return a request; if the file is not `placed`, with its times since it was sent."""

    def seconds(name: str) -> float | None:
        return fields.seconds(_number(row, name))

    sent = seconds("sent_s") if placed else 0.0

    def after(name: str) -> float | None:
        span = seconds(name)
        return None if sent is None or span is None else sent + span

    status = row.get("status")
    source = row.get("token_source")
    http = fields.count(_number(row, "http_status"))
    return Measurement(
        fields.count(_number(row, "repeat")) or 0,
        index if (own := fields.count(_number(row, "index"))) is None else own,
        status if status in ("ok", "failed", "cancelled") else "failed",
        (sent or 0.0) if (due := seconds("due_s")) is None else due,
        sent,
        after("ttft_s"),
        after("ttfa_s"),
        after("e2e_s"),
        after("e2e_s"),
        (),
        fields.count(_number(row, "prompt_tokens")),
        fields.count(_number(row, "output_tokens")),
        cached_tokens=fields.count(_number(row, "cached_tokens")),
        token_source=source if source in ("usage", "tokenizer") else "unknown",
        error_class=_line(row, "error_class", 40),
        error=_line(row, "error"),
        http_status=http if http and http < 1000 else None,
        finish_reason=_line(row, "finish_reason", 40),
        attempts=fields.count(_number(row, "attempts")) or 1,
        first_error_class=_line(row, "first_error_class", 40),
        retry_wait_s=seconds("retry_wait_s"),
        cap_wait_s=seconds("cap_wait_s"),
    )


def _line(row: Mapping[str, Any], name: str, longest: int = fields.LONGEST_FACT) -> str | None:
    return fields.line(original_cell(row.get(name) or ""), longest) or None


def _number(row: Mapping[str, Any], name: str) -> float | None:
    return fields.decimal(row.get(name))
