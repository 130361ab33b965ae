"""What the words mean is one step away on every page, without a network."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from pages.widgets.terms import term_in, terms
from tests.pages.conftest import Visit, text_of
from tests.stored import measured, store


def test_the_glossary_is_shown_without_links_to_files(visit: Visit) -> None:
    text = text_of(visit("glossary"))
    assert "**TTFT**" in text
    assert ".md)" not in text


def test_a_term_in_the_link_is_explained_first(visit: Visit) -> None:
    at = visit("glossary", term="TTFT")
    assert [info.value for info in at.info] == [f"**TTFT**: {terms()['TTFT']}"]
    assert not visit("glossary", term="nonsense").info


@pytest.mark.parametrize(
    ("label", "term"),
    [
        ("TTFT, median", "TTFT"),
        ("Output tokens/s", "Output tokens"),
        ("Repeats", "repeat"),
        ("Scheduled latency, p95", "Scheduled latency"),
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
