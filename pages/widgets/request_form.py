"""The request options of the form, collapsed because few people need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import streamlit as st

from pages.widgets import fields
from services.ask import link, request_options
from services.ask.backends.dialects import DIALECTS
from services.ask.config import LengthName, Omittable, RunConfig

FORMATS: dict[str | None, str] = {
    None: "Backend default",
    **{name: f"{known.label} ({known.path})" for name, known in DIALECTS.items()},
}
LENGTH_NAMES = {None: "Backend default", **{name: name for name in get_args(LengthName)}}


def ask(start: RunConfig) -> dict[str, Any]:
    """Ask which fields are omitted from a request and which are added; return those fields."""
    dialect = st.selectbox(
        fields.label("dialect"),
        list(FORMATS),
        format_func=FORMATS.__getitem__,
        placeholder=FORMATS[None],  # shown for None
        **fields.widget_arguments("dialect", start),
    )
    omit = st.multiselect(
        fields.label("omit"),
        get_args(Omittable),
        placeholder="none",
        help="Fields to leave out because the server rejects them",
        **fields.keyed("omit", list(start.omit)),
    )
    length = st.selectbox(
        fields.label("max_tokens_field"),
        list(LENGTH_NAMES),
        format_func=LENGTH_NAMES.__getitem__,
        placeholder=LENGTH_NAMES[None],  # shown for None
        **fields.widget_arguments("max_tokens_field", start),
    )
    lines = [f"{name}: {value}" for name, value in start.headers.items()]
    body = _text("extra_body", link.text_of(start.extra_body), '{"min_p": 0.1}')
    headers = _text("headers", "\n".join(lines), "X-Route: a")
    file = fields.text("ca_file", start, "system certificates")
    values = {
        "dialect": dialect,
        "omit": tuple(omit),
        "max_tokens_field": length,
        "extra_body": _read(request_options.parse_fields, body),
        "headers": _read(request_options.parse_headers, headers),
        "ca_file": file or None,
    }
    others = (name for name in fields.section_fields("request", start) if name not in values)
    return values | fields.columns_of(others, start)


def _text(field: str, first: str, example: str) -> str:
    text: str = st.text_area(
        fields.label(field),
        height=68,
        help=fields.help_of(field),
        placeholder=example,
        **fields.keyed(field, first),
    )
    return text


def _read(read: Callable[[str], Any], text: str) -> Any:
    """Parse a text; return it unchanged if it is invalid, so that validation reports why."""
    try:
        return read(text)
    except ValueError:
        return text
