"""On which addresses Paceline listens when nobody signs in."""

from __future__ import annotations

import pytest

from services.base.listening import is_local, refusal


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "unix:///run/x", "/run/x"]
)
def test_local_addresses_need_no_permission(address: str) -> None:
    assert is_local(address) and refusal(address, {}) is None


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.5", "fe80::1", "bench.example", ""])
@pytest.mark.parametrize("value", [None, "", "no", "1", "true"])
def test_any_other_address_is_refused_unless_allowed_explicitly(
    address: str, value: str | None
) -> None:
    env = {} if value is None else {"PACELINE_ALLOW_ANYONE": value}
    sentence = refusal(address, env) or ""
    assert "--server.address" in sentence and "PACELINE_ALLOW_ANYONE=yes" in sentence
    assert refusal(address, {"PACELINE_ALLOW_ANYONE": " Yes "}) is None
