"""A chart on a page: its question above it, its pictures to take away below it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.widgets.view import dark, shared
from services.charts import Chart, png, spec, svg
from services.compare import Candidate


def draw(chart: Chart, candidates: Sequence[Candidate], key: str) -> None:
    """Draw one chart of the table CHARTS, or say why there is nothing to draw."""
    st.subheader(chart.question, anchor=chart.name)
    drawn = chart.draw(candidates, dark=dark())
    if drawn is None:
        st.caption(chart.nothing)
        return
    st.vega_lite_chart(spec(drawn, dark()), key=f"{key}-{chart.name}", theme=None, width="stretch")
    if not shared():
        _take_away(chart, candidates, key)


def _take_away(chart: Chart, candidates: Sequence[Candidate], key: str) -> None:
    name = f"paceline-{chart.name}-{'-'.join(str(c.run.id) for c in candidates)}"

    def picture(write: object) -> bytes:
        light = chart.draw(candidates)
        assert light is not None and callable(write)
        data: bytes = write(light)
        return data

    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        for label, write, mime in (("PNG", png, "image/png"), ("SVG", svg, "image/svg+xml")):
            st.download_button(
                label,
                data=lambda write=write: picture(write),
                file_name=f"{name}.{label.lower()}",
                mime=mime,
                key=f"{key}-{chart.name}-{label}",
                icon=":material/image:",
                type="tertiary",
                on_click="ignore",
                help=f"This chart as {label}",
            )
