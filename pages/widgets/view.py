"""How a page is looked at: with its controls or shared without, light or dark, for which runs."""

from __future__ import annotations

import re
from typing import NoReturn

import streamlit as st

MOST_RUNS = 8
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$:<>&-])")


def shared() -> bool:
    """Whether the page is shown read-only, without controls (`?view=share`, or embedded)."""
    return bool(st.context.is_embedded) or st.query_params.get("view") == "share"


def dark() -> bool:
    """Whether the person looks at a dark page."""
    return st.context.theme.type == "dark"


def run_in_url() -> int:
    """Return the run that the URL names (`?run=12`), or say what is missing and stop."""
    text = st.query_params.get("run", "")
    if not text:
        stop_with("No run is chosen.", "Choose one in the history, or start one.")
    if not _is_id(text):
        stop_with(f"“{text[:40]}” is not a run.", "A link to a run ends in ?run= and a number.")
    return int(text)


def runs_in_url() -> list[int]:
    """Return the runs that the URL names (`?runs=12,15`), each once, the reference first."""
    words = [word.strip() for word in st.query_params.get("runs", "").split(",") if word.strip()]
    if bad := [word for word in words if not _is_id(word)]:
        stop_with(f"“{bad[0][:40]}” is not a run.", "A link to a comparison ends in ?runs=12,15.")
    ids = list(dict.fromkeys(map(int, words)))
    if len(ids) > MOST_RUNS:
        stop_with(f"{len(ids)} runs are too many.", f"Compare shows up to {MOST_RUNS} at a time.")
    return ids


def plain(text: str) -> str:
    """Return text so that markdown shows it as it is: names, notes and errors are not markup."""
    return _MARKUP.sub(r"\\\1", text)


def stop_with(what: str, then: str) -> NoReturn:
    """Say what is wrong and what to do, offer the way on, and end the page here."""
    st.warning(plain(f"{what} {then}"), icon=":material/info:")
    if not shared():
        with st.container(horizontal=True):
            st.page_link("history.py", label="History", icon=":material/history:")
            st.page_link("run.py", label="Start a run", icon=":material/play_arrow:")
    st.stop()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) < 2**63
