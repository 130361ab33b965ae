"""Streamlit's main script: page config and navigation, nothing else."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.widgets import url_state
from pages.widgets.view import (
    check_view,
    dark,
    link_parameters,
    may_start,
    read_only,
    role,
    sentences,
    share_view,
)
from services.report.theme import palette

HERE = Path(__file__).resolve().parent
# A panel below a button is as high as the window allows. On a phone, a table of a few columns fits,
# a row of a `folded` table takes several lines, with the name of its column above each cell, and
# elements beside a title elsewhere are below it.
STYLE = """<style>
[data-testid=stPopoverBody] { max-height: 85vh; }
@media (max-width: 640px) {
  #root [data-testid=stTable] :is(th, td) { padding: .3rem .35rem; font-size: .8rem; }
  [class*=st-key-folded-] thead { display: none; }
  [class*=st-key-folded-] tbody { display: block; }
  [class*=st-key-folded-] td::before { display: block; opacity: .8; font-size: .75rem;
    white-space: normal; overflow-wrap: anywhere; }
  [class*=st-key-folded-] tr { display: grid; }
  [class*=st-key-folded-] tr > :first-child { grid-column: 1 / -1; font-weight: 600; }
  [class*=st-key-folded-numbered-] tr > :first-child { grid-column: 1; grid-row: 1 / span 9; }
  [class*=st-key-folded-] tr > * { border-bottom-width: 0; border-top-width: 0; text-align: left; }
  #root [class*=st-key-folded-] td * { max-width: 100%; overflow-wrap: anywhere; }
  [class*=st-key-folded-] tr { border-bottom: 1px solid #80808040; }
  .st-key-beside-title { justify-content: flex-start; }
}
</style>"""
# Streamlit writes white on the primary colour, which is light there.
DARK = "<style>[data-tag], [data-tag] * { color: %s; }</style>"
# The page of a run is not in the menu; the item of the list that leads to it is marked.
PARENT = """<style>[data-testid=stSidebarNavLink][href$="/%s"] { background: #92a4c840;
  font-weight: 600; }</style>"""

# Before the navigation: without its own icon, a page fetches one from elsewhere.
st.set_page_config(
    page_icon=str(HERE / "static" / "favicon.png"), layout="wide", initial_sidebar_state=220
)

to_share = [
    st.Page(HERE / "compare.py", title="Compare", icon=":material/compare_arrows:"),
    st.Page(HERE / "live.py", title="Live", visibility="hidden"),
    st.Page(HERE / "result.py", title="Result", visibility="hidden"),
    st.Page(HERE / "study.py", title="Study", icon=":material/grid_on:"),
]
of_a_run = to_share[1:-1]
capacity = st.Page(HERE / "capacity.py", title="Capacity", icon=":material/speed:")
batches = st.Page(HERE / "batches.py", title="Tasks", icon=":material/checklist:")
glossary = st.Page(HERE / "glossary.py", title="Glossary", icon=":material/menu_book:")
history = st.Page(
    HERE / "history.py",
    title="History",
    icon=":material/history:",
    default=not may_start(),
    url_path=None if may_start() else "first",
)
# History under its own name, where it is the first page and its address therefore "/".
history_by_name = st.Page(
    HERE / "history.py", title="History", url_path="history", visibility="hidden"
)
leaderboard = st.Page(HERE / "leaderboard.py", title="Leaderboard", icon=":material/leaderboard:")
run = st.Page(HERE / "run.py", title="Run", icon=":material/play_arrow:", default=may_start())
tokens = st.Page(HERE / "tokens.py", title="API tokens", icon=":material/key:")
for_tokens = [tokens] if role() and may_start() else []
everything = [
    run,
    history,
    *to_share[:1],
    *to_share[-1:],
    capacity,
    leaderboard,
    batches,
    st.Page(HERE / "engines.py", title="Engines", icon=":material/memory:"),
    st.Page(HERE / "backends.py", title="Backends", icon=":material/dns:"),
    *for_tokens,
    glossary,
    *of_a_run,
]
to_look_at = [
    *([run] if may_start() else [history_by_name]),
    history,
    *to_share[:1],
    *to_share[-1:],
    capacity,
    leaderboard,
    *([batches] if may_start() else []),
    *for_tokens,
    glossary,
    *of_a_run,
]
navigation = st.navigation(
    to_look_at if read_only() else everything,
    position="hidden" if share_view() else "sidebar",
)
st.set_page_config(page_title=f"{navigation.title} · Paceline")
st.logo(
    str(HERE / "static" / "logo.png"), size="large", icon_image=str(HERE / "static" / "favicon.png")
)
st.html(STYLE + (DARK % palette(True).paper if dark() else ""))
if navigation in (*of_a_run, history_by_name):
    st.html(PARENT % history.url_path)
check_view(navigation in (*to_share, capacity, glossary))
if share_view() and navigation is not glossary:
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.page_link(
            glossary, label="Glossary", icon=":material/menu_book:", query_params=link_parameters()
        )
if role():
    st.sidebar.button("Sign out", icon=":material/logout:", type="tertiary", on_click=st.logout)
url_state.open_page(navigation.url_path)
with sentences():
    navigation.run()
