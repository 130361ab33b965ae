"""`import`: result files of other tools."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import Engine

from tests.cli.conftest import RunCli
from tests.conftest import ROOT


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
