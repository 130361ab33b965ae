"""`import`: result files of other tools."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from db import imported
from services.report.imports import Imported
from tests.cli.conftest import RunCli
from tests.conftest import ROOT


@pytest.mark.long
def test_files_of_other_tools_are_imported(
    run_cli: RunCli, database: Engine, tmp_path: Path
) -> None:
    data = ROOT / "tests" / "data" / "imports"
    files = [str(data / name) for name in ("vllm/result.json", "guidellm/report.json")]
    result = run_cli("import", *files, "--json")
    assert result.code == 0
    assert json.loads(result.out) == [
        {"file": "result.json", "runs": [1]},
        {"file": "report.json", "runs": [2]},
    ]
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    result = run_cli("import", files[0], str(bad), str(tmp_path / "none.json"))
    assert result.code == 2
    assert "result.json: it has already been imported as run 1" in result.err
    assert "bad.json: Its JSON is incomplete" in result.err
    assert "Cannot read" in result.err
    assert run_cli("import", files[0], "--again").out == "result.json: run 3\n"
    assert "imported from guidellm" in run_cli("list", "--backend", "import").out
    assert "imported from vLLM bench" in run_cli("show", "1").out
    assert "imported from guidellm" in run_cli("compare", "1", "2").out


@pytest.mark.long
def test_several_unknown_files_name_the_known_tools_once(
    run_cli: RunCli, database: Engine, tmp_path: Path
) -> None:
    unknown = [tmp_path / "a.json", tmp_path / "b.json"]
    for file in unknown:
        file.write_text('{"a": 1}')
    problems = run_cli("import", *map(str, unknown), str(tmp_path / "none")).err
    assert problems.count("does not recognize this file") == 2
    assert problems.count("It reads results of") == 1


@pytest.mark.long
def test_the_exit_code_says_whether_anything_was_stored(
    run_cli: RunCli, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, bad = ROOT / "tests" / "data" / "imports", tmp_path / "bad.json"
    first, second = (str(data / name) for name in ("vllm/result.json", "guidellm/report.json"))
    bad.write_text("{")
    assert run_cli("import", str(bad)).code == 2
    result = run_cli("import", first, str(bad))
    assert (result.code, result.out) == (1, "result.json: run 1\n")
    store = imported.store

    def lost(database: Engine, run: Imported) -> int:
        if run.source["file"] == "report.json":
            raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk I/O error"))
        return store(database, run)

    monkeypatch.setattr(imported, "store", lost)
    result = run_cli("import", "--again", first, second, str(bad))
    assert (result.code, result.out) == (1, "result.json: run 2\n")
    assert "report.json: The database cannot be used: disk I/O error" in result.err
    assert run_cli("import", second).code == 2
