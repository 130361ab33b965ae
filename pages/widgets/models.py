"""The models that a server lists, asked for at most every few seconds."""

from __future__ import annotations

import os

import streamlit as st

from services.visit import models


@st.cache_data(ttl=10, show_spinner="Asking the server for its models …", max_entries=50)
def listed(backend: str, base_url: str | None) -> tuple[tuple[str, ...], str | None]:
    """Return (models, None), or (no models, a sentence that says what is wrong)."""
    return models(backend, base_url, os.environ)
