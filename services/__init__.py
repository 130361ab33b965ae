"""Measure and compute: no Streamlit, no database."""
