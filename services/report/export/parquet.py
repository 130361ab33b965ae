"""A run's requests as Parquet, one per row, with the run itself in the file's metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from services.analysis.compare import Candidate
from services.report.export.document import REQUEST_FIELDS, run_document

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
LISTS = ("chunks_s",)  # all other columns are numbers


def requests_parquet(candidates: Sequence[Candidate]) -> bytes:
    """Return one run's requests; columns are named as in the JSON document."""
    import pyarrow  # takes half a second to import
    import pyarrow.parquet

    document = run_document(candidates[0])
    table = pyarrow.Table.from_pylist(
        document.pop("requests"),
        pyarrow.schema([(name, _type(name)) for name in REQUEST_FIELDS]),
    )
    out = pyarrow.BufferOutputStream()
    whole = table.replace_schema_metadata({KEY: orjson.dumps(document)})
    pyarrow.parquet.write_table(whole, out, compression="zstd")
    data: bytes = out.getvalue().to_pybytes()
    return data


def _type(name: str) -> Any:
    import pyarrow

    if name in LISTS:
        return pyarrow.list_(pyarrow.float64())
    if name in TEXTS:
        return pyarrow.string()
    return pyarrow.int64() if name in COUNTS else pyarrow.float64()
