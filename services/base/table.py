"""A table of texts, for pages, files and the terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass

SHORT = 25  # characters of a line that a narrow column does not break: a ratio and its interval
SENTENCE = 50  # characters of a line that is one
# Pixels of a phone: the width of its page, of a character, and of the space around a cell.
PHONE, CHARACTER, PADDING = 358, 6, 11.2
IN_FILE = 7 / 6  # how much wider a file's characters are, which come without a font
NUMBER = 48  # pixels of a row's number, if it is beside the lines of the row
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
        return self._width() > PHONE

    @property
    def is_wide_in_file(self) -> bool:
        """The same where the characters are wider."""
        space = PADDING * len(self.columns)
        return IN_FILE * (self._width() - space) + space > PHONE

    def _width(self) -> float:
        if not self.rows:
            return 0.0
        names = (row[0] for row in (self.columns, *self.rows))
        return sum((_pixels(max(map(_longest_word, names))), *self._widths()))

    @property
    def has_sentences(self) -> bool:
        """Whether it is a table of words rather than of numbers."""
        cells = (cell for _, *cells in self.rows for cell in cells)
        return any(len(line) >= SENTENCE for cell in cells for line in cell.split("\n"))

    @property
    def cells_in_line(self) -> int:
        """How many cells of a row, two or three, are beside each other where it takes several
        lines."""
        return 3 if 3 * max(self._widths(), default=0.0) <= PHONE - NUMBER else 2

    def _widths(self) -> list[float]:
        """The width of each column after the first in pixels."""
        _, *columns = zip(self.columns, *self.rows, strict=True)
        return [
            _pixels(max(_longest_word(head), *map(_width, "\n".join(cells).split("\n"))))
            for head, *cells in columns
        ]


def is_broken(text: str) -> bool:
    """Whether a narrow column breaks a cell's lines."""
    return any(len(line) >= SHORT for line in text.split("\n"))


def _pixels(characters: int) -> float:
    return CHARACTER * characters + PADDING


def _width(line: str) -> int:
    return len(line) if len(line) < SHORT else _longest_word(line)


def _longest_word(text: str) -> int:
    return max(map(len, _BREAKS.split(text)))
