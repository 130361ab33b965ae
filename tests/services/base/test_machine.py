"""A run says where it was measured, and never whose machine that is."""

from __future__ import annotations

import getpass
import json
import os
import socket
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from services import VERSION
from services.base.machine import environment

ROOT = Path(__file__).parents[3]


def test_the_machine_and_the_client_are_described() -> None:
    facts = environment()
    assert facts["cores"] == len(os.sched_getaffinity(0))
    assert facts["memory_bytes"] > 2**28
    assert facts["paceline"] == VERSION
    assert facts["httptools"] and facts["orjson"] and facts["cpu"] and facts["os"]
    assert "litellm" not in facts and "observed_at" not in facts


def test_the_version_matches_pyproject() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_further_libraries_are_listed_on_request() -> None:
    facts = environment(datetime(2026, 3, 1, 12, tzinfo=UTC), ("litellm", "no-such-package"))
    assert facts["observed_at"] == "2026-03-01T12:00:00+00:00"
    assert facts["litellm"] and "no-such-package" not in facts


def test_the_environment_is_json_without_host_user_or_path() -> None:
    text = json.dumps(environment())
    assert str(Path.home()) not in text and str(ROOT) not in text
    values = [str(value) for value in environment().values()]
    assert socket.gethostname() not in values and getpass.getuser() not in values
