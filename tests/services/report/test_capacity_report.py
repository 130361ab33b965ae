"""What a capacity search says as charts, a table, text and plain data."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import altair as alt
import pytest

from services.ask.config import RunConfig
from services.ask.plan import duration
from services.base.units import significant
from services.report.capacity import capacity_document, capacity_text, reasons, sentences, verdicts
from services.report.capacity_points import measured_table, operating_points_table
from services.report.charts.capacity import CAPACITY_CHARTS, CapacityChart
from services.report.charts.frame import spec
from services.report.export.capacity_contents import capacity_contents
from services.report.export.capacity_files import (
    CAPACITY_EXPORTS,
    CapacityExport,
    capacity_export,
    capacity_hash,
)
from services.studies.capacity import Capacity
from services.studies.capacity_wording import short_answer
from tests.capacities import FIRST, SECOND, config_of_servers, searched
from tests.services.analysis.capacity.queue import Queue


def one() -> Capacity:
    return searched(config_of_servers())


def two() -> Capacity:
    return searched(config_of_servers(2), (FIRST, SECOND))


@pytest.mark.slow
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


def test_a_mark_does_not_cover_that_of_another_server() -> None:
    drawn = CAPACITY_CHARTS[0].draw(two(), False)
    assert drawn is not None
    shown = spec(drawn, False)
    marks = next(layer for layer in shown["layer"] if "size" in layer["encoding"])
    scale = marks["encoding"]["size"]["scale"]
    assert scale["type"] == "ordinal", "Vega-Lite's own choice has no size for a single server"
    first, second = scale["range"]
    assert first > 2 * second, "those of the second server are drawn above"
    order = list(dict.fromkeys(row["server"] for row in shown["datasets"]["dots"]))
    assert order == scale["domain"]


def test_a_search_without_probes_has_no_charts() -> None:
    empty = Capacity(1, "", "", one().created_at, config_of_servers(), "running", ())
    assert [chart.draw(empty, False) for chart in CAPACITY_CHARTS] == [None] * len(CAPACITY_CHARTS)


def test_two_loads_between_which_the_capacity_is_are_a_band_without_a_line() -> None:
    search = one()
    first_miss = next(
        i
        for i, probe in enumerate(search.probes)
        if probe.observation and probe.observation.misses[0].count
    )
    early = replace(search, probes=search.probes[: first_miss + 1], status="running")
    estimate = early.estimate_so_far(0)
    assert estimate is not None and estimate.kind == "bracket"
    drawn = CAPACITY_CHARTS[0].draw(early, False)
    assert drawn is not None
    shown = spec(drawn, False)
    ((low, high, value),) = [
        (row["low"], row["high"], row["value"]) for row in shown["datasets"]["bands"]
    ]
    assert (low, high, value) == (estimate.low, estimate.high, None)
    text = " ".join(shown["title"]["subtitle"])
    assert "between which loads the capacity is" in text
    assert "95 %" not in text
    assert short_answer(early).startswith("between ")


def test_a_search_that_goes_on_or_was_cut_short_says_so_in_sentences() -> None:
    done, lost = one().probes[:3], replace(one().probes[3], observation=None, point=None)
    going = replace(one(), probes=(*done, lost), status="running")
    for status, outcome, more in (
        ("running", "being measured", ""),
        ("failed", "cut short", " and one cut short"),
    ):
        search = replace(going, status=status)
        assert sentences(search) == [
            "The capacity of 127.0.0.1:8000 · Qwen3-8B is between 8.00 and 43.7 requests/s at "
            f"TTFT p95 ≤ 500 ms so far, after 3 probes{more}."
        ]
        texts = [row[2] for row in operating_points_table(search).rows]
        assert texts.count(outcome) == 1, texts
    unknown = replace(going, probes=())
    assert sentences(unknown) == ["The capacity of 127.0.0.1:8000 · Qwen3-8B is not known yet."]


def test_loads_far_below_the_capacity_are_left_out_of_the_chart_only_if_sustained() -> None:
    search = one()
    drawn = CAPACITY_CHARTS[0].draw(search, False)
    assert drawn is not None
    shown = spec(drawn, False)
    loads = {row["load"] for row in shown["datasets"]["dots"]}
    left_out = [probe for probe in search.probes if probe.load not in loads]
    found = search.final_estimate(0)
    assert found and found.low and left_out
    assert all(probe.load < found.low / 2 for probe in left_out)
    note = f"{len(left_out)} runs at lower loads, all sustained"
    assert note in " ".join(shown["title"]["subtitle"])
    first = search.probes[0]
    assert first.observation is not None
    missed = replace(first.observation, growing=True)
    odd = replace(search, probes=(replace(first, observation=missed), *search.probes[1:]))
    drawn = CAPACITY_CHARTS[0].draw(odd, False)
    assert drawn is not None
    assert first.load in {row["load"] for row in spec(drawn, False)["datasets"]["dots"]}


def test_the_tables_have_a_row_for_each_probe_the_lowest_load_first() -> None:
    outcomes, measured = operating_points_table(one()), measured_table(one())
    assert outcomes.columns == ("Run", "Requests/s", "Sustained", "Met the objective", "TTFT p95")
    assert {"Output throughput (tokens/s)", "Max KV cache", "Preemptions"} <= set(measured.columns)
    for table in (outcomes, measured):
        loads = [float(row[1]) for row in table.rows]
        assert loads == sorted(loads) and len(loads) == len(one().probes)
    assert operating_points_table(two()).columns[1] == measured_table(two()).columns[1] == "Server"


def test_which_loads_were_sustained_fits_on_a_phone() -> None:
    assert not operating_points_table(two()).is_wide
    assert measured_table(two()).is_wide


def test_the_median_and_p95_of_a_latency_are_in_one_column() -> None:
    table = measured_table(one())
    *_, (median, p95) = (
        row[table.columns.index("TTFT median, p95")].split("\n") for row in table.rows
    )
    assert median.endswith(" s") and p95.endswith(" s")


def test_text_and_data_say_where_throughput_stops_rising() -> None:
    assert "Throughput stops rising at about" in capacity_text(one())
    (server,) = capacity_document(one())["servers"]
    assert server["knee"] == pytest.approx(40, rel=0.05) and server["curve"]
    assert capacity_document(one())["probes"][0]["point"]["requests_per_s"] > 0


def test_a_reason_that_applies_to_both_servers_is_shown_once() -> None:
    alike = reasons(searched(config_of_servers(2), (FIRST, FIRST)))
    assert len(alike) == 2 and all(reason.startswith("A and B, each: ") for reason in alike)
    apart = replace(two(), probes=tuple(p for p in two().probes if p.server == 0 or p.load < 9))
    assert [reason.partition(": ")[0] for reason in reasons(apart)] == ["A", "A"]
    assert reasons(one())[0].startswith("The interval is within"), "a single server has no letter"


@pytest.mark.slow
@pytest.mark.parametrize("entry", CAPACITY_EXPORTS, ids=lambda entry: entry.name)
def test_no_exported_file_contains_paths_or_prompts(entry: CapacityExport) -> None:
    capacity = one()
    (server,) = capacity.config.servers
    server = server.model_copy(update={"model": "/home/me/Qwen3-8B", "prompts": ("my secret",)})
    config = capacity.config.model_copy(update={"servers": (server,)})
    text = entry.write(replace(capacity, config=config)).decode()
    assert "Qwen3-8B" in text or entry.name == "capacity.csv"
    assert "/home/me" not in text and "my secret" not in text


def test_the_csv_has_a_row_for_each_probe() -> None:
    rows = list(csv.DictReader(io.StringIO(capacity_export("capacity.csv").write(one()).decode())))
    assert len(rows) == len(one().probes)
    assert (rows[0]["load"], rows[0]["unit"], rows[0]["run"]) == ("1.0", "requests/s", "1")
    assert {"ttft:p95<0.5 missed", "tokens_per_s", "kv_cache_share"} <= rows[0].keys()


@pytest.mark.long
def test_the_page_begins_with_what_the_server_takes_and_has_every_chart() -> None:
    page = capacity_export("capacity.html").write(two()).decode()
    assert "sustains" in page[: page.index("<table")]
    assert all(chart.question in page for chart in CAPACITY_CHARTS)
    assert "Operating points" in page and "Max probes" in page


@pytest.mark.parametrize("name", ["capacity.md", "capacity.html"])
def test_files_say_how_long_was_measured(name: str) -> None:
    total = duration(sum(probe.window_s for probe in one().probes))
    text = capacity_export(name).write(one()).decode().replace("\xa0", " ")
    assert f"Measured for {total} in total" in text


def test_a_setting_of_the_second_server_alone_is_in_the_configuration() -> None:
    search = two()
    first, second = search.config.servers
    servers = (first, second.model_copy(update={"extra_body": {"cache": True}}))
    config = search.config.model_copy(update={"servers": servers})
    tables = capacity_contents(replace(search, config=config)).circumstances
    table = next(each for each in tables if each.title == "Configuration")
    assert ("extra_body.cache", "–", "yes") in table.rows
    assert not set(RunConfig.model_fields) & {name for name, *_ in table.rows}


def test_the_json_is_the_document_with_its_hash() -> None:
    document = json.loads(capacity_export("capacity.json").write(one()))
    assert document["schema"] == "paceline/capacity/1"
    assert document["content_sha256"] == capacity_hash(one())
    assert capacity_hash(replace(one(), name="Other")) == document["content_sha256"]
    assert capacity_hash(two()) != document["content_sha256"]


def test_the_document_says_whether_its_bounds_are_beyond_chance() -> None:
    """One probe at the only loads tried shows nothing yet, in words and in data."""
    few = searched(config_of_servers(highest=8.0))
    short = replace(few, probes=tuple(each for each in few.probes if each.load == 1.0)[:1])
    ended = searched(config_of_servers(lowest=1.0, highest=8.0)).conclusions[0]
    assert ended is not None and ended.why == "highest"
    (server,) = capacity_document(few)["servers"]
    assert (server["at_least"], server["beyond_chance"]) == (8.0, ended.shown)
    assert ("probably" in capacity_text(few)) is not server["beyond_chance"]
    (open_,) = capacity_document(short)["servers"]
    assert open_["beyond_chance"] is None, "it goes on"


def test_a_server_that_sustains_the_highest_load_is_compared_by_its_bound() -> None:
    both = searched(config_of_servers(2, highest=64.0), (FIRST, Queue(8, 50.0)))
    first, second = (each for each in both.conclusions if each is not None)
    assert second.why == "highest" and both.ratios == (None,)
    (sentence,) = verdicts(both)
    assert first.estimate is not None and first.estimate.high is not None
    times = significant(64 / first.estimate.high)
    assert sentence.startswith(f"B (127.0.0.1:8001) sustains at least {times}× the load of A (")
    (entry,) = capacity_document(both)["ratios"]
    assert entry["verdict"] == "more" and entry["ratio"] is None and entry["high"] is None
    assert sentence in capacity_text(both)
