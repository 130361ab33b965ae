"""What the words on all pages mean: docs/glossary.md, as it is."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

GLOSSARY = Path(__file__).resolve().parents[1] / "docs" / "glossary.md"
FILE_LINK = re.compile(r"\[([^]]*)\]\([\w./-]+\.md(?:#[\w-]*)?\)")


def without_file_links(text: str) -> str:
    """Return markdown with links to other files as plain text: no page shows those files."""
    return FILE_LINK.sub(r"\1", text)


heading, _, text = GLOSSARY.read_text(encoding="utf-8").partition("\n")
st.title(heading.removeprefix("# "), anchor=False)
st.markdown(without_file_links(text))
