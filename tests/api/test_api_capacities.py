"""Capacity searches over HTTP: started, shown, cancelled, resumed, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from db import capacities, queue
from tests.api.conftest import call
from tests.conftest import ReferenceServer, until

pytestmark = pytest.mark.usefixtures("no_engine_left")


def search(reference: ReferenceServer, **more: Any) -> dict[str, Any]:
    server = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    return {"servers": [server], "window_s": 60, **more}


def test_a_search_is_started_shown_cancelled_and_deleted(
    database: Engine, reference: ReferenceServer
) -> None:
    response = call("POST", "/capacities", json=search(reference, name="Door"))
    assert response.status_code == 202
    assert response.json() == {
        "id": 1,
        "url": "/api/capacities/1",
        "page": "/capacity?search=1",
    }
    until(lambda: capacities.load(database, 1).probes, 60)
    facts = call("GET", "/capacities/1").json()
    assert (facts["name"], facts["status"], facts["unit"]) == ("Door", "running", "requests/s")
    assert call("DELETE", "/capacities/1").status_code == 409
    assert call("POST", "/capacities/1/cancel").json()["status"] == "cancelled"
    until(lambda: not queue.active(database), 60)
    scenario = call("GET", "/capacities/1/scenario").text
    assert "name: Door" in scenario and "objectives:" in scenario
    (row,) = call("GET", "/capacities").json()
    assert (row["id"], row["status"]) == (1, "cancelled")
    assert call("DELETE", "/capacities/1").status_code == 204
    assert call("GET", "/capacities/1").status_code == 404


def test_an_invalid_search_is_refused(reference: ReferenceServer) -> None:
    response = call("POST", "/capacities", json=search(reference, objectives=["ttft:mean<1"]))
    assert (
        response.status_code == 422 and "a capacity objective is one of" in response.json()["error"]
    )
    response = call("POST", "/capacities", json=search(reference, lowest=5, highest=2))
    assert "must be more than the lowest load" in response.json()["problems"]["highest"]
