"""A leaderboard of any runs: speed against throughput or price, and their ranks.

The URL holds the selection: `?runs=12,15,…`, or the filters of History, which select the newest
matching runs: `?tag=nightly&model=…`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import streamlit as st

from db import runs
from db.database import opened
from db.runs import RunNotFound
from pages.widgets import tabular, url_state
from pages.widgets.chart_panel import captioned
from pages.widgets.view import dark, not_a_run_number, plain, run_numbers, stop_with
from services.analysis.compare import FEWEST, MOST
from services.analysis.compare.labels import names
from services.analysis.pareto import LeaderboardEntry, Measure, leaderboard_entry
from services.ask.measurement import Run
from services.report import leaderboard
from services.report.charts import spec
from services.report.charts.pareto import pareto
from services.report.leaderboard import Against

Option = TypeVar("Option", bound=str)
PREFIX = "leaderboard-"
MAX_SHOWN = 100  # runs
FILTERS = ("text", *runs.FILTERS)  # the same as in History
AGAINST: dict[Against, str] = {"throughput": "Output throughput", "price": "Price"}
RANKED_BY: dict[Measure, str] = {
    "throughput": "Output throughput",
    "speed": "Tokens/s per request",
    "price": "Price",
}
NOTHING_TO_DRAW = {
    "price": "None of these runs has a price. Set a price per hour on *Run* or on a saved server.",
    "throughput": "None of these runs has answers with a known token count.",
}


def chosen(parameters: dict[str, str]) -> list[int]:
    """Return the runs in the URL, or the newest that match its filters."""
    if "runs" in parameters:
        numbers, bad = run_numbers(parameters["runs"])
        if bad:
            stop_with(not_a_run_number(bad), "A link ends in ?runs=12,15.")
        ids = list(dict.fromkeys(numbers))
        if len(ids) > MAX_SHOWN:
            st.caption(f"Showing the first {MAX_SHOWN} of {len(ids)} runs.")
        return ids[:MAX_SHOWN]
    filters: Any = {name: parameters[name] for name in FILTERS if parameters.get(name)}
    matching = runs.search(opened(), limit=MAX_SHOWN, **({"status": "done"} | filters))
    return [row.id for row in matching]


def choose(name: str, options: dict[Option, str], first: str, title: str) -> Option:
    """Ask for one of several options, which is kept in the URL."""
    default = next((option for option in options if option == first), next(iter(options)))
    choice: Option | None = st.segmented_control(
        title,
        list(options),
        format_func=lambda option: options[option],
        required=True,
        **url_state.keyed(PREFIX + name, default),
    )
    return choice or default


def load(ids: list[int]) -> list[Run]:
    try:
        return runs.load_many(opened(), ids)
    except RunNotFound as error:
        stop_with(str(error), "Remove it from the link.")


def show(standings: list[LeaderboardEntry], by: Measure, against: Against) -> None:
    """Show the chart and the ranking; a name links to its run."""
    drawn = pareto(standings, against, by, dark(), links=True)
    if drawn is None:
        st.info(NOTHING_TO_DRAW[against])
    else:
        st.vega_lite_chart(
            captioned(spec(drawn, dark())),
            key=f"pareto-{against}",
            theme=None,
            width="stretch",
            alt=f"Speed of each run against its {against}",
        )
    table = leaderboard.leaderboard(standings, by, against)
    by_label = {each.label: each.run_id for each in standings}
    rows = [
        [rank, f"[{plain(label)}](/result?run={by_label[label]})", *map(tabular.cell, rest)]
        for rank, label, *rest in table.rows
    ]
    tabular.show_rows(table.title, rows, table, numbered=True)
    st.markdown(f":small[{plain(table.note)}]")


st.title("Leaderboard", anchor=False)
st.caption(
    "Runs ranked by output throughput, tokens/s per request or price, and those with the best "
    "trade-off between two of these."
)
touched = url_state.watch(PREFIX)
parameters = url_state.parameters()
ids = chosen(parameters)
if len(ids) < FEWEST:
    few = "A leaderboard needs at least two runs that are done."
    stop_with(few, "Select them in History, or start some.", empty=not runs.count(opened()))
loaded = load(ids)
summaries = runs.headlines(opened(), ids)
standings = [
    leaderboard_entry(run.id, label, summaries.get(run.id, {}), run.config.model)
    for run, label in zip(loaded, names(loaded), strict=True)
]
with st.container(horizontal=True, vertical_alignment="bottom"):
    against = choose(
        "against", AGAINST, parameters.get("against", ""), "Plot tokens/s per request against"
    )
    by = choose("by", RANKED_BY, parameters.get("by", ""), "Rank by")
    best = leaderboard.pareto_front_ids(standings, against)
    if FEWEST <= len(best) <= MOST:
        st.page_link(
            "compare.py",
            label="Compare the Pareto front",
            icon=":material/compare_arrows:",
            query_params={"runs": ",".join(map(str, best))},
        )
if reservations := leaderboard.differences_note(standings, summaries.values()):
    st.warning(plain(reservations), icon=":material/rule:")
show(standings, by, against)
if touched:
    kept = {name: parameters[name] for name in ("runs", *FILTERS) if name in parameters}
    url_state.update(kept | {"against": against, "by": by})
