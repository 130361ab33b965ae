"""Tokens for the API if sign-in is on: admins see everyone's, runners their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from db import tokens
from db.database import opened
from db.tokens import DEFAULT_DAYS, LONGEST_DAYS, LONGEST_NAME, Token, TokenNotFound
from pages.widgets import copyable, create_button
from pages.widgets.panels import when
from pages.widgets.view import person, plain, sentences, show_error, stop_with
from services.base.errors import PacelineError
from services.base.roles import Person, Role

MADE = "token-made"  # the new token and its text, kept in the session until it is hidden or revoked


def own_tokens(who: Person) -> str | None:
    """Return whose tokens to show; None: everybody's."""
    return None if who.role == Role.admin else who.name


def form(who: Person) -> None:
    """Show the form for a token, with roles up to the person's own."""
    roles = [role.name for role in Role if who.role and role <= who.role]
    key = create_button.key("create-token")
    with st.form("token", border=True):
        with st.grid(3, min_column_width=180, vertical_alignment="bottom"):
            name = st.text_input(
                "Name", placeholder="nightly", max_chars=LONGEST_NAME, key="token-name"
            )
            role = st.selectbox("Role", roles, key="token-role")
            days = st.number_input(
                "Days until the token expires", 1, LONGEST_DAYS, DEFAULT_DAYS, key="token-days"
            )
        if st.form_submit_button("Create token", type="primary", icon=":material/key:", key=key):
            create(key, who, name, Role[role], int(days))


def create(key: str, who: Person, name: str, role: Role, days: int) -> None:
    try:
        st.session_state[MADE] = create_button.create(
            key, lambda: tokens.create(opened(), name, role, days, who.name)
        )
    except PacelineError as error:
        show_error(error)
        return
    st.rerun()


def show_created(listed: Sequence[Token]) -> None:
    """Show the new token until it is hidden or revoked; it cannot be shown again."""
    made, text = st.session_state.get(MADE, (None, ""))
    if made is None or made.id not in {token.id for token in listed}:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.success(
            plain(f"Token {made.name} created. Copy it now: once hidden, it cannot be shown again.")
        )
        st.button("Hide", key="token-hide", icon=":material/visibility_off:", on_click=hide)
    copyable.show(text, "token")


def hide() -> None:
    st.session_state.pop(MADE, None)


def row(token: Token, who: Person) -> None:
    """Show a token, and a button that revokes it."""
    expired = token.expires_at <= datetime.now(UTC)
    state = "expired" if expired else "expires"
    by = f", by {token.made_by}" if token.made_by and token.made_by != who.name else ""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", border=True
    ):
        with st.container(width="content", gap="xxsmall"):
            st.markdown(f"**{plain(token.name)}**")
            words = f"{token.role} · created {when(token.created_at)}{by} · "
            st.caption(plain(f"{words}{state} {when(token.expires_at)}"))
        st.button(
            "Revoke",
            key=f"revoke-token-{token.id}",
            icon=":material/key_off:",
            on_click=revoke,
            args=(token.id,),
        )


@sentences()
def revoke(token_id: int) -> None:
    who = person()
    try:
        if who is not None:
            tokens.revoke(opened(), token_id, own_tokens(who))
    except TokenNotFound:
        return  # it was already revoked


st.title("API tokens", anchor=False)
asking = person()
if asking is None or asking.role is None or asking.role < Role.runner:
    stop_with("Only runners and admins can create tokens, and only when sign-in is on.")
st.caption(
    "With a token, a program can use the API and /metrics: `Authorization: Bearer TOKEN`. "
    "Only its hash is stored. A token never has more rights than the person who created it."
)
form(asking)
listed = tokens.list_all(opened(), own_tokens(asking))
show_created(listed)
if not listed:
    st.caption("There are no tokens yet.")
for token in listed:
    row(token, asking)
