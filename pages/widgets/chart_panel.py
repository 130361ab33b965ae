"""A chart on a page: its question above it, its downloads as images below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
from altair import LayerChart

from pages.widgets.view import dark, plain, shared
from services.analysis.compare import Candidate
from services.report.charts import Chart, png, spec, svg
from services.report.charts.caption import split_caption
from services.report.charts.picking import pickable
from services.report.charts.scaling import StudyChart, worded
from services.studies.cell import MeasuredCell

Load = Callable[[], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Picking:
    """What can be selected in a chart: its marks by a field and, with `stretch`, a part of its x
    axis. `selected` is called when the selection changes; the selection is in the session under
    `key`. `hint` explains it to the user."""

    key: str
    field: str
    selected: Callable[[], None]
    hint: str
    stretch: bool = False


def draw(
    chart: Chart,
    candidates: Sequence[Candidate],
    key: str,
    load: Load,
    picking: Picking | None = None,
) -> None:
    """Draw one chart of the table CHARTS, or its message if there is nothing to draw; without a
    message, the chart is left out. `load` reads the candidates again, for image files."""
    of = "-".join(str(each.run.id) for each in candidates)
    _draw_chart(chart, candidates, key, of, load, picking)


def draw_study(chart: StudyChart, cells: Sequence[MeasuredCell], study_id: int, load: Load) -> None:
    """Draw one chart of the table STUDY_CHARTS in the same way."""
    _draw_chart(worded(chart, cells), cells, "study", f"study-{study_id}", load)


def _draw_chart(
    chart: Chart | StudyChart,
    shown: Sequence[Any],
    key: str,
    of: str,
    load: Load,
    picking: Picking | None = None,
) -> None:
    drawn = chart.draw(shown, dark=dark())
    if drawn is None and not chart.nothing:
        return
    st.subheader(chart.question, anchor=chart.name)
    if drawn is None:
        st.caption(chart.nothing)
        return
    with st.container(gap="xsmall"):
        _show_chart(spec(drawn, dark()), f"{key}-{chart.name}", chart.question, picking)
        if not shared():
            name = f"{key}-{chart.name}"
            image_buttons(partial(_draw_again, chart, load), name, f"paceline-{chart.name}-{of}")


def draw_alone(drawn: LayerChart, key: str, question: str) -> None:
    """Draw a chart that is not in a table and has no image files, below its question."""
    with st.container(gap="xsmall"):
        st.markdown(f"**{question}**")
        _show_chart(spec(drawn, dark()), key, question, None)


def _show_chart(drawn: dict[str, Any], key: str, question: str, picking: Picking | None) -> None:
    shape: dict[str, Any] = {"theme": None, "width": "stretch", "alt": question}
    drawn = captioned(drawn, picking.hint if picking else "")
    if picking is None:
        st.vega_lite_chart(drawn, key=key, **shape)
        return
    drawn = pickable(drawn, picking.field, picking.stretch)
    st.vega_lite_chart(drawn, key=picking.key, on_select=picking.selected, **shape)


def captioned(drawn: dict[str, Any], hint: str = "") -> dict[str, Any]:
    """Show a chart's caption and the hint; return the chart without its caption."""
    text, bare = split_caption(drawn)
    if above := " ".join(filter(None, (text, hint))):
        st.caption(plain(above))
    return bare


def _draw_again(chart: Chart | StudyChart, load: Load) -> LayerChart | None:
    return chart.draw(load())


def image_buttons(draw: Callable[[], LayerChart | None], key: str, name: str) -> None:
    """Offer a chart as image files. `draw` draws it again in light colours, since images are mostly
    for paper."""
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        for kind, (write, mime) in IMAGE_FORMATS.items():
            st.download_button(
                kind,
                data=partial(_picture, draw, write),
                file_name=f"{name}.{kind.lower()}",
                mime=mime,
                key=f"{key}-{kind}",
                icon=":material/image:",
                type="tertiary",
                on_click="ignore",
                help=f"This chart as {kind}",
            )


def _picture(draw: Callable[[], LayerChart | None], write: Callable[[LayerChart], bytes]) -> bytes:
    drawn = draw()
    assert drawn is not None, "the button stands below a chart that was drawn"
    return write(drawn)


IMAGE_FORMATS: dict[str, tuple[Callable[[LayerChart], bytes], str]] = {
    "PNG": (png, "image/png"),
    "SVG": (svg, "image/svg+xml"),
}
