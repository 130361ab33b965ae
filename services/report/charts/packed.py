"""The rows of a chart in the form that the browser receives. Streamlit converts plain rows through
pandas, once per viewer; a chart that many people watch is converted only once."""

from __future__ import annotations

from typing import Any

from services.report.charts.frame import Rows


def packed(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a Vega-Lite dict whose data sets are Arrow IPC streams, for `st.vega_lite_chart`."""
    return spec | {"datasets": {name: _stream(rows) for name, rows in spec["datasets"].items()}}


def _stream(rows: Rows) -> bytes:
    import pyarrow  # importing it takes half a second

    table = pyarrow.Table.from_pylist(rows)
    out = pyarrow.BufferOutputStream()
    with pyarrow.RecordBatchStreamWriter(out, table.schema) as writer:
        writer.write_table(table)
    stream: bytes = out.getvalue().to_pybytes()
    return stream
