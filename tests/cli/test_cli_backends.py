"""`backends`: what can be measured, listed and tested."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Ask
from tests.conftest import ReferenceServer


def test_backends_are_listed_and_tested_without_showing_a_key(
    ask: Ask, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "fake-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    monkeypatch.setenv("PACELINE_URL", reference.base_url)
    said = [ask("backends", "openai", *more) for more in ([], ["--json"], ["--test"])]
    said.append(ask("backends", "url", "--test"))
    assert [each.code for each in said] == [0, 0, 0, 0]
    assert not any(key in each.out + each.err for each in said)
    (row,) = json.loads(said[1].out)
    assert (row["key_set"], row["address"]) == (True, reference.base_url)
    assert "2 models, streaming not tested, because no model is chosen" in said[2].out
    assert "2 models, streams, reports usage, round trip" in said[3].out
