"""A small file that is expensive to read costs no more than a process of its own may have."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from services.report.export.parquet import requests_parquet
from services.report.imports import (
    InvalidImport,
    isolated,
    paceline,
    paceline_parquet,
    parse,
    read,
)
from tests.conftest import ROOT
from tests.values import candidate, failed, measured

pytestmark = pytest.mark.slow

DATA = ROOT / "tests" / "data" / "imports"
RUN = {b"paceline": json.dumps({"schema": "paceline/run/2", "run": {"status": "done"}}).encode()}


def parquet(**columns: Any) -> bytes:
    table = pyarrow.table(columns).replace_schema_metadata(RUN)
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def once(text: str, rows: int) -> Any:
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows), [text])


@pytest.mark.parametrize("name", ["vllm/result.json", "locust/results_stats.csv"])
def test_a_separate_process_reads_a_file_alike(name: str) -> None:
    data = (DATA / name).read_bytes()
    assert isolated.read(data, name) == read(data, name)


def test_a_paceline_run_is_read_whole_in_a_separate_process() -> None:
    data = b"".join(
        requests_parquet([candidate([measured(0), failed(1, "http_5xx"), measured(2)])])
    )
    assert isolated.read(data, "f.parquet") == read(data, "f.parquet")


@pytest.mark.parametrize("name", ["x.json", "fo\nlder/x.json", "é\udce9.json"])
def test_an_invalid_file_gets_the_same_message_in_a_separate_process(name: str) -> None:
    with pytest.raises(InvalidImport, match=r"json: Paceline does not recognize this file"):
        isolated.read(b'{"a": 1}', name)


def test_no_key_is_in_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-real-one")
    started: list[Any] = []
    popen = subprocess.Popen

    def noted(*args: Any, **options: Any) -> Any:
        started.append(options["env"])
        return popen(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", noted)
    with pytest.raises(InvalidImport):
        isolated.read(b"{}", "f")
    assert started and not any("sk-not-a-real-one" in env.values() for env in started)


@pytest.mark.long
def test_text_that_a_file_holds_once_does_not_cost_every_row_of_it() -> None:
    rows, long = 50_000, "x" * 50_000  # 2.5 GB, where every row has its own
    data = parquet(
        repeat=[0] * rows,
        index=list(range(rows)),
        status=["ok"] * rows,
        sent_s=[0.0] * rows,
        error=once(long, rows),
        unknown=once(long, rows),
    )
    assert len(data) < 500_000
    [run] = isolated.read(data, "f.parquet")
    assert len(run.measurements) == rows
    assert len(run.measurements[0].error or "") == paceline.LONGEST_ERROR


def test_rows_are_counted_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet(unknown=[0] * 1_000_000)
    assert len(data) < 10_000
    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", None)
    with pytest.raises(InvalidImport, match="more than 200,000 entries"):
        read(data, "f.parquet")


def test_bytes_are_counted_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paceline_parquet, "MAX_BYTES", 1_000)
    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", None)
    with pytest.raises(InvalidImport, match="when unpacked"):
        read(parquet(error=[str(i) * 10 for i in range(1_000)]), "f.parquet")


def test_empty_lists_are_counted_as_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MAX_VALUES", 1_000)
    with pytest.raises(InvalidImport, match="up to 1,000"):
        read(b'{"a": [' + b"[]," * 600 + b"[]]}", "f")


@pytest.mark.long
def test_a_file_that_needs_too_much_memory_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolated, "MAX_MEMORY", 700 * 2**20)
    data = b'{"a": [' + b"{}," * 9_000_000 + b"{}]}"
    with pytest.raises(InvalidImport, match=r"f\.json: It needs more memory"):
        isolated.read(data, "folder/f.json")


@pytest.mark.long
def test_a_file_that_takes_too_long_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "MAX_CPU_S", 1)
    monkeypatch.setattr(isolated, "POLL_S", 0.05)
    data = b'{"a": [' + b"[1.5,2.5]," * 6_000_000 + b"{}]}"
    with pytest.raises(InvalidImport, match=r"f\.json: It (takes too long|needs more memory)"):
        isolated.read(data, "f.json")


def test_memory_is_monitored_on_a_system_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_exceeded_limit", lambda pid: isolated.TOO_MUCH)
    monkeypatch.setattr(isolated, "POLL_S", 0.001)
    with pytest.raises(InvalidImport, match=r"f: It needs more memory"):
        isolated.read(b'{"a": 1}', "f")
    monkeypatch.undo()
    reader = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with reader:  # not this process, which has been at work for long
        assert isolated._exceeded_limit(reader.pid) == ""
        monkeypatch.setattr(isolated, "MAX_MEMORY", 1)
        assert isolated._exceeded_limit(reader.pid) == isolated.TOO_MUCH
        reader.kill()


def test_a_bug_of_a_reader_is_logged_without_the_words_of_the_file(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "from services.base.redact import redact\n"
        "from services.report import imports\n"
        "def broken(data, name):\n"
        "    print(data, file=sys.stderr)\n"
        "    redact(data.decode(), limit=data.decode())\n"
        "imports.read = broken\n"
    )
    broken = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{isolated.ROOT}"}
    monkeypatch.setattr(isolated, "FEW_THREADS", isolated.FEW_THREADS | broken)
    with pytest.raises(InvalidImport, match="its log says why"):
        isolated.read(b"my prompt", "f")
    assert "A file was not read: " in caplog.text
    assert "TypeError in services/base/redact.py, line " in caplog.text
    assert "prompt" not in caplog.text
