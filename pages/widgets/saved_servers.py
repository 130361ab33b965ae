"""Saved servers: their list, and the form that saves one."""

from __future__ import annotations

import streamlit as st

from db import servers
from db.database import opened
from db.servers import ServerNotFound
from pages.widgets import create_button, save_button, server_check
from pages.widgets.view import code, plain, sentences
from services.ask import about, link
from services.ask.backends import BACKENDS
from services.ask.config import RunConfig
from services.ask.saved_server import SavedServer, saved_server

PREFIX = "server-"
KINDS = [name for name, backend in BACKENDS.items() if backend.kind != "embedded"]
TEXTS = ("base_url", "model", "key_env", "headers")


def show() -> None:
    """Show the saved servers, and the form."""
    st.subheader("Saved servers", anchor=False)
    saved = servers.list_all(opened())
    if not saved:
        st.caption(
            "Save a server once, then pick it by name on *Run*, with `--backend NAME` or over HTTP."
        )
    for server in saved.values():
        _row(server)
    with st.expander("Save a server", icon=":material/add:"):
        _form()


def _row(server: SavedServer) -> None:
    values = server.values
    address = values["base_url"]
    parts = [BACKENDS[values["backend"]].label, code(address) if address else "default address"]
    parts += [plain(values["model"])] if values["model"] else []
    if values["key_env"]:
        parts.append(f"key from {code(values['key_env'])}")
    if values["usd_per_hour"]:
        parts.append(plain(f"US$ {values['usd_per_hour']:g} per hour"))
    with st.container(border=True):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            with st.container(width="content", gap="xxsmall"):
                st.markdown(f"**{plain(server.name)}**")
                st.caption(" · ".join(parts))
            with st.container(horizontal=True, width="content", vertical_alignment="center"):
                pressed = _buttons(server)
        server_check.show(f"saved-{server.name}", pressed, values)


def _buttons(server: SavedServer) -> bool:
    """Show what can be done with a saved server; return whether *Test* was pressed."""
    st.page_link(
        "run.py",
        label="Start a run",
        icon=":material/play_arrow:",
        query_params=link.query(server.values, RunConfig()),
    )
    pressed = server_check.button(f"saved-{server.name}")
    st.button(
        "Delete",
        key=f"{PREFIX}delete-{server.name}",
        icon=":material/delete:",
        on_click=_delete,
        args=(server.name,),
        help="Existing runs do not change.",
    )
    return pressed


@sentences()
def _delete(name: str) -> None:
    try:
        servers.delete(opened(), name)
    except ServerNotFound:
        return  # it was deleted before the button was pressed


def _form() -> None:
    """Ask for the fields of a server. What was typed is kept if it cannot be saved."""
    key = create_button.key("save-server")
    about_fields = about.fields(RunConfig)
    with st.form("new-server", border=False):
        name = st.text_input("Name", placeholder="prod", key=f"{key}-name", max_chars=40)
        backend = st.selectbox(
            "Backend",
            KINDS,
            index=KINDS.index("url"),
            format_func=lambda backend: BACKENDS[backend].label,
            key=f"{key}-backend",
        )
        with st.grid(2, min_column_width=220, vertical_alignment="bottom"):
            texts = {
                field: st.text_input(
                    about_fields[field].label,
                    help=about_fields[field].help,
                    placeholder=EXAMPLES[field],
                    key=f"{key}-{field}",
                )
                for field in TEXTS
            }
        price = st.number_input(
            about_fields["usd_per_hour"].label,
            value=None,
            placeholder=about_fields["usd_per_hour"].empty,
            help=about_fields["usd_per_hour"].help,
            key=f"{key}-usd_per_hour",
        )
        st.caption(
            "Only the name of the key's variable is saved, never the key. In `.env`, set the key "
            "and the address it may be sent to: `PROD_API_KEY` and `PROD_BASE_URL`."
        )
        typed = {field: text.strip() for field, text in texts.items() if text.strip()}
        values = {"backend": backend, "usd_per_hour": price, **typed}
        save_button.show(
            key,
            name.strip(),
            lambda over: servers.save(opened(), saved_server(name.strip(), values), replace=over),
        )


EXAMPLES = {
    "base_url": "http://127.0.0.1:8000/v1",
    "model": "first listed",
    "key_env": "PROD_API_KEY",
    "headers": "X-Route: a",
}
