"""A run's requests as Parquet, one per row, with the run itself in the file's metadata."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
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

KEY = b"paceline"  # in the schema's metadata: the run's document without its requests
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


class _Pieces(io.RawIOBase):
    """A writable file that keeps what was written until `take`."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        """Return what was written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def requests_parquet(candidates: Sequence[Candidate]) -> Iterator[bytes]:
    """Return one run's requests, in pieces; columns are named as in the JSON document."""
    import pyarrow  # importing it takes half a second
    import pyarrow.parquet

    cleaned = public(candidates[0])
    document = document_head(cleaned) | {"samples": samples_of(cleaned)}
    columns = [(name, _type(name)) for name in REQUEST_FIELDS]
    schema = pyarrow.schema(columns, {KEY: orjson.dumps(document)})
    out = _Pieces()
    with pyarrow.parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        rows = map(full_row, cleaned.measurements)
        while some := list(islice(rows, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(some, schema))
            yield out.take()
    yield out.take()


def _type(name: str) -> Any:
    import pyarrow

    if name in LISTS:
        return pyarrow.list_(pyarrow.float64())
    if name in TEXTS:
        return pyarrow.string()
    return pyarrow.int64() if name in COUNTS else pyarrow.float64()
