"""How a page is viewed: with controls or as a shared view without them, light or dark, for which
run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import streamlit as st

from db.database import UNUSABLE, message_of
from db.runs import RunNotFound
from services.base.errors import NotFound
from services.base.roles import Person, person_in
from services.base.settings import InvalidSettings

T = TypeVar("T")

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$:<>&.=-])")
# What Streamlit changes in the text that is left: -> into an arrow, an address into a link, …
_CHANGED = re.compile(
    r"(?<=[-<>~])(?=[->=])|(?<=:)(?=material/|streamlit)|(?<=http)(?=s?:)|(?<=www)(?=\.)|(?=@)",
    re.IGNORECASE,
)
_APART = ":primary[]"  # nothing, in colour: keeps two characters apart


def role() -> str:
    """Return the role of whoever looks, where people sign in; "": nobody needs to. Only the gate
    sets this header (web/gate.py)."""
    return st.context.headers.get("X-Paceline-Role", "")


def person() -> Person | None:
    """Return who looks, where people sign in; None: nobody needs to."""
    return person_in(st.context.headers)


def may_start() -> bool:
    """Whether the person may start runs; a runner only on saved servers (`only_saved`)."""
    return role() != "viewer"


def only_saved() -> bool:
    """Whether the form offers saved servers and the embedded model only."""
    return role() == "runner"


def read_only() -> bool:
    """Whether the person may only look: what changes something is for admins. A control that is
    not drawn cannot be pressed, whatever a browser sends."""
    return role() not in ("", "admin")


def share_view() -> bool:
    """Whether the URL asks for the page as it is shared (`?view=share`, or embedded)."""
    return bool(st.context.is_embedded) or st.query_params.get("view") == "share"


def shared() -> bool:
    """Whether the page is shown without controls: as it is shared, or to who may only look."""
    return share_view() or read_only()


def check_view(shareable: bool) -> None:
    """Say so where the URL asks for a view that there is not, or that this page has not."""
    wanted = st.query_params.get("view", "share")
    if wanted != "share":
        st.warning(plain(f"Unknown view “{wanted[:40]}”; showing the full page."))
    if share_view() and not shareable:
        stop_with("This page cannot be shared.", "Results, comparisons, studies and live runs can.")


def onward(**parameters: str) -> dict[str, str]:
    """Return the parameters of a link to another page, which is shared if this one is."""
    return {**parameters, "view": "share"} if st.query_params.get("view") == "share" else parameters


def dark() -> bool:
    """Whether the person looks at a dark page."""
    return st.context.theme.type == "dark"


def run_in_url() -> int:
    """Return the run that the URL names (`?run=12`), or say what is missing and stop."""
    text = st.query_params.get("run", "")
    if not text:
        stop_with("No run is selected.", "Choose one in History, or start one.")
    run_id = as_id(text)
    if run_id is None:
        stop_with(
            f"“{text[:40]}” is not a run number.", "A link to a run ends in ?run= and a number."
        )
    return run_id


def stop_without(missing: RunNotFound) -> NoReturn:
    """Say that the run of this page is not there, and where those are that are."""
    stop_with(str(missing), "" if shared() else "See History for all runs.")


def number_in_link(text: str, what: str) -> int:
    """Return the number of a study, a search or a comparison that the URL names under that word, or
    say what is wrong and stop."""
    number = as_id(text)
    if number is None:
        stop_with(
            f"“{text[:40]}” is not a {what}.", f"A link to one ends in ?{what}= and a number."
        )
    return number


def load_or_stop(load: Callable[[], T], then: str = "") -> T:
    """Return what `load` loads, or say that it is not there, and what to do, and stop."""
    try:
        return load()
    except NotFound as error:
        stop_with(str(error), then)


def as_id(text: str) -> int | None:
    """Return the run's number that a link holds; None where it holds none."""
    digits = text.isascii() and text.isdecimal() and len(text) < 20
    return int(text) if digits and 0 < int(text) < 2**63 else None


@contextmanager
def sentences() -> Iterator[None]:
    """Where the database cannot be used in the block, say so instead of how the code got there.

    Around the page, and once more inside each fragment and callback: what goes wrong in those
    Streamlit shows itself, before the page hears of it.
    """
    try:
        yield
    except (*UNUSABLE, InvalidSettings) as error:
        show_error(error)


def show_error(error: Exception) -> None:
    """Show what a `PacelineError` says, or what is wrong with the database."""
    text = message_of(error) if isinstance(error, UNUSABLE) else str(error)
    again = isinstance(error, (*UNUSABLE, InvalidSettings))
    st.error(plain(f"{text} Then reload this page." if again else text), icon=":material/error:")


def plain(text: str) -> str:
    """Return text so that markdown shows it as it is: names, notes and errors are not markup."""
    return _APART.join(_MARKUP.sub(r"\\\1", part) for part in _CHANGED.split(text))


def code(text: str) -> str:
    """Return text so that markdown shows it as code, on one line."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`" if text.strip() else ""


def badge(text: str, icon: str, colour: str) -> str:
    """Return a badge as markdown, its text as it is: `st.badge` takes markup."""
    return f":{colour}-badge[:material/{icon}: {plain(text)}]"


def stop_with(what: str, then: str = "") -> NoReturn:
    """Say what is wrong and what to do, offer the way on, and end the page here."""
    st.warning(plain(f"{what} {then}".strip()), icon=":material/info:")
    if not shared():
        with st.container(horizontal=True):
            st.page_link("history.py", label="History", icon=":material/history:")
            st.page_link("run.py", label="Start a run", icon=":material/play_arrow:")
    st.stop()
