"""The terms used on all pages: docs/glossary.md, opened at the term that a link names."""

from __future__ import annotations

import re

import streamlit as st

from pages.widgets.terms import GLOSSARY, PARAMETER, terms

# The same widths for all tables.
STYLE = """<style>
.st-key-words table { width: 100%; }
@media (min-width: 640px) {
  .st-key-words table { table-layout: fixed; }
  .st-key-words th:first-child { width: 30%; }
}
</style>"""
FILE_LINK = re.compile(r"\[([^]]*)\]\([\w./-]+\.md(?:#[\w-]*)?\)")


def without_file_links(text: str) -> str:
    """Return markdown with links to other files as plain text, since no page shows those files."""
    return FILE_LINK.sub(r"\1", text)


heading, _, text = GLOSSARY.read_text(encoding="utf-8").partition("\n")
st.title(heading.removeprefix("# "), anchor=False)
if (named := st.query_params.get(PARAMETER, "")) in terms():
    st.info(f"**{named}**: {without_file_links(terms()[named])}", icon=":material/menu_book:")
st.html(STYLE)
with st.container(key="words"):
    st.markdown(without_file_links(text))
