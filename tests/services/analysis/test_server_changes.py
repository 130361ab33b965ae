"""Where the server of a line of runs changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.analysis.compare.server_changes import changes, warning
from tests.values import NOON


@dataclass(frozen=True)
class Night:
    run_id: int
    server: dict[str, Any] = field(default_factory=dict)

    @property
    def began(self) -> datetime:
        return NOON + timedelta(days=self.run_id)


OLD = {"backend": "vllm", "address": "a:8000", "engine_version": "0.10", "cpu": "Zen 3"}


def line(*servers: dict[str, Any]) -> list[Night]:
    return [Night(n, server) for n, server in enumerate(servers, 1)]


def test_a_trend_of_one_server_has_no_change() -> None:
    assert changes(line(OLD, OLD, OLD)) == ()
    assert warning(()) == ""


def test_each_change_is_reported_at_the_run_where_it_happens() -> None:
    new = {**OLD, "engine_version": "0.11"}
    found = changes(line(OLD, new, new, {**new, "address": "b:8000", "cpu": "Zen 4"}))
    assert [(change.run_id, change.labels) for change in found] == [
        (2, ("engine version",)),
        (4, ("address", "machine")),
    ]
    assert warning(found) == (
        "The server changes along this line: from run 2 on, engine version 0.10 → 0.11; from run "
        "4 on, address a:8000 → b:8000, another machine. A step there may come from the change."
    )


def test_unknown_server_facts_are_not_changes() -> None:
    unknown = {"backend": "vllm"}
    assert changes(line(OLD, unknown, OLD)) == ()
    [change] = changes(line(OLD, unknown, {**OLD, "engine_version": "0.11"}))
    assert (change.run_id, change.text) == (3, "engine version 0.10 → 0.11")


def test_many_changes_are_counted() -> None:
    other = {**OLD, "backend": "sglang"}
    assert warning(changes(line(*[OLD, other] * 5))) == (
        "The server changes 9 times along this line (backend). Points on either side of a "
        "change cannot be compared. Filter by backend, model or tag."
    )
