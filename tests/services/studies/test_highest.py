"""The configuration with the highest capacity: which searches a study makes, and what they say."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.analysis.capacity import Misses, Observation
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.report.charts.study_capacity import study_capacities
from services.report.export.study_capacity_files import STUDY_CAPACITY_EXPORTS
from services.report.study_capacity import (
    capacity_table,
    study_capacity_document,
    study_capacity_hash,
    study_capacity_text,
)
from services.servers.engines import EngineConfig
from services.studies.capacity import Capacity, Status
from services.studies.capacity_probe import Probe
from services.studies.capacity_wording import search_seconds
from services.studies.estimate import START_S, estimate_searches
from services.studies.grid import planned
from services.studies.highest import StudySearch, final_searches, highest, search_config
from services.studies.highest_wording import sentences
from services.studies.parallel import Parallel
from services.studies.study import Study
from services.studies.study_config import StudyCapacity, parse_study
from services.studies.study_link import query, read

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEARCH = StudyCapacity(starts=2)
A, B, C = (EngineConfig(max_seqs=size) for size in (1, 2, 4))
STUDY = read({"preset": "capacity", "engine": "vllm", "starts": "2", "parallel": "TP=1"})


def search(
    number: int,
    engine: EngineConfig,
    capacity: float | None,
    start: int = 0,
    status: Status = "done",
    error: str | None = None,
    **run: Any,
) -> StudySearch:
    """A search whose requests began to be missed between 3 % below and above `capacity`."""
    probes = _probes(capacity) if capacity else ()
    config = search_config(SEARCH, RunConfig(**run))
    found = Capacity(number, "one", "", NOW, config, status, probes, error, start=start)
    return StudySearch(engine, found)


def _probes(capacity: float) -> tuple[Probe, ...]:
    # 1,000 requests each: none missed below, half of them above, so that the response is a cliff
    loads = (1.0, *(capacity * share for share in (0.8, 0.97, 1.03, 1.3)))
    seen = [Observation(x, (Misses(1000 * (x > capacity), 1000, 1.0),), 10, 60.0) for x in loads]
    return tuple(Probe(0, one.load, 60, 1, one) for one in seen)


def study(*searches: StudySearch) -> Study:
    return Study(1, "Which?", "", NOW, STUDY, (), (), searches)


def test_the_two_best_are_repeated_on_interleaved_fresh_starts() -> None:
    found = [search(1, A, 20), search(2, B, 40), search(3, C, 30)]
    following = final_searches(found, SEARCH)
    assert [one.engine for one in following] == [B, C, C, B]
    assert [one.start for one in following] == [1, 1, 2, 2]
    assert following[0].config.lowest < 40 < following[0].config.highest < 100
    again = [search(4 + n, one.engine, 35, one.start) for n, one in enumerate(following)]
    assert not final_searches([*found, *again], SEARCH), "only once"


def unsure(number: int, engine: EngineConfig, *seen: tuple[float, int, int, float]) -> StudySearch:
    """A search that used all of its probes: (load, misses, requests, dispersion) of each."""
    config = search_config(SEARCH.model_copy(update={"probes": len(seen)}), RunConfig())
    each = [Observation(load, (Misses(count, n, d),), 10, 60.0) for load, count, n, d in seen]
    probes = tuple(Probe(0, one.load, 60, 1, one) for one in each)
    return StudySearch(engine, Capacity(number, "one", "", NOW, config, "done", probes, None))


# As measured on real vLLM with windows of 6 s: answers in step make misses come together.
OPEN = (
    *((4, 0, 12, 1.0), (32, 64, 64, 1.0), (4, 0, 12, 1.0), (11, 0, 33, 1.0)),
    *((22, 106, 200, 18.5), (25, 25, 50, 11.3)),
)


def test_a_configuration_with_a_wide_bracket_is_not_ranked_by_its_lower_end() -> None:
    """A sustains 11 and misses 22: likely more than the 12 of B, which is known better."""
    first = [search(1, B, 12), unsure(2, A, *OPEN)]
    assert first[1].bounds == (11, 22) and first[1].found is None
    (said,) = sentences(study(*first))
    assert said.startswith(
        "max seqs 1 probably sustains at least 11.0 and less than 22.0 requests/s at "
    )
    assert "measured again on fresh starts before there is a verdict" in said
    following = final_searches(first, SEARCH)
    assert [one.engine for one in following] == [A, B, B, A]
    assert (following[0].config.lowest, following[0].config.highest) == (5.5, 44)


def test_the_most_is_not_claimed_beside_a_capacity_without_an_upper_limit() -> None:
    first = [search(1, B, 12), unsure(2, A, *((x, 0, 60, 1.0) for x in (1, 8, 9, 11)))]
    assert first[1].bounds is None and first[1].at_least == 11
    (said,) = sentences(study(*first))
    assert "sustained the most" not in said
    assert (
        "max seqs 1 probably sustains at least 11.0 requests/s" in said
        and "may sustain more" in said
    )
    assert "no upper limit" in said and not final_searches(first, SEARCH)


@pytest.mark.parametrize("status", ["running", "cancelled", "interrupted"])
def test_no_fresh_start_follows_before_every_search_has_ended(status: Status) -> None:
    assert not final_searches(
        [search(1, A, 20), search(2, B, 40), search(3, C, None, 0, status)], SEARCH
    )


def test_an_engine_that_cannot_start_does_not_stop_the_comparison() -> None:
    out_of_memory = search(3, C, None, 0, "failed", "The GPU ran out of memory.")
    found = [search(1, A, 20), search(2, B, 40), out_of_memory]
    assert {one.engine.max_seqs for one in final_searches(found, SEARCH)} == {1, 2}
    table = capacity_table(study(*found))
    assert [line[0].rpartition(" ")[2] for line in table.rows] == ["2", "1", "4"], "best first"
    assert table.rows[2][1:] == ("The GPU ran out of memory.", "–", "failed")
    assert [line[0] for line in table.rows] == ["max seqs 2", "max seqs 1", "max seqs 4"]
    assert table.columns[1] == "Capacity (requests/s, 95 %)"
    assert re.fullmatch(r"[\d.]+ \([\d.]+–[\d.]+\)|[\d.]+–[\d.]+", table.rows[0][1])
    assert table.note.startswith("All are vLLM · TP 1. ")


def test_the_verdict_is_by_the_fresh_starts_alone() -> None:
    first = [search(1, A, 20), search(2, B, 40)]
    again = [search(3, B, 30, 1), search(4, A, 20, 1), search(5, A, 20, 2), search(6, B, 30, 2)]
    (found,) = highest([*first, *again], SEARCH)
    assert found.ratio is not None
    assert (found.ratio.value, found.ratio.word) == (pytest.approx(1.5, rel=0.01), "more")
    (said,) = sentences(study(*first, *again))
    assert said.startswith("max seqs 2 sustains 1.50× (95 % interval ")
    assert said.endswith("Measured alternately, on 2 fresh starts of each.")
    document = study_capacity_document(study(*first, *again))
    assert document["verdicts"][0]["verdict"] == "more"
    third = search(7, A, None, 3, "running")
    interim, _ = sentences(study(*first, *again, third))
    assert interim.startswith("So far, max seqs 2 sustains"), "another start follows"
    assert [row["start"] for row in document["searches"]] == [0, 0, 1, 1, 2, 2]
    assert "fresh starts" in study_capacity_text(study(*first, *again))
    assert study_capacities(study(*first, *again)) is not None


def test_before_the_fresh_starts_there_is_no_verdict() -> None:
    found = [search(1, A, 20), search(2, B, 40)]
    assert "before there is a verdict" in sentences(study(*found))[0]
    none = [search(1, A, None, 0, "failed", "x"), search(2, B, None, 0, "failed", "y")]
    assert sentences(study(*none)) == ["No configuration sustains a load."]
    one = [search(1, A, 20), search(2, B, None, 0, "failed", "y")]
    assert "Fewer than two configurations" in sentences(study(*one))[0]
    going = study(search(1, A, None, 0, "running"))
    assert sentences(going) == ["Nothing is known yet.", "0 of 1 searches ended."]
    assert study_capacities(going) is None


def test_the_chart_names_each_configuration_that_ended_without_a_capacity() -> None:
    failed, going = search(2, B, None, 0, "failed", "y"), search(3, C, None, 0, "running")
    drawn = study_capacities(study(search(1, A, 20), failed, going))
    assert drawn is not None
    said = " ".join(drawn.title.subtitle)
    assert said.endswith("Not shown, since no capacity is known: max seqs 2.")


@pytest.mark.parametrize("status", ["cancelled", "interrupted"])
def test_an_interrupted_search_is_not_a_result(status: Status) -> None:
    """Neither of the searches that come first, nor of the fresh starts."""
    none = [search(number, one, None, 0, status) for number, one in enumerate((A, B))]
    assert sentences(study(*none)) == ["Nothing is known yet."]
    (said,) = sentences(study(search(1, A, 20), search(2, B, None, 0, status)))
    assert "The study was interrupted. Resume it: the two best" in said
    first = [search(1, A, 20), search(2, B, 40)]
    (said,) = sentences(study(*first, search(3, B, 30, 1), search(4, A, None, 1, status)))
    assert "The study was interrupted" in said


def test_one_fresh_start_of_each_is_no_verdict() -> None:
    """How much starts differ among each other is not known of one."""
    first = [search(1, A, 20), search(2, B, 40)]
    one = [search(3, B, 30, 1), search(4, A, 20, 1)]
    failed = [search(5, A, None, 2, "failed", "x"), search(6, B, 30, 2)]
    (found,) = highest([*first, *one, *failed], SEARCH)
    assert found.ratio is None
    assert "too few for a verdict" in sentences(study(*first, *one, *failed))[0]
    more = [search(5, A, 20, 2), search(6, B, 30, 2), search(7, B, 30, 3)]
    more.append(search(8, A, None, 3, "failed", "x"))
    (said,) = sentences(study(*first, *one, *more))
    assert said.endswith("on 3 fresh starts of the first and 2 of the second.")


def test_a_fresh_start_without_a_capacity_in_its_range_prevents_a_verdict() -> None:
    """B: 40 at first and on one start, but on the other not even the lowest load of its search."""
    first = [search(1, A, 20), search(2, B, 40)]
    again = [search(3, B, 40, 1), search(4, A, 20, 1), search(5, A, 20, 2), search(7, B, 40, 3)]
    again.append(search(8, A, 20, 3))
    assert highest([*first, *again], SEARCH)[0].ratio is not None
    slow = unsure(6, B, *[(1.0, 900, 1000, 1.0)] * 4)
    slow = replace(slow, capacity=replace(slow.capacity, start=2))
    (found,) = highest([*first, *again, slow], SEARCH)
    assert found.ratio is None
    assert "did not sustain the lowest load" in sentences(study(*first, *again, slow))[0]


def test_a_better_configuration_that_is_added_is_measured_again_with_the_one_it_beat() -> None:
    """On fresh starts of its own and of the other; those made before it count no longer."""
    first = [search(1, A, 20), search(2, B, 40)]
    again = [search(3, B, 30, 1), search(4, A, 20, 1), search(5, A, 20, 2), search(6, B, 30, 2)]
    added = search(7, C, 60, 0, "running")
    assert not final_searches([*first, *again, added], SEARCH), "it is searched first"
    added = search(7, C, 60)
    following = final_searches([*first, *again, added], SEARCH)
    assert [(one.engine, one.start) for one in following] == [(C, 3), (B, 3), (B, 4), (C, 4)]
    (said,) = sentences(study(*first, *again, added))
    assert said.endswith("measured again on fresh starts before there is a verdict.")
    levels = {B: 35, C: 50}
    more = [search(8 + n, e.engine, levels[e.engine], e.start) for n, e in enumerate(following)]
    (found,) = highest([*first, *again, added, *more], SEARCH)
    assert found.ratio is not None and found.ratio.value == pytest.approx(50 / 35, rel=0.01)
    (said,) = sentences(study(*first, *again, added, *more))
    assert said.endswith("Measured alternately, on 2 fresh starts of each.")
    assert not final_searches([*first, *again, added, *more], SEARCH), "only once"


def test_a_worse_configuration_that_is_added_changes_no_verdict() -> None:
    first = [search(1, A, 20), search(2, B, 40), search(7, C, 10)]
    again = [search(3, B, 30, 1), search(4, A, 20, 1), search(5, A, 20, 2), search(6, B, 30, 2)]
    assert not final_searches([*first, *again], SEARCH)
    (found,) = highest([*first, *again], SEARCH)
    assert found.ratio is not None and found.ratio.value == pytest.approx(1.5, rel=0.01)


def test_every_export_of_a_study_has_the_same_hash_and_no_paths() -> None:
    engines = [EngineConfig(model=f"/home/me/{name}") for name in ("small", "large")]
    ca_file = "/home/me/ca.pem"
    found = study(
        search(1, engines[0], 20, ca_file=ca_file),
        search(2, engines[1], None, 0, "failed", "Out of memory, /home/x", ca_file=ca_file),
    )
    files = {entry.name: entry.write(found).decode() for entry in STUDY_CAPACITY_EXPORTS}
    assert set(files) == {"study.csv", "study.json", "study.md", "study.html"}
    for text in files.values():
        assert "/home" not in text and "small" in text and "Out of memory" in text
    rows = list(csv.DictReader(files["study.csv"].splitlines()))
    assert len(rows) == 2 and "engine_model" in rows[0]
    assert rows[0]["capacity"].startswith("19.9") and rows[0]["unit"] == "requests/s"
    assert all("Measured for" in files[f"study.{kind}"] for kind in ("md", "html"))
    digest = study_capacity_hash(found)
    assert orjson.loads(files["study.json"])["content_sha256"] == digest
    assert digest in files["study.html"]
    assert study_capacity_hash(replace(found, id=9, name="Other")) == digest
    assert study_capacity_hash(study(search(1, engines[0], 21))) != digest


def test_the_result_of_a_search_is_computed_once() -> None:
    """A page asks for it dozens of times."""
    one = search(1, A, 30.0)
    assert one.ended is not None
    assert one.ended is search(2, A, 30.0).ended, "it follows from the probes alone"
    assert one.ended is not search(3, A, 40.0).ended


def test_the_recommended_number_of_fresh_starts_is_whole() -> None:
    first = [search(1, A, 20), search(2, B, 20.5)]
    levels = ((A, 20.0), (B, 21.5), (B, 20.5), (A, 21.0))
    again = [search(3 + n, one, level, 1 + n // 2) for n, (one, level) in enumerate(levels)]
    (said,) = sentences(study(*first, *again))
    assert re.search(r"About \d+ fresh starts of each would settle it\.$", said), said


def test_each_length_of_answers_has_its_own_verdict() -> None:
    long = RunConfig(max_tokens=999)
    others = [
        replace(one, capacity=replace(one.capacity, config=search_config(SEARCH, long)))
        for one in (search(11, A, 5), search(12, B, 9))
    ]
    found = highest([search(1, A, 40), search(2, B, 20), *others], SEARCH)
    assert [each.ranked[0].engine for each in found] == [A, B]
    assert len(final_searches([search(1, A, 40), search(2, B, 20), *others], SEARCH)) == 8


def test_the_document_of_a_study_has_no_paths() -> None:
    """Engines that differ only in a folder stay different."""
    here, there = (EngineConfig(model=f"/home/{who}/Qwen3-8B") for who in ("me", "you"))
    error = "No file /home/me/Qwen3-8B/config.json."
    document = study_capacity_document(
        study(search(1, here, 20), search(2, there, None, 0, "failed", error))
    )
    assert "/home" not in str(document) and "Qwen3-8B" in str(document)
    assert len({row["engine"]["model"] for row in document["searches"]}) == 2


def test_a_plan_counts_the_fresh_starts() -> None:
    grid = planned(STUDY.model_copy(update={"axes": ("max_seqs=1,2,4",)}), lambda engine: None)
    ahead = estimate_searches(STUDY, grid, lambda name: 60.0)
    assert (ahead.cells, ahead.starts, ahead.fresh) == (7, 7, 2)
    assert "2 fresh starts of each of the two best" in ahead.sentence
    assert ahead.between[0] < ahead.between[1]


def test_each_engine_costs_by_its_own_devices() -> None:
    priced = STUDY.model_copy(
        update={"parallel": (Parallel(), Parallel(tp=8)), "usd_per_gpu_hour": 1.0}
    )
    ahead = estimate_searches(priced, planned(priced, lambda engine: None), lambda name: 0.0)
    usual_s = search_seconds(SEARCH)[0] + START_S  # none was started before
    assert ahead.usd == pytest.approx((1 + 8 + 4 * 8) * usual_s / 3600)
    alone = STUDY.model_copy(update={"parallel": (Parallel(),)})
    ahead = estimate_searches(alone, planned(alone, lambda engine: None), lambda name: 60.0)
    assert ahead.sentence.startswith("1 search on 1 engine,")


def test_a_link_contains_the_search() -> None:
    texts = {"objectives": "tpot:p50<0.05;error_rate<0.01", "load": "users", "highest": "64"}
    asked = read({"preset": "capacity", "engine": "vllm", **texts})
    assert asked.search is not None
    assert asked.search.objectives == ("tpot:p50<0.05", "error_rate<0.01")
    assert read(query(asked)) == asked


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search": None}, "requires the preset capacity"),
        ({"preset": "custom"}, "requires the preset capacity"),
        ({"engine": None, "parallel": [[1, 1, 1]]}, "you do not need a study"),
        ({"batches": [1]}, "batches is set by the capacity search"),
        ({"axes": ["requests=1,2"]}, "requests is set by the capacity search"),
        ({"search": {"objectives": ["ttft:p95>1"]}}, "upper limit"),
        ({"search": {"starts": 1}}, "starts must be at least 2"),
    ],
)
def test_what_cannot_be_searched_is_reported(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidConfig, match=said):
        parse_study({**STUDY.model_dump(), **changes})
