"""`backends`: what can be measured, listed and tested."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import RunCli
from tests.conftest import ReferenceServer


def test_backends_are_listed_and_tested_without_showing_a_key(
    run_cli: RunCli, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "fake-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    monkeypatch.setenv("PACELINE_URL", reference.base_url)
    results = [run_cli("backends", "openai", *more) for more in ([], ["--json"], ["--test"])]
    results.append(run_cli("backends", "url", "--test"))
    assert [result.code for result in results] == [0, 0, 0, 0]
    assert not any(key in result.out + result.err for result in results)
    (row,) = json.loads(results[1].out)
    assert (row["key_set"], row["address"]) == (True, reference.base_url)
    assert "2 models, streaming not tested, because no model is chosen" in results[2].out
    assert "2 models, streams, reports usage, round trip" in results[3].out
