"""How often the supervisor looks for what is kept no longer."""

from __future__ import annotations

import pytest

from jobs import removal
from jobs.removal import REST_S, Removal


def test_it_removes_at_once_while_there_is_more_and_then_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, left, looks = 0.0, 3, 0
    monkeypatch.setattr(removal, "monotonic", lambda: now)

    def remove() -> bool:
        nonlocal left, looks
        left, looks = left - 1, looks + 1
        return left >= 0

    old = Removal(remove)
    assert [old.tick() for _ in range(100)] == [True, True, True, *[False] * 97]
    assert looks == 4, "each look reads all batches"
    now, left = REST_S, 1
    assert [old.tick() for _ in range(3)] == [True, False, False]
