"""Turns Python's garbage collection off while there is no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage() -> Iterator[None]:
    """Thousands of new values make Python look for garbage again and again, and there is none: a
    third of the time that reading them takes. Within another, it ends with that one."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
