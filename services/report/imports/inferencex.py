"""InferenceX (InferenceMAX): its aggregate of a run, a list of configurations, in seconds and in
tokens per second per GPU. Its formulas: `utils/process_result.py`."""

from __future__ import annotations

from math import inf
from typing import Any

from services.report.imports import fields
from services.report.imports.imported import Imported, Load, StatedMetric, imported, read_stated
from services.report.imports.parse import Document
from services.report.imports.tracked import Tracked
from services.report.imports.vllm import IN_SECONDS

TOOL = "InferenceX"
NEEDED = {"hw", "tp", "conc", "tput_per_gpu"}


def recognise(document: Document) -> bool:
    return document.first.keys() >= NEEDED


def read(document: Document) -> list[Imported]:
    return [_run(row) for row in document.rows if row.keys() >= NEEDED]


def _run(result: dict[str, Any]) -> Imported:
    row = Tracked(result)
    numbers, definitions = read_stated((entry, row.get(entry.key)) for entry in IN_SECONDS)
    gpus = _gpus(row)
    for entry in PER_GPU if gpus else ():
        if (per_gpu := fields.number(row.get(entry.key))) is not None:
            numbers[entry.name], definitions[entry.name] = per_gpu * gpus, entry.definition
    return imported(
        TOOL,
        Load(rate=inf, concurrency=fields.count(row.get("conc")) or None),
        model=row.get("model"),
        stated=(numbers, definitions),
        facts=fields.facts(row),
        placed=False,
        of=row,
        label=f"{row.get('hw')} {row.get('framework', '')}, {row.get('conc')} in flight",
    )


def _gpus(row: dict[str, Any]) -> int:
    """Return the number of GPUs to multiply per-GPU numbers by, which is `tp`; 0 if prefill and
    decode run on separate GPUs, because then no such number exists."""
    disaggregated = any(str(row.get(name)).lower() == "true" for name in ("disagg", "is_multinode"))
    return 0 if disaggregated else fields.count(row.get("tp")) or 0


PER_GPU = (
    StatedMetric(
        "output_tokens_per_s",
        "output_tput_per_gpu",
        1,
        "Per GPU × number of GPUs (tp); over its own wall-clock time.",
    ),
    StatedMetric(
        "total_tokens_per_s",
        "tput_per_gpu",
        1,
        "Prompt and output tokens per GPU × number of GPUs (tp); over its own wall-clock time.",
    ),
)
