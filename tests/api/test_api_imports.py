"""Result files of other tools over HTTP."""

from __future__ import annotations

from sqlalchemy import Engine

from tests.api.conftest import ask, problem
from tests.conftest import ROOT


def test_a_file_of_another_tool_is_imported_once(database: Engine) -> None:
    data = (ROOT / "tests" / "data" / "imports" / "vllm" / "result.json").read_bytes()
    kind = {"content-type": "application/octet-stream"}
    answer = ask("POST", "/import?name=result.json", content=data, headers=kind)
    assert answer.status_code == 201
    assert answer.json() == [{"id": 1, "url": "/api/runs/1", "page": "/result?run=1"}]
    again = ask("POST", "/import", content=data, headers=kind)
    assert not problem(again, 409)
    assert "imported already, as run 1" in again.json()["error"]
    forced = ask("POST", "/import?again=true", content=data, headers=kind)
    assert forced.json()[0]["id"] == 2
    assert ask("GET", "/runs?backend=import").json()[0]["headline"]["via"]


def test_a_file_that_is_none_is_refused_in_a_sentence(database: Engine) -> None:
    kind = {"content-type": "application/json"}
    answer = ask("POST", "/import?name=x", content=b"{}", headers=kind)
    assert not problem(answer, 422)
    assert "Paceline does not recognize this file" in answer.json()["error"]
    for other in ("text/plain", "multipart/form-data", ""):
        answer = ask("POST", "/import", content=b"{}", headers={"content-type": other})
        assert not problem(answer, 415)
    large = {**kind, "content-length": str(300 * 10**6)}
    assert not problem(ask("POST", "/import", content=b"{}", headers=large), 413)
