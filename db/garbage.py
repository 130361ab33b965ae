"""Turns Python's garbage collection off where it would find nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Turn off garbage collection: creating thousands of values triggers it again and again, which
    takes a third of the time of reading them and finds nothing. Nested blocks end with the
    outermost one."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
