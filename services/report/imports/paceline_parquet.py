"""Paceline's own files: a run's requests as Parquet, with the run in the metadata."""

from __future__ import annotations

import io
import json
from typing import Any

from services.report.imports.imported import Imported, InvalidImport
from services.report.imports.paceline import LONGEST_ERROR, SCHEMAS, run_of
from services.report.imports.parse import MAX_BYTES, Document, check_requests, check_values

KEY = b"paceline"
ROWS_AT_ONCE = 2_000
TEXTS = ("status", "error_class", "error", "token_source", "finish_reason")
COLUMNS = {  # what `run_of` reads of a request
    *TEXTS,
    "repeat",
    "index",
    "due_s",
    "sent_s",
    "first_s",
    "answer_s",
    "last_s",
    "ended_s",
    "chunks_s",
    "ttft_s",
    "ttfa_s",
    "e2e_s",
    "http_status",
    "prompt_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "connect_s",
    "attempts",
    "first_error_class",
    "retry_wait_s",
    "cap_wait_s",
    "server_queue_s",
    "load_s",
    "prefill_s",
    "coalesced_reads",
}


def recognise(document: Document) -> bool:
    return document.kind == "parquet"


def read(document: Document) -> list[Imported]:
    """Return the run of a Parquet file.

    Raises:
        InvalidImport: the file is not Parquet, or not Paceline's.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        data = document.first["data"]
        columns = pyarrow.parquet.read_schema(io.BytesIO(data)).names
        texts = [name for name in TEXTS if name in columns]
        file = pyarrow.parquet.ParquetFile(io.BytesIO(data), read_dictionary=texts)
        metadata = (file.schema_arrow.metadata or {}).get(KEY)
        if metadata is None:
            raise InvalidImport("It is Parquet, but not a Paceline run.")
        run = json.loads(metadata)
        rows = _rows(file)
    except MemoryError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidImport):
            raise
        raise InvalidImport("Its Parquet cannot be read: it is damaged or incomplete.") from None
    if not isinstance(run, dict) or run.get("schema") not in SCHEMAS:
        raise InvalidImport("It is Parquet, but not a run that this version of Paceline can read.")
    return [run_of({**run, "requests": rows})]


def _rows(file: Any) -> list[dict[str, Any]]:
    """Return the requests of a Parquet file. Rows, values and bytes are checked before anything is
    read, and only known columns are read. Text stays dictionary-encoded, so that repeated values
    are in memory once, and is cut before it is expanded into rows."""
    check_requests(file.metadata.num_rows)
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    parts = [group.column(n) for group in groups for n in range(group.num_columns)]
    chunks = [part for part in parts if part.path_in_schema.partition(".")[0] in COLUMNS]
    check_values(sum(part.num_values for part in chunks))
    if (size := sum(part.total_uncompressed_size for part in chunks)) > MAX_BYTES:
        raise InvalidImport(
            f"It is {size / 1e6:,.0f} MB when unpacked. Paceline reads up to "
            f"{MAX_BYTES / 1e6:,.0f} MB."
        )
    known = [name for name in file.schema_arrow.names if name in COLUMNS]
    rows: list[dict[str, Any]] = []
    for part in file.iter_batches(ROWS_AT_ONCE, columns=known):
        rows += part.from_arrays(
            [_with_short_texts(part.column(name)) for name in part.schema.names], part.schema.names
        ).to_pylist()
    return rows


def _with_short_texts(column: Any) -> Any:
    """Return a column of a batch with its texts cut to LONGEST_ERROR."""
    import pyarrow
    import pyarrow.compute

    kind = column.type
    if not pyarrow.types.is_dictionary(kind) or not pyarrow.types.is_string(kind.value_type):
        return column
    texts = pyarrow.compute.utf8_slice_codeunits(column.dictionary, 0, LONGEST_ERROR + 1)
    return pyarrow.DictionaryArray.from_arrays(column.indices, texts)
