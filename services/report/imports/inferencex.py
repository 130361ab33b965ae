"""InferenceX (InferenceMAX): its aggregate of a run, a list of configurations, in seconds and in
tokens a second of one GPU. Its formulas: `utils/process_result.py`."""

from __future__ import annotations

from math import inf
from typing import Any

from services.report.imports import fields
from services.report.imports.imported import Imported, Load, Says, imported, stated
from services.report.imports.noted import Noted
from services.report.imports.parse import Document
from services.report.imports.vllm import IN_SECONDS

TOOL = "InferenceX"
NEEDED = {"hw", "tp", "conc", "tput_per_gpu"}


def recognise(document: Document) -> bool:
    return document.first.keys() >= NEEDED


def read(document: Document) -> list[Imported]:
    return [_run(row) for row in document.rows if row.keys() >= NEEDED]


def _run(found: dict[str, Any]) -> Imported:
    row = Noted(found)
    says, definitions = stated((entry, row.get(entry.key)) for entry in IN_SECONDS)
    gpus = _gpus(row)
    for entry in PER_GPU if gpus else ():
        if (each := fields.number(row.get(entry.key))) is not None:
            says[entry.name], definitions[entry.name] = each * gpus, entry.definition
    return imported(
        TOOL,
        Load(rate=inf, concurrency=fields.count(row.get("conc")) or None),
        model=row.get("model"),
        says=(says, definitions),
        facts=fields.facts(row),
        placed=False,
        of=row,
        label=f"{row.get('hw')} {row.get('framework', '')}, {row.get('conc')} in flight",
    )


def _gpus(row: dict[str, Any]) -> int:
    """How many GPUs a number of one of them is to be taken times: as many as `tp`; 0 where prefill
    and decode have GPUs of their own, for then there is no such number."""
    apart = any(str(row.get(name)).lower() == "true" for name in ("disagg", "is_multinode"))
    return 0 if apart else fields.count(row.get("tp")) or 0


PER_GPU = (
    Says(
        "output_tokens_per_s",
        "output_tput_per_gpu",
        1,
        "Of one GPU, times the GPUs (tp); over its own wall clock.",
    ),
    Says(
        "total_tokens_per_s",
        "tput_per_gpu",
        1,
        "Prompt and output tokens of one GPU, times the GPUs (tp); over its own wall clock.",
    ),
)
