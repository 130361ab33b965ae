"""A document's markdown on a page. Its tables are drawn as those of results, which fold on a phone:
markdown's own would be wider than the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st

from pages.widgets import tabular
from services.base.table import Table

_CODE = r"^```.*?^```\n?"
_PARTS = re.compile(rf"({_CODE})|((?:^\|[^\n]*\|[ ]*(?:\n|\Z))+)", re.MULTILINE | re.DOTALL)
_BLOCKS = re.compile(_CODE, re.MULTILINE | re.DOTALL)
_BORDER = re.compile(r"(?<!\\)\|")  # between two cells
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"\\(?=[|\\*_`<])|\*\*|`")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_UNSEEN = "\u2060"  # tells columns of the same name apart


@dataclass(frozen=True, slots=True)
class MarkdownTable:
    """A table of a document: its cells as markdown, and the same as plain text."""

    cells: tuple[tuple[str, ...], ...]  # without the heads
    words: Table


def show(text: str, title: str) -> None:
    """Show markdown; `title`: what its tables are called that are below no heading."""
    for number, part in enumerate(parts(text, title), 1):
        if isinstance(part, str):
            st.markdown(part)
        else:
            tabular.show_rows(f"document {number}", part.cells, part.words)


def parts(text: str, title: str) -> Iterator[str | MarkdownTable]:
    """Yield the tables of a document, and the markdown before, between and after them."""
    begins = 0
    for found in _PARTS.finditer(text):
        if found[2] is None:  # code, which may hold lines that look like a table
            continue
        before = text[begins : found.start()]
        title = [title, *_HEADING.findall(_BLOCKS.sub("", before))][-1]
        if before.strip():
            yield before
        yield _table(found[2], title)
        begins = found.end()
    if text[begins:].strip():
        yield text[begins:]


def _table(text: str, title: str) -> MarkdownTable:
    heads, _, *rows = (_cells(line) for line in text.strip().split("\n"))
    words = tuple(tuple(map(_words, row)) for row in rows)
    named = [_words(head) for head in heads]
    columns = tuple(name + _UNSEEN * named[:at].count(name) for at, name in enumerate(named))
    return MarkdownTable(tuple(rows), Table(_words(title), columns, words))


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("\\|", "|") for cell in _BORDER.split(line.strip()[1:-1]))


def _words(markdown: str) -> str:
    return _MARKUP.sub("", _LINK.sub(r"\1", markdown))
