"""Asked twice, done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest

from services.base.once import Once


def test_concurrent_callers_share_the_first_result() -> None:
    once: Once[int] = Once()
    done, together = count(7), Barrier(8)

    def ask(_: int) -> int:
        together.wait()
        return once.get(lambda: next(done))

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {7}
    assert next(done) == 8


def test_a_failed_call_can_be_retried() -> None:
    once: Once[int] = Once()
    with pytest.raises(ZeroDivisionError):
        once.get(lambda: 1 // 0)
    assert once.get(lambda: 5) == 5
