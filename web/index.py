"""Streamlit's index page, in which all pages are drawn, with our style and the address of its
server."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response

STYLE = Path(__file__).with_name("pages.css")
# A press on a button whose key begins with "dismiss" is kept in a cookie of that name for a year:
# the choice of one person in one browser, which the page reads when it is opened again.
DISMISSED = """
document.addEventListener("click", ({target}) => {
  const around = target.closest("button")?.closest("[class*=st-key-dismiss-]");
  const key = around?.className.match(/st-key-(dismiss-[\\w-]+)/)[1];
  if (key) document.cookie = key + "=1; max-age=31536000; samesite=lax";
});
"""


def index() -> str:
    """Return Streamlit's page with the address of its server: the folder that the page is in. By
    itself, Streamlit first looks for the server below each page's path, where there is none."""
    installed = (Path(st.__file__).parent / "static" / "index.html").read_text()
    style = f"<style>\n{STYLE.read_text()}</style>"
    script = "window.__streamlit = {BACKEND_BASE_URL: new URL('./', location.href).href};"
    ours = f"{style}\n    <script>{script}{DISMISSED}</script>\n    <script>"
    return installed.replace("<script>", ours, 1)


def page(_: Request) -> Response:
    """Answer with the page in which all pages are drawn."""
    return Response(INDEX, media_type="text/html", headers={"Cache-Control": "no-cache"})


INDEX = index()
DEEPER = (  # pages below /
    "history",
    "compare",
    "study",
    "engines",
    "backends",
    "live",
    "result",
    "glossary",
    "leaderboard",
    "tokens",
    "capacity",
    "batches",
)
