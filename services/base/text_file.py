"""The encoding of text files, and the column separator and the cells of tables."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection
from itertools import islice

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
LOOKED_AT = 20  # rows
MAX_ACCENTED = 0.25  # of the letters; in French and Portuguese it is about a twentieth
_SIGN_IN_WORD = re.compile(
    r"[^\W\d_][^\w\s\x00-\x7f\u2018\u2019\u2013\u2014\u2026\xad\xb7][^\W\d_]"
    r"|[a-z\xdf-\xff][\xc0-\xde\u0152\u0160\u017d\u0178]"
)
MAX_EXAMINED = 1_000_000  # characters
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def safe_cell(text: str) -> str:
    """Return text with an apostrophe before it if a spreadsheet would run it as a formula.

    See OWASP, "CSV Injection".
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def original_cell(text: str) -> str:
    """Return the text that `safe_cell` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA_STARTS else text


def encoding(data: bytes) -> str:
    """Return the encoding of text: that of its byte order mark; without one, UTF-16 if one of the
    first two bytes is NUL, otherwise UTF-8."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    first, second = data[:1], data[1:2]
    if first and second == b"\0" and first != b"\0":
        return "utf-16-le"
    return "utf-16-be" if first == b"\0" and second not in (b"", b"\0") else "utf-8"


def decoded(data: bytes) -> str:
    """Decode UTF-8, UTF-16 or UTF-32, without the byte order mark.

    Raises:
        UnicodeDecodeError: the data is in none of these.
    """
    return data.decode(encoding(data))


def decode_western(data: bytes) -> str | None:
    """Return text that is Windows-1252, which spreadsheets save where people write in Western
    European languages; None if it need not be that.

    It is told by what the other one-byte encodings would look like in it: most letters with accents
    (Cyrillic, Greek), or a sign such as ¿ (Central European) or a capital with an accent (Mac)
    inside of a word. Others differ by a few letters only: show what came of it.
    """
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    letters = [sign for sign in text if sign.isalpha()]
    accented = sum(not sign.isascii() for sign in letters)
    if accented > MAX_ACCENTED * len(letters) or _SIGN_IN_WORD.search(text):
        return None
    return text


def separator(text: str, known: Collection[str] = ()) -> str | None:
    """Return the separator of a table's columns, or None if it is ambiguous.

    The first row decides: the one character that separates columns there, of several the one that
    makes a column that is `known` (in small letters), or that gives all rows as many fields. A
    first row without any is one column, as with a comma.
    """
    head = text[:MAX_EXAMINED]
    candidates = {sign: rows for sign in SEPARATORS if len((rows := _rows(head, sign))[0]) > 1}
    if len(candidates) < 2:
        return next(iter(candidates), ",")
    named = [
        s for s, rows in candidates.items() if {t.strip().lower() for t in rows[0]} & set(known)
    ]
    even = [s for s, rows in candidates.items() if len(rows) > 1 and len(set(map(len, rows))) == 1]
    for certain in (named, even):
        if len(certain) == 1:
            return certain[0]
    return None


def _rows(text: str, sign: str) -> list[list[str]]:
    """The first non-empty rows; at least one."""
    rows: list[list[str]] = []
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        rows += (row for row in islice(reader, LOOKED_AT) if any(cell.strip() for cell in row))
    except csv.Error:
        pass  # the rows before it suffice; whoever reads the file reports what is wrong with it
    return rows or [[]]
