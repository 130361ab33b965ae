"""A table of texts, for pages, files and the terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass

SHORT = 25  # characters of a line that a narrow column does not break: a ratio and its interval
# Pixels of a phone: the width of its page, of a character, and of the space around a cell.
PHONE, CHARACTER, PADDING = 358, 6, 11.2
_BREAKS = re.compile(r"[ /-]")


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first text of each row is its heading."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def is_wide(self) -> bool:
        """Whether its columns do not fit beside each other on a phone."""
        if not self.rows:
            return False
        names, *columns = zip(self.columns, *self.rows, strict=True)
        widths = [max(map(_longest_word, names))]
        for head, *cells in columns:
            lines = [line for cell in cells for line in cell.split("\n")]
            widths.append(max(_longest_word(head), *map(_width, lines)))
        return CHARACTER * sum(widths) + PADDING * len(widths) > PHONE


def _width(line: str) -> int:
    return len(line) if len(line) < SHORT else _longest_word(line)


def _longest_word(text: str) -> int:
    return max(map(len, _BREAKS.split(text)))
