"""What a study says."""

from __future__ import annotations

import streamlit as st

from services.studies.study import Study


def show(study: Study) -> None:
    """Show the report of what is measured so far."""
    st.empty()
