"""The study's form, its grid before the start, and a study as it is measured, over, and wrong."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

import jobs
from db import capacities, engines, queue, recording, runs, shares, studies, study_searches
from db.database import opened
from db.runs import NewRun
from db.studies import NewCell
from db.study_searches import NewSearch
from jobs import studies as study_jobs
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.servers import engines as serving_engines
from services.servers.engines import EngineConfig
from services.studies.grid import cells
from services.studies.highest import PlannedSearch, search_config
from services.studies.presets import PRESETS
from services.studies.study_config import StudyConfig
from services.studies.study_link import AXES, preset_config, query, read
from tests.pages.conftest import Visit, complaints, link_of, sound, text_of
from tests.values import repeats

LLAMA = {"preset": "custom", "engine": "llamacpp", "batches": "1, 8"}


def submitted(database: Engine, config: StudyConfig) -> int:
    new_cells = [
        NewCell(cell, NewRun(cell.config, "", f"cell {cell.index}")) for cell in cells(config)
    ]
    return studies.create(database, config, "Does it scale?", new_cells)


def measure(database: Engine, factors: Sequence[float]) -> None:
    """Measure the study's cells, each taking a multiple of the first one's time."""
    for factor in factors:
        server = next(iter(engines.list_running(database)), None) or engines.claim(database)
        assert server
        if server.status == "starting":
            engines.ready(database, server.id, {"engine": "vLLM", "device": "core"})
        run = queue.claim(database)
        assert run
        seen: list[Measurement] = repeats(factor)
        recording.add_measurements(database, run.id, seen)
        queue.finish(database, run.id, "done", None, {"output_tokens_per_s": 10 / factor})
        if engines.heartbeat(database, server.id):
            engines.ended(database, server.id)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_opens_its_form_from_a_link(visit: Visit, preset: str) -> None:
    at = visit("study", preset=preset, engine="")
    assert not at.error, at.error[0].value
    assert "Plan" in [subheader.value for subheader in at.subheader]
    assert at.selectbox(key="study-preset").value == preset


def test_the_grid_is_shown_before_it_starts(visit: Visit) -> None:
    at = visit("study", **LLAMA)
    assert [at.text_input(key=f"study-{name}").placeholder for name in AXES] == ["not varied"] * 3
    table = at.dataframe[0].value
    assert list(table["Load"]) == ["batch 1", "batch 8"]
    assert list(table["On this machine"]) == ["can run", "can run"]
    assert "2 cells on 1 engine, started one after another" in text_of(at)


@pytest.mark.long
def test_a_mix_at_several_sizes_has_its_classes_alone_at_each(visit: Visit) -> None:
    at = visit("study", preset="mixed", engine="llamacpp", batches="8, 16")
    assert "6 cells on 1 engine" in text_of(at) and not at.error
    keys = {field.key for field in at.number_input}
    assert "run-long_input_tokens" in keys and "run-interval_s" not in keys


def test_cells_that_cannot_run_here_are_in_the_grid_with_a_reason(visit: Visit) -> None:
    at = visit("study", preset="tensor", engine="vllm", parallel="TP=64", batches="1, 8")
    assert list(at.dataframe[0].value["On this machine"]) == ["cannot run"] * 2
    assert "Cannot run here: vLLM · TP 64." in text_of(at), "not installed, or too few devices"
    assert "2 cells, and none of them can be measured here." in text_of(at)
    (start,) = [button for button in at.button if button.label == "Start study"]
    assert start.disabled


@pytest.mark.parametrize("preset", PRESETS)
def test_start_queues_a_study_of_every_preset(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    """As on a machine where every engine is installed, with devices enough."""
    monkeypatch.setattr(jobs, "ensure", lambda engine: None)  # nothing is started
    monkeypatch.setattr(serving_engines, "preflight", lambda config, devices, env: None)
    at = visit("study", preset=preset)
    (start,) = [button for button in at.button if button.label == "Start study"]
    start.click().run()
    assert not at.exception and not at.error, complaints(at)
    assert len(studies.list_all(database)) == 1


def test_an_engine_that_would_share_the_devices_is_reported(visit: Visit, database: Engine) -> None:
    engines.create(database, EngineConfig(engine="llamacpp"))
    engines.claim(database)
    assert "1 engine already running on this machine would share" in complaints(
        visit("study", **LLAMA)
    )
    assert "already running" not in complaints(visit("study"))  # it starts no engine


def test_choices_are_in_the_link_and_a_link_opens_the_form(visit: Visit) -> None:
    at = visit("study", **LLAMA, max_tokens="16")
    at.text_input(key="study-batches").set_value("2, 4")
    link = link_of(sound(at.run()))
    assert (link["batches"], link["max_tokens"], link["engine"]) == ("2,4", "16", "llamacpp")
    again = visit("study", **link)
    assert again.text_input(key="study-batches").value == "2, 4"
    assert again.number_input(key="run-max_tokens").value == 16


def test_the_form_opens_with_a_study_that_can_run_here(visit: Visit) -> None:
    at = visit("study")
    assert at.selectbox(key="study-preset").value == "concurrency"
    assert set(at.dataframe[0].value["On this machine"]) == {"can run"}
    assert "Engine" not in at.dataframe[0].value.columns, "it is the existing server"
    assert "Start study" in [button.label for button in at.button if not button.disabled]
    assert at.selectbox(key="study-preset").options[0] == "Concurrency sweep"
    at.selectbox(key="study-preset").set_value("custom")
    at = sound(at.run())
    assert set(at.dataframe[0].value["On this machine"]) == {"can run"}, "on an engine that is here"
    assert link_of(at)["engine"], "and no longer the existing server"


def test_another_preset_keeps_the_server(visit: Visit) -> None:
    server = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    at = visit("study", preset="concurrency", engine="", concurrencies="1,2", **server)
    at = sound(at.selectbox(key="study-preset").set_value("clients").run())
    assert link_of(at) == {"preset": "clients", "engine": "", **server}


def test_a_link_without_a_preset_opens_the_tensor_preset(visit: Visit) -> None:
    assert visit("study", batches="1,2").selectbox(key="study-preset").value == "tensor"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_link_contains_the_whole_study(preset: str) -> None:
    study = preset_config(preset, EngineConfig(engine="sglang", dtype="float16", max_seqs=4))
    axis = "input_lengths" if PRESETS[preset].capacity else "batches"
    wider = study.model_copy(update={axis: (3,), "usd_per_gpu_hour": 2.5})
    wider = wider.model_copy(update={"run": wider.run.model_copy(update={"max_tokens": 7})})
    assert read(query(wider)) == wider


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "x"}, "Preset must be one of tensor"),
        ({"batches": "a"}, "Batch sizes must be whole numbers"),
        ({"input_lengths": "8, " + "9" * 5000}, "Prompt lengths (tokens) must be whole"),
        ({"parallel": "TP=0"}, "Parallel sizes is not valid"),
        ({"chunked": "maybe"}, "Chunked prefill must be on, off"),
        ({"max_tokens": "-1"}, "Max tokens must be at least 1"),
        ({"nonsense": "1"}, "Nonsense is not a known field"),
        ({"usd_per_gpu_hour": "-2"}, "Price per GPU-hour (US $) must be more than 0"),
        ({"engine": "x"}, "Engine must be one of"),
    ],
)
def test_an_invalid_link_is_reported(
    visit: Visit, parameters: dict[str, str], message: str
) -> None:
    assert message in complaints(visit("study", **parameters))


@pytest.mark.parametrize("number", ["abc", "-1", "0", "9" * 30, "<b>"])
def test_an_invalid_study_id_is_named(visit: Visit, number: str) -> None:
    assert "is not a study. A link to one ends in ?study=" in complaints(
        visit("study", study=number)
    )
    assert "is not a study" in complaints(visit("study", like=number))


def test_a_deleted_study_is_reported(visit: Visit) -> None:
    assert "There is no study 77. It may have been deleted." in complaints(
        visit("study", study="77")
    )


def test_a_study_under_way_shows_its_engine_and_every_cell(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_jobs.jobs, "ensure", lambda engine: None)
    study_id = submitted(database, read({**LLAMA}))
    server = engines.claim(database)
    assert server
    engines.update_running(database, server.id, phase="Starting", command="python -m it")
    at = visit("study", study=str(study_id))
    assert "llama.cpp (embedded) · TP 1" in text_of(at)
    assert [block.value for block in at.code] == ["python -m it"]
    assert list(at.table[0].value["Status"]) == [":gray-badge[queued]"] * 2
    at.button[0].click().run()
    assert {run.status for run in studies.load(database, study_id).runs} == {"cancelled"}


def test_a_finished_study_reports_its_scaling(visit: Visit, database: Engine) -> None:
    two = read({"preset": "tensor", "engine": "vllm", "parallel": "TP=1; TP=2", "batches": "4"})
    study_id = submitted(database, two)
    measure(database, (1.0, 0.5))
    at = visit("study", study=str(study_id))
    verdict = next(markdown.value for markdown in at.subheader if markdown.anchor == "verdict")
    assert "TP 2 gives" in verdict.replace("\\", "") and "× the throughput of TP 1" in verdict
    assert "Varied: configuration (TP 1, TP 2). 2 of 2 cells measured." in text_of(at)
    notes = "".join(markdown.value for markdown in at.markdown).replace("\\", "")
    assert "TP 1, batch 4; TP 2, batch 4: Too few requests for the 95th percentile" in notes
    assert "How does throughput change with concurrency?" not in text_of(at)
    assert "A device here is a share of one CPU's cores" in text_of(at)
    assert not at.button or "Resume" not in [button.label for button in at.button]


def test_interrupted_cells_can_be_resumed_and_failed_ones_retried(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_jobs.jobs, "ensure", lambda engine: None)
    study_id = submitted(database, read({**LLAMA}))
    first, second = studies.load(database, study_id).runs
    queue.finish(database, first.id, "interrupted")
    queue.finish(database, second.id, "failed", "It broke.")
    at = visit("study", study=str(study_id))
    labels = [button.label for button in at.button]
    assert "Resume" in labels and "Retry failed cells" in labels
    next(button for button in at.button if button.label == "Resume").click().run()
    assert [run.status for run in studies.load(database, study_id).runs] == ["queued", "failed"]


def test_the_page_says_why_cells_cannot_be_retried(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(study_jobs.jobs, "ensure", lambda engine: None)
    (tmp_path / "python").touch(0o755)
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(tmp_path / "python"))
    study_id = submitted(database, read({**LLAMA, "engine": "vllm", "model": "org/model"}))
    for run in studies.load(database, study_id).runs:
        queue.finish(database, run.id, "failed", "It broke.")
    at = visit("study", study=str(study_id))
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(tmp_path / "none"))
    at.button[[button.label for button in at.button].index("Retry failed cells")].click()
    assert "vLLM is not installed: " in complaints(at.run())


def test_a_shared_study_has_no_controls(visit: Visit, database: Engine) -> None:
    study_id = submitted(database, read({**LLAMA}))
    for run in studies.load(database, study_id).runs:
        queue.finish(database, run.id, "cancelled")
    at = visit("study", study=str(study_id), view="share")
    assert not at.button and not complaints(at)
    links = list(at.table[0].value["Run"])
    assert links and all(link.endswith("&view=share)") for link in links)
    assert runs.load(database, 1).status == "cancelled"


SWEEP = {
    "preset": "concurrency",
    "engine": "",
    "backend": "url",
    "base_url": "http://127.0.0.1:9/v1",
    "model": "tiny",
    "concurrencies": "1,2,4",
    "requests": "4",
}


def swept(database: Engine, done: int) -> int:
    """A sweep of an existing server, with `done` measured cells and one that is running."""
    config = read(SWEEP)
    new = [NewCell(cell, NewRun(cell.config, "127.0.0.1:9", "a cell")) for cell in cells(config)]
    study_id = studies.create(database, config, "Sweep", new)
    for _ in range(done):
        run = queue.claim(database)
        assert run
        recording.add_measurements(database, run.id, repeats(1.0))
        pace = {"tokens_per_s_median": 10.0, "peak_in_flight": 2, "ttft_s_median": 0.01234}
        queue.finish(database, run.id, "done", None, pace)
    run = queue.claim(database)
    assert run
    queue.heartbeat(database, run.id, "Measuring, repeat 1 of 3")
    return study_id


def test_a_running_study_shows_its_curve_and_links_to_the_running_cell(
    visit: Visit, database: Engine
) -> None:
    at = visit("study", study=str(swept(database, done=2)))
    text = str(at.progress[0].proto.text)
    assert text.startswith("2 of 3 cells measured, 1 running, about ") and text.endswith(" left.")
    assert "Measuring a cell: repeat 1 of 3" in text_of(at)
    (link,) = [link for link in at.get("page_link") if link.proto.label == "Watch this run"]
    assert link.proto.query_string == "run=3"
    assert "How does throughput change with concurrency?" in [h.value for h in at.subheader]
    cells = at.table[-1].value
    loads = [" ".join(load.split()) for load in cells["Load"]]
    assert loads == ["concurrency 1", "concurrency 2", "concurrency 4"]
    times = [time.replace("\N{NO-BREAK SPACE}", " ") for time in cells["TTFT, median"][:2]]
    assert times == ["12\\.3 ms"] * 2, "as on all other pages"
    assert "Engine" not in cells.columns, "all cells are on the existing server"


def test_no_time_left_is_shown_without_earlier_runs_of_the_server(
    visit: Visit, database: Engine
) -> None:
    at = visit("study", study=str(swept(database, done=0)))
    assert at.progress[0].proto.text == "0 of 3 cells measured, 1 running, 2 queued."


def test_a_queued_study_shows_what_it_waits_for(visit: Visit, database: Engine) -> None:
    first = runs.create(database, read(SWEEP).run, "127.0.0.1:9", "First")
    assert queue.claim(database)
    config = read(SWEEP)
    new = [NewCell(cell, NewRun(cell.config, "127.0.0.1:9", "a cell")) for cell in cells(config)]
    at = visit("study", study=str(studies.create(database, config, "Sweep", new)))
    assert f"Queued: run {first}, “First”, is being measured on the same server." in text_of(at)


def test_a_study_of_capacities_has_its_form_and_its_page(visit: Visit) -> None:
    at = visit("study", preset="capacity", engine="llamacpp", parallel="TP=1", axes="max_seqs=1,2")
    assert not at.exception and not at.error
    assert at.title[0].value == "Which configuration sustains the highest load?"
    assert "searches for the highest load that it sustains" in text_of(at)
    assert "Load" not in at.dataframe[0].value.columns, "it is what is searched"
    assert "fresh starts of each of the two best" in text_of(at)
    assert at.number_input(key="study-search-starts").value == 3
    config = read({"preset": "capacity", "engine": "llamacpp", "axes": "max_seqs=1,2"})
    assert config.search is not None and config.engine is not None
    planned = PlannedSearch(config.engine, search_config(config.search, RunConfig()))
    new = [NewSearch(planned, "one", "The GPU ran out of memory."), NewSearch(planned, "other")]
    number = study_searches.create(opened(), config, "Which?", new)
    at = visit("study", study=str(number))
    assert not at.exception
    assert "1 of 2 searches ended, 1 of them failed." in text_of(at)
    for one in studies.load(opened(), number).searches:
        capacities.end(opened(), one.capacity.id, "failed", "x")
    at = visit("study", study=str(number))
    assert not at.exception
    assert "No configuration sustains a load." in text_of(at)
    assert "Retry failed searches" in [button.label for button in at.button]
    labels = {each.label for each in at.get("download_button")}
    assert {"Searches (CSV)", "Study (JSON)", "Page that opens offline (HTML)"} <= labels
    share = shares.publish_study(opened(), studies.load(opened(), number))
    page = gzip.decompress(shares.load(opened(), share.token) or b"").decode()
    assert "No configuration sustains a load." in page
    at = visit("study", to=str(number))
    assert not at.exception and at.title[0].value == "Add configurations to a study"
    assert "Add configurations" in [button.label for button in at.button]


def test_a_configuration_that_is_added_may_be_followed_by_fresh_starts(visit: Visit) -> None:
    config = read({"preset": "capacity", "engine": "llamacpp"})
    assert config.search is not None and config.engine is not None
    search = search_config(config.search, RunConfig())
    again = NewSearch(PlannedSearch(config.engine, search, 1), "fresh start 1")
    number = study_searches.create(opened(), config, "Which?", [again])
    at = visit("study", study=str(number))
    assert at.progress[0].proto.text.endswith("left, and then the verdict.")
    one = config.engine.model_copy(update={"max_seqs": 1})
    added = NewSearch(PlannedSearch(one, search), "max seqs 1")
    assert study_searches.extend(opened(), number, config, 1, [added], None)
    at = visit("study", study=str(number))
    assert at.progress[0].proto.text.endswith("left, and then the two best on fresh starts.")
