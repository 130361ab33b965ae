"""What the words mean is one step away on every page, without a network."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.pages.conftest import Visit, text_of
from tests.stored import measured, store


def test_the_glossary_is_shown_without_links_to_files(visit: Visit) -> None:
    text = text_of(visit("glossary"))
    assert "**TTFT**" in text
    assert ".md)" not in text


@pytest.mark.parametrize("path", ["result", "live"])
def test_a_shared_page_links_to_the_glossary(visit: Visit, database: Engine, path: str) -> None:
    store(database, [measured(0)])
    at = visit(path, run="1", view="share")
    assert "Glossary" in [link.proto.label for link in at.get("page_link")]
