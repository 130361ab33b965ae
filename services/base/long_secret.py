"""Fast search for common parts of a text and a long secret, such as a prompt of 200,000 characters,
with numpy, because other requests wait meanwhile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 8  # characters that are compared at a time
_BITS = 16  # of a block's hash
_FACTORS = np.array(
    (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93), np.uint64
)


def shared_blocks(text: str, secret: str) -> list[int]:
    """Return the offsets in the secret, multiples of BLOCK, at which the text contains the next
    BLOCK characters, and perhaps some at which only the hashes are equal."""
    if min(len(text), len(secret)) < BLOCK:
        return []
    plain = text.isascii() and secret.isascii()
    coding, width = ("ascii", 1) if plain else ("utf-32-le", 4)
    here, wanted = (each.encode(coding, "surrogatepass") for each in (text, secret))
    in_text = np.zeros(1 << _BITS, np.bool_)
    in_text[_hashes(here, width, 1)] = True
    indices: list[int] = np.flatnonzero(in_text[_hashes(wanted, width, BLOCK)]).tolist()
    return [index * BLOCK for index in indices]


def _hashes(data: bytes, width: int, step: int) -> NDArray[np.uint64]:
    """Return a hash of each BLOCK characters of `width` bytes that begin at a multiple of `step`
    characters."""
    count = (len(data) // width - BLOCK) // step + 1
    total = np.zeros(count, np.uint64)
    for column, factor in enumerate(_FACTORS[:width]):
        column_values = np.ndarray((count,), np.uint64, data, column * 8, (step * width,))
        total += column_values * factor
    return total >> np.uint64(64 - _BITS)
