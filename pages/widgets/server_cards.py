"""The first section of the form: one server, or several to compare.

Each server has a card: backend, saved server or address, model, and whether it answers. The first
is the baseline; any other can be made the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from db import servers
from db.database import opened
from pages.widgets import backend_form, fields, url_state
from services.analysis.compare import MOST
from services.ask.config import RunConfig
from services.ask.saved_server import SavedServer, without_server
from services.base.units import letter

Fields = dict[str, Any]
CARDS = f"{fields.PREFIX}cards"
WIDTH = 230  # pixels: two cards beside each other on a laptop
ASKED = ("backend", "base_url", "model")


def ask(start: RunConfig, others: list[Fields], env: Mapping[str, str]) -> list[Fields]:
    """Show a card for each server; return their fields, the baseline first. `others`: the changes
    of the other candidates in the link, which are the initial values."""
    cards = _cards(others)
    saved = servers.list_all(opened())
    chosen: list[Fields] = []
    with st.grid(min(len(cards), 3), min_column_width=WIDTH):
        for number in cards:
            chosen.append(_card(number, chosen, start, env, saved))
    if len(cards) < MOST:
        _add_button(len(cards), chosen[-1])
    return chosen


def ask_one(start: RunConfig, env: Mapping[str, str]) -> Fields:
    """Show only the baseline's card, for a comparison on one server; return its fields."""
    saved = servers.list_all(opened())
    return _card(next(iter(_cards([]))), [], start, env, saved, alone=True)


def of_form(start: RunConfig) -> RunConfig:
    """Return the initial values of the form below the cards: without those of a saved server, which
    belong to its card and would otherwise stay when another server is chosen."""
    saved = servers.list_all(opened()).values()
    is_saved = any(backend_form.is_server_of(server, start) for server in saved)
    return without_server(start) if is_saved else start


def combine(form: Mapping[str, Any], server: Mapping[str, Any]) -> Fields:
    """Return the config of a run on a server: the form's fields for every run, and those of the
    server that are not the default."""
    usual = RunConfig()
    own = {n: v for n, v in server.items() if n in ASKED or v != getattr(usual, n)}
    return {**form, **own}


def changes(form: Mapping[str, Any], chosen: list[Fields]) -> list[Fields]:
    """Return the changes of each other server relative to the first. Fields of the first server are
    not sent to another one."""
    first = combine(form, chosen[0])
    return [
        {n: v for n, v in combine(form, server).items() if n in ASKED or first.get(n) != v}
        for server in chosen[1:]
    ]


def _card(
    number: int,
    before: list[Fields],
    start: RunConfig,
    env: Mapping[str, str],
    saved: Mapping[str, SavedServer],
    alone: bool = False,
) -> Fields:
    """Show one server and return its fields. `before`: the fields of the cards before it."""
    cards = _cards([])
    whose = "" if number == 1 else f"{number}-"
    with st.container(border=True, height="stretch"):
        baseline = " :gray-badge[baseline]" if len(cards) > 1 and not alone and not before else ""
        title = f"Server {letter(len(before))}{baseline}"
        st.subheader(title, anchor=backend_form.anchor_of(len(before)))
        first = _first(start, cards[number])
        server = backend_form.ask(first, env, whose, saved)
        backend_form.show_state(server["backend"], server["base_url"])
        if before and all(server[name] == before[0][name] for name in ASKED):
            st.caption("The same server and model as server A: an A/A check.")
        if len(cards) > 1 and not alone:
            _buttons(number, first=not before)
    return server


def _buttons(number: int, first: bool) -> None:
    with st.container(horizontal=True, gap="small"):
        if not first:
            st.button(
                "Make baseline",
                key=f"{fields.PREFIX}{number}-first",
                type="tertiary",
                on_click=_make_first,
                args=(number,),
            )
        st.button(
            "Remove",
            key=f"{fields.PREFIX}{number}-remove",
            type="tertiary",
            on_click=_remove,
            args=(number,),
        )


def _add_button(count: int, last: Fields) -> None:
    st.button(
        f"Add server {letter(count)}",
        key=f"{fields.PREFIX}add",
        icon=":material/add:",
        on_click=_add,
        args=(last,),
        help="Compare servers side by side. The same server twice is an A/A check: any difference "
        "is noise.",
    )


def _cards(others: list[Fields]) -> dict[int, Fields]:
    """Return the initial fields of each card in the order of display, by the number in its widgets'
    keys. A number is never reused."""
    cards: dict[int, Fields] = st.session_state.setdefault(
        CARDS, {1: {}} | dict(enumerate(others, 2))
    )
    return cards


def _first(start: RunConfig, changes_of_card: Fields) -> RunConfig:
    own = {"base_url": None, "model": ""} if "backend" in changes_of_card else {}
    return start.model_copy(update=own | changes_of_card)


def _add(last: Fields) -> None:
    """Add a server with the fields of the last one."""
    url_state.touched()
    cards = _cards([])
    st.session_state[CARDS] = cards | {max(cards) + 1: dict(last)}


def _remove(number: int) -> None:
    url_state.touched()
    cards = _cards([])
    st.session_state[CARDS] = {n: given for n, given in cards.items() if n != number}
    if number != 1:
        url_state.forget(f"{fields.PREFIX}{number}-")


def _make_first(number: int) -> None:
    url_state.touched()
    cards = _cards([])
    st.session_state[CARDS] = {number: cards[number], **cards}
