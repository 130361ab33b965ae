"""What the words mean is one step away on every page, without a network."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from pages.widgets.document import MarkdownTable, parts
from pages.widgets.terms import GLOSSARY, term_in, terms
from services.base.table import Table
from tests.pages.conftest import Visit, text_of
from tests.stored import measured, store


def test_the_glossary_links_the_other_documents_on_its_own_page(visit: Visit) -> None:
    text = text_of(visit("glossary"))
    assert "**TTFT**" in text
    assert "[prompts.md](glossary?document=prompts#lengths)" in text


@pytest.mark.parametrize("name", sorted(file.stem for file in GLOSSARY.parent.glob("*.md")))
def test_every_document_can_be_read_in_the_app(visit: Visit, name: str) -> None:
    at = visit("glossary", document=name)
    heading = documented(name).partition("\n")[0].removeprefix("# ")
    assert at.title[0].value == (heading if name == "glossary" else f"Documentation: {heading}")
    assert not re.search(r"\]\((?!https?:|#|glossary\?)", read(at)), "a link leads nowhere"
    lines = [line for line in documented(name).split("\n") if line.startswith("| ")]
    assert name == "glossary" or sum(len(table.value) + 1 for table in at.table) == len(
        lines
    ) - sum(line.startswith("| ---") for line in lines)


def read(at: AppTest) -> str:
    """What a page says, in its tables, too."""
    cells = [str(cell) for table in at.table for row in table.value.to_numpy() for cell in row]
    heads = [str(head) for table in at.table for head in table.value.columns]
    return "\n".join([text_of(at), *heads, *cells])


def documented(name: str) -> str:
    return (GLOSSARY.parent / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["../README", "nothing", ""])
def test_an_unknown_document_is_the_glossary(visit: Visit, name: str) -> None:
    assert visit("glossary", document=name).title[0].value == "Glossary"


def test_a_shared_page_keeps_its_view_in_links_to_documents(visit: Visit) -> None:
    text = text_of(visit("glossary", view="share"))
    assert "glossary?document=prompts&view=share#lengths" in text


def test_a_term_in_the_link_is_explained_first(visit: Visit) -> None:
    at = visit("glossary", term="TTFT")
    assert [info.value for info in at.info] == [f"You looked up **TTFT**: {terms()['TTFT']}"]
    assert not visit("glossary", term="nonsense").info


@pytest.mark.parametrize(
    ("label", "term"),
    [
        ("TTFT, median", "TTFT"),
        ("Output throughput (tokens/s)", "output throughput"),
        ("Repeats", "repeat"),
        ("Scheduled latency, p95", "Scheduled latency"),
        ("TP", "TP"),  # one of three that share a row
        ("Nothing known", None),
    ],
)
def test_a_label_has_the_term_that_it_contains(label: str, term: str | None) -> None:
    assert term_in(label) == term


def test_a_tooltip_links_its_term(visit: Visit, database: Engine) -> None:
    store(database, [measured(0)])
    tooltips = [metric.help for metric in visit("result", run="1").metric]
    assert any(text.endswith("[Glossary: TTFT](glossary?term=TTFT)") for text in tooltips)
    at = visit("run")
    assert "(glossary?term=repeat)" in at.number_input(key="run-repeats").help


@pytest.mark.parametrize("path", ["result", "live"])
def test_a_shared_page_links_to_the_glossary(visit: Visit, database: Engine, path: str) -> None:
    store(database, [measured(0)])
    at = visit(path, run="1", view="share")
    assert "Glossary" in [link.proto.label for link in at.get("page_link")]


def test_comments_of_a_document_are_not_shown(visit: Visit) -> None:
    text = read(visit("glossary", document="benchmarks"))
    assert "TTFT error" in text and "<!--" not in text


def test_the_tables_of_a_document_are_told_from_its_text() -> None:
    text = r"""Before.

## The `first`

| a | **b** | |
| --- | --- | ---: |
| [x](glossary?document=y) | `c\|d` | \* |
| e | | f |

```
| not | a table |
```

| p99 | p99 |
|---|---|
| 1 | 2 |
"""
    before, first, between, second = parts(text, "Title")
    assert isinstance(first, MarkdownTable) and isinstance(second, MarkdownTable)
    assert before == "Before.\n\n## The `first`\n\n"
    assert first.cells == (("[x](glossary?document=y)", "`c|d`", "\\*"), ("e", "", "f"))
    assert first.words == Table("The first", ("a", "b", ""), (("x", "c|d", "*"), ("e", "", "f")))
    assert "| not | a table |" in str(between)
    assert second.words.title == "The first"
    assert len(set(second.words.columns)) == 2, "a table of a page has no two columns of one name"
    (alone,) = parts("| a |\n|---|\n| 1 |", "Title")
    assert isinstance(alone, MarkdownTable) and alone.words.title == "Title"
    assert list(parts("", "Title")) == []
