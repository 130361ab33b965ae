"""The terms used on all pages: docs/glossary.md, opened at the term that a link names. It shows the
other files of `docs`, too: `?document=prompts`."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import streamlit as st

from pages.widgets import document
from pages.widgets.terms import GLOSSARY, PARAMETER, terms
from pages.widgets.view import link_parameters
from services.base.units import unbroken

# The same widths for all tables of the glossary.
STYLE = """<style>
.st-key-words table { width: 100%; }
@media (min-width: 640px) {
  .st-key-words table { table-layout: fixed; }
  .st-key-words th:first-child { width: 30%; }
}
.st-key-document p, .st-key-document li { max-width: 48rem; }
#root .st-key-document td code { overflow-wrap: anywhere; white-space: normal; }
#root .st-key-document pre code { white-space: pre-wrap !important; }
#root .st-key-document blockquote { color: inherit; opacity: 1; }
</style>"""
DOCUMENT = "document"  # the parameter in the URL
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
PICTURE = re.compile(r"^!\[[^]]*\]\([^)]*\)\n+", re.MULTILINE)
LINK = re.compile(r"\[([^]]*)\]\((?!https?:|#)([^)#]*)(#[^)]*)?\)")  # to a file of the project
ROW = re.compile(r"^\|[^`\n]*\|$", re.MULTILINE)  # of a table
FILES = {file.stem: file for file in sorted(GLOSSARY.parent.glob("*.md"))}


def on_page(text: str) -> str:
    """Return a file's markdown for this page: links to other documents lead here, those to other
    files of the project are plain text, and pictures and comments are left out. In tables without
    code, which is copied, no number is broken from its unit."""
    shown = LINK.sub(_link, PICTURE.sub("", COMMENT.sub("", text)))
    return ROW.sub(lambda row: unbroken(row[0]), shown)


def _link(link: re.Match[str]) -> str:
    label, file, section = link[1], link[2], link[3] or ""
    name = file.removesuffix(".md")
    return f"[{label}]({_address(name)}{section})" if name in FILES else label


def _address(name: str) -> str:
    return f"glossary?{urlencode(link_parameters(**{DOCUMENT: name}))}"


def show_glossary(text: str) -> None:
    if (named := st.query_params.get(PARAMETER, "")) in terms():
        st.info(
            f"You looked up **{named}**: {on_page(terms()[named])}", icon=":material/menu_book:"
        )
    with st.container(key="words"):
        st.markdown(on_page(text))
    others = " · ".join(f"[{name}]({_address(name)})" for name in FILES if name != GLOSSARY.stem)
    st.caption(f"More documentation: {others}")


file = FILES.get(st.query_params.get(DOCUMENT, ""), GLOSSARY)
heading, _, text = file.read_text(encoding="utf-8").partition("\n")
if file != GLOSSARY:
    st.page_link(
        "glossary.py",
        label="Glossary and documentation",
        icon=":material/arrow_back:",
        query_params=link_parameters(),
    )
about, named = "" if file == GLOSSARY else "Documentation: ", heading.removeprefix("# ")
st.title(about + named, anchor=False)
st.html(STYLE)
if file == GLOSSARY:
    show_glossary(text)
else:
    with st.container(key="document"):
        document.show(on_page(text), named)
