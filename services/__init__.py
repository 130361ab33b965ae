"""Measure and compute: no Streamlit, no database."""

VERSION = "0.1.0"
