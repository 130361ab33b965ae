"""`import`: result files of other tools."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import Engine

from tests.cli.conftest import Ask
from tests.conftest import ROOT


def test_files_of_other_tools_are_imported(ask: Ask, database: Engine, tmp_path: Path) -> None:
    data = ROOT / "tests" / "data" / "imports"
    files = [str(data / name) for name in ("vllm/result.json", "guidellm/report.json")]
    told = ask("import", *files, "--json")
    assert told.code == 0
    assert json.loads(told.out) == [
        {"file": "result.json", "runs": [1]},
        {"file": "report.json", "runs": [2]},
    ]
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    told = ask("import", files[0], str(bad), str(tmp_path / "none.json"))
    assert told.code == 2
    assert "result.json: it has been imported already, as run 1" in told.err
    assert "bad.json: Its JSON is incomplete" in told.err
    assert "Cannot read" in told.err
    assert ask("import", files[0], "--again").out == "result.json: run 3\n"
    assert "imported from guidellm" in ask("list", "--backend", "import").out
    assert "imported from vLLM bench" in ask("show", "1").out
    assert "imported from guidellm" in ask("compare", "1", "2").out
