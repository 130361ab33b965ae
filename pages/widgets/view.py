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
from services.base.units import unbroken

T = TypeVar("T")

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$:<>&.=-])")
# What Streamlit would change in the remaining text: -> into an arrow, an address into a link, …
_CHANGED = re.compile(
    r"(?<=[-<>~])(?=[->=])|(?<=:)(?=material/|streamlit)|(?<=http)(?=s?:)|(?<=www)(?=\.)|(?=@)",
    re.IGNORECASE,
)
IGNORED = (
    "What is wrong is ignored; the rest of the link applies."  # after what is wrong with a link
)
_APART = ":primary[]"  # empty coloured text, which separates two characters


def role() -> str:
    """Return the user's role if sign-in is on, otherwise "". Only the gate sets this header
    (web/gate.py)."""
    return st.context.headers.get("X-Paceline-Role", "")


def person() -> Person | None:
    """Return the user if sign-in is on, otherwise None."""
    return person_in(st.context.headers)


def may_start() -> bool:
    """Return whether the user may start runs; a runner only on saved servers (`only_saved`)."""
    return role() != "viewer"


def only_saved() -> bool:
    """Return whether the form only offers saved servers and the embedded model."""
    return role() == "runner"


def read_only() -> bool:
    """Return whether the user may only look: changes are for admins. A control that is not drawn
    cannot be used, whatever a browser sends."""
    return role() not in ("", "admin")


def share_view() -> bool:
    """Return whether the URL requests the page as it is shared (`?view=share`, or embedded)."""
    return bool(st.context.is_embedded) or st.query_params.get("view") == "share"


def shared() -> bool:
    """Return whether the page is shown without controls: because it is shared, or for read-only
    users."""
    return share_view() or read_only()


def check_view(shareable: bool) -> None:
    """Report a view in the URL that does not exist, or that this page does not have."""
    wanted = st.query_params.get("view", "share")
    if wanted != "share":
        st.warning(plain(f"Unknown view “{wanted[:40]}”; showing the full page."))
    if share_view() and not shareable:
        stop_with("This page cannot be shared.", "Results, comparisons, studies and live runs can.")


def link_parameters(**parameters: str) -> dict[str, str]:
    """Return the parameters of a link to another page, which is a shared page if this one is."""
    return {**parameters, "view": "share"} if st.query_params.get("view") == "share" else parameters


def dark() -> bool:
    """Return whether the user has a dark theme."""
    return st.context.theme.type == "dark"


def link_to_list(page: str, label: str) -> None:
    """Show a link from one entry of a page to its list, which the menu does not lead to from
    there."""
    if not share_view():
        st.page_link(page, label=label, icon=":material/arrow_back:", query_params={})


def run_in_url() -> int:
    """Return the run in the URL (`?run=12`), or report what is missing and stop."""
    text = st.query_params.get("run", "")
    if not text:
        _stop_without_entry("No run is selected.", "Choose one in History, or start one.")
    run_id = as_id(text)
    if run_id is None:
        _stop_without_entry(not_a_run_number(text), "A link to a run ends in ?run= and a number.")
    return run_id


def stop_run_not_found(missing: RunNotFound) -> NoReturn:
    """Report that the run of this page does not exist, and link to the existing ones."""
    _stop_without_entry(str(missing), "" if shared() else "See History for all runs.")


def number_in_link(text: str, what: str) -> int:
    """Return the number of a study, a search or a comparison from this parameter of the URL, or
    report what is wrong and stop."""
    number = as_id(text)
    if number is None:
        _stop_without_entry(
            f"“{text[:40]}” is not a {what}.", f"A link to one ends in ?{what}= and a number."
        )
    return number


def load_or_stop(load: Callable[[], T], then: str = "") -> T:
    """Return the result of `load`; if there is none, report that and what to do, and stop."""
    try:
        return load()
    except NotFound as error:
        _stop_without_entry(str(error), then)


def as_id(text: str) -> int | None:
    """Return the run id in a link; None if it is invalid."""
    digits = text.isascii() and text.isdecimal() and len(text) < 20
    return int(text) if digits and 0 < int(text) < 2**63 else None


def run_numbers(text: str) -> tuple[list[int], str]:
    """Return the run numbers of a link ("12,15"), and the first word that is none, otherwise ""."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    numbers = [number for word in words if (number := as_id(word)) is not None]
    return numbers, next((word for word in words if as_id(word) is None), "")


def not_a_run_number(word: str) -> str:
    """Say that a word of a link is not a run number."""
    return f"“{word[:40]}” is not a run number."


@contextmanager
def sentences() -> Iterator[None]:
    """Show a message instead of a traceback if the database cannot be used in the block.

    Used around the page, and again inside each fragment and callback, whose errors Streamlit
    otherwise shows itself.
    """
    try:
        yield
    except (*UNUSABLE, InvalidSettings) as error:
        show_error(error)


def show_error(error: Exception) -> None:
    """Show the message of a `PacelineError`, or what is wrong with the database."""
    text = message_of(error) if isinstance(error, UNUSABLE) else str(error)
    again = isinstance(error, (*UNUSABLE, InvalidSettings))
    st.error(plain(f"{text} Then reload this page." if again else text), icon=":material/error:")


def show_blocked(reason: str) -> None:
    """Show why a form cannot be started as it is: nothing has failed."""
    st.warning(plain(reason), icon=":material/block:")


def plain(text: str) -> str:
    """Escape text for markdown: names, notes and errors are not markup."""
    return _APART.join(_MARKUP.sub(r"\\\1", part) for part in _CHANGED.split(text))


def prose(text: str) -> str:
    """Return a sentence as markdown in which no number is broken from its unit."""
    return plain(unbroken(text))


def code(text: str) -> str:
    """Return text as inline code in markdown, on one line."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`" if text.strip() else ""


def badge(text: str, icon: str, colour: str) -> str:
    """Return a badge as markdown with its text escaped; `st.badge` would treat it as markup."""
    return f":{colour}-badge[:material/{icon}: {plain(text)}]"


def _stop_without_entry(what: str, then: str) -> NoReturn:
    """Stop a page whose title would be the name of an entry, which the link does not lead to."""
    st.title("Nothing to show", anchor=False)
    stop_with(what, then)


def stop_with(what: str, then: str = "", empty: bool = False) -> NoReturn:
    """Show an error and what to do, link to the next step, and stop the page. `empty`: nothing is
    wrong, there is just nothing to show yet."""
    show = st.info if empty else st.warning
    show(plain(f"{what} {then}".strip()), icon=":material/info:" if empty else ":material/warning:")
    if not shared():
        with st.container(horizontal=True):
            st.page_link("history.py", label="History", icon=":material/history:")
            st.page_link("run.py", label="Start a run", icon=":material/play_arrow:")
    st.stop()
