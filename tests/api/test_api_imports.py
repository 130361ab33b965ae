"""Result files of other tools over HTTP."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.api.conftest import call, problem
from tests.conftest import ROOT


@pytest.mark.long
def test_a_file_of_another_tool_is_imported_once(database: Engine) -> None:
    data = (ROOT / "tests" / "data" / "imports" / "vllm" / "result.json").read_bytes()
    kind = {"content-type": "application/octet-stream"}
    response = call("POST", "/import?name=result.json", content=data, headers=kind)
    assert response.status_code == 201
    assert response.json() == [{"id": 1, "url": "/api/runs/1", "page": "/result?run=1"}]
    again = call("POST", "/import", content=data, headers=kind)
    assert not problem(again, 409)
    assert "already been imported as run 1" in again.json()["error"]
    forced = call("POST", "/import?again=true", content=data, headers=kind)
    assert forced.json()[0]["id"] == 2
    assert call("GET", "/runs?backend=import").json()[0]["headline"]["via"]


def test_unknown_files_other_content_types_and_large_files_are_refused(database: Engine) -> None:
    kind = {"content-type": "application/json"}
    response = call("POST", "/import?name=x", content=b"{}", headers=kind)
    assert not problem(response, 422)
    assert "Paceline does not recognize this file" in response.json()["error"]
    for other in ("text/plain", "multipart/form-data", ""):
        response = call("POST", "/import", content=b"{}", headers={"content-type": other})
        assert not problem(response, 415)
    large = {**kind, "content-length": str(300 * 10**6)}
    assert not problem(call("POST", "/import", content=b"{}", headers=large), 413)
