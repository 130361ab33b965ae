"""A run's requests as Parquet, one per row, with the run itself in the file's metadata."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import orjson

from services.analysis.compare import Candidate
from services.report.export.document import (
    REQUEST_FIELDS,
    document_head,
    full_row,
    samples_of,
)
from services.report.export.public import public

KEY = b"paceline"  # of the schema's metadata: the run's document, without its requests
TEXTS = ("status", "error_class", "first_error_class", "error", "token_source", "finish_reason")
COUNTS = (
    "index",
    "repeat",
    "http_status",
    "prompt_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "coalesced_reads",
    "attempts",
)
GROUP = 10_000  # requests that are written together
LISTS = ("chunks_s",)  # all other columns are numbers


def requests_parquet(candidates: Sequence[Candidate]) -> bytes:
    """Return one run's requests; columns are named as in the JSON document."""
    import pyarrow  # takes half a second to import
    import pyarrow.parquet

    cleaned = public(candidates[0])
    document = document_head(cleaned) | {"samples": samples_of(cleaned)}
    columns = [(name, _type(name)) for name in REQUEST_FIELDS]
    schema = pyarrow.schema(columns, {KEY: orjson.dumps(document)})
    out = pyarrow.BufferOutputStream()
    with pyarrow.parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        rows = map(full_row, cleaned.measurements)
        while some := list(islice(rows, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(some, schema))
    data: bytes = out.getvalue().to_pybytes()
    return data


def _type(name: str) -> Any:
    import pyarrow

    if name in LISTS:
        return pyarrow.list_(pyarrow.float64())
    if name in TEXTS:
        return pyarrow.string()
    return pyarrow.int64() if name in COUNTS else pyarrow.float64()
