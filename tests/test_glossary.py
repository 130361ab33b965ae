"""The glossary has every word that pages, files and commands use as a term."""

from __future__ import annotations

import re
from itertools import chain
from typing import get_args, get_type_hints

import pytest

from pages.widgets.terms import terms
from services.analysis.compare.findings import Word
from services.analysis.diagnostics import Diagnostic
from services.analysis.metrics import METRICS
from services.ask.modes import MODES
from tests.conftest import ROOT

DOCS = ROOT / "docs"
GLOSSARY = DOCS / "glossary.md"
APP = ("api", "cli", "db", "jobs", "pages", "services")
SEVERITIES = tuple(chain.from_iterable(map(get_args, get_type_hints(Diagnostic).values())))
TERMS = (
    *(metric.label for metric in METRICS),
    *(mode.label for mode in MODES.values()),
    *get_args(Word),
    *SEVERITIES,
)


@pytest.mark.parametrize("term", TERMS)
def test_the_glossary_has_every_term_of_the_code(term: str) -> None:
    assert len(SEVERITIES) == 2
    assert term in terms()


def test_no_term_is_explained_twice() -> None:
    cells = re.findall(r"^\| (\*\*.*?\*\*) \|", GLOSSARY.read_text(), re.MULTILINE)
    found = [term for cell in cells for term in re.findall(r"\*\*(.*?)\*\*", cell)]
    assert len(found) == len({term.lower() for term in found}) == len(terms())


@pytest.mark.long
def test_every_term_is_used_in_the_app() -> None:
    files = chain.from_iterable((ROOT / part).rglob("*.py") for part in APP)
    text = "\n".join(file.read_text() for file in files).lower()
    unused = [t for t in terms() if not re.search(rf"(?<!\w){re.escape(t.lower())}s?(?!\w)", text)]
    assert not unused


@pytest.mark.parametrize("page", ["README.md", *(p.name for p in DOCS.glob("*.md"))])
def test_every_page_leads_to_the_glossary(page: str) -> None:
    file = ROOT / page if page == "README.md" else DOCS / page
    assert page == GLOSSARY.name or "glossary.md)" in file.read_text()
