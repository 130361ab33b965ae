"""The terms of the glossary in tooltips: the help of a label, with a link to the definition."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from pages.widgets.view import link_parameters

GLOSSARY = Path(__file__).resolve().parents[2] / "docs" / "glossary.md"
PARAMETER = "term"
_ROW = re.compile(r"^\| (\*\*.+?\*\*) \| (.+) \|$", re.MULTILINE)
_TERM = re.compile(r"\*\*(.+?)\*\*")


@cache
def terms() -> dict[str, str]:
    """Return every term of the glossary and its meaning, as markdown."""
    rows = _ROW.findall(GLOSSARY.read_text(encoding="utf-8"))
    return {term: meaning for cell, meaning in rows for term in _TERM.findall(cell)}


@cache
def term_in(label: str) -> str | None:
    """Return the longest term that a label contains as whole words; None if there is none."""
    matches = [term for term in terms() if _word(term).search(label)]
    return max(matches, key=len, default=None)


def linked(text: str, label: str) -> str:
    """Return a label's help, with a link to its term in the glossary, if there is one."""
    term = term_in(label)
    if term is None:
        return text
    return f"{text} [Glossary: {term}](glossary?{urlencode(link_parameters(**{PARAMETER: term}))})"


@cache
def _word(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(term)}s?(?!\w)", re.IGNORECASE)
