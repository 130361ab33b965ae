"""What a capacity search says as charts, a table, text and plain data."""

from __future__ import annotations

import altair as alt
import pytest

from services.report.capacity import capacity_document, capacity_text
from services.report.capacity_points import operating_points_table
from services.report.charts.capacity import CAPACITY_CHARTS, CapacityChart
from services.report.charts.frame import spec
from services.studies.capacity import Capacity
from tests.capacities import FIRST, SECOND, config_of_servers, searched


def one() -> Capacity:
    return searched(config_of_servers())


def two() -> Capacity:
    return searched(config_of_servers(2), (FIRST, SECOND))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("chart", CAPACITY_CHARTS, ids=lambda chart: chart.name)
def test_a_chart_of_a_search_is_valid_and_has_both_servers(
    chart: CapacityChart, dark: bool
) -> None:
    drawn = chart.draw(two(), dark)
    assert drawn is not None
    drawn_spec = spec(drawn, dark)
    alt.LayerChart.from_dict(drawn_spec)  # validates against Vega-Lite's schema
    assert drawn_spec["width"] == "container"
    rows = drawn_spec["datasets"].get("points") or drawn_spec["datasets"]["dots"]
    assert len({row["server"] for row in rows}) == 2


def test_a_chart_of_nothing_is_none() -> None:
    empty = Capacity(1, "", "", one().created_at, config_of_servers(), "running", ())
    assert [chart.draw(empty, False) for chart in CAPACITY_CHARTS] == [None] * len(CAPACITY_CHARTS)


def test_the_table_has_a_row_for_each_probe_the_lowest_load_first() -> None:
    table = operating_points_table(one())
    assert table.columns[:4] == ("Requests/s", "Sustained", "Met the objective", "TTFT p95")
    assert table.columns.count("TTFT p95") == 1 and table.columns[-1] == "Run"
    assert {"Output tokens/s", "KV cache, most", "Preemptions"} <= set(table.columns)
    loads = [float(row[0]) for row in table.rows]
    assert loads == sorted(loads) and len(loads) == len(one().probes)
    assert operating_points_table(two()).columns[0] == "Server"


def test_text_and_data_say_where_throughput_stops_rising() -> None:
    assert "Throughput stops rising at about" in capacity_text(one())
    (server,) = capacity_document(one())["servers"]
    assert server["knee"] == pytest.approx(40, rel=0.05) and server["curve"]
    assert capacity_document(one())["probes"][0]["point"]["requests_per_s"] > 0
