"""Every way in which a run, a comparison or a search can end, stored for pictures without having
been measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Engine

from db import (
    baselines,
    capacities,
    engines,
    imported,
    new_tasks,
    schema,
    servers,
    studies,
    study_searches,
    task_batches,
    task_queue,
    tokens,
)
from db.new_tasks import NewSettings
from db.study_searches import NewSearch
from db.task_queue import EndedTask, TaskWorker
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.ask.saved_server import saved_server
from services.ask.tasks import NewTask, TaskEnd, TaskResult
from services.base.roles import Role
from services.servers.engines import EngineConfig
from services.studies.highest import PlannedSearch, search_config
from services.studies.study_link import read
from tests.browser.signed_in import ADMIN, RUNNER
from tests.capacities import searched
from tests.conftest import ROOT
from tests.services.analysis.capacity.queue import Queue
from tests.stored import store
from tests.values import failed, measured

REPEATS, REQUESTS = 5, 16
MODEL = "Qwen/Qwen3-8B"
WORK: dict[str, Any] = {"backend": "url", "model": MODEL, "repeats": REPEATS, "max_tokens": 64}
GONE = "The server closed the connection. Is it still running? Its log says why it ended."
REFUSED = "The server refused the request (429): rate limit reached. Send fewer at a time."
IMPORTS = ROOT / "tests" / "data" / "imports"
CUT = "The worker process ended: the machine ran out of memory."
SEARCH = {
    "preset": "capacity",
    "engine": "vllm",
    "parallel": "TP=1",
    "axes": "max_seqs=64,128,256",
    "starts": "2",
    "window_s": "60",
}
SUSTAINS = {
    64: Queue(4, 5.0, prefill_s=0.06),
    128: Queue(8, 5.0, prefill_s=0.06),
    256: Queue(8, 6.5, prefill_s=0.05),
}


def everything(database: Engine) -> None:
    """All that follows."""
    some_runs(database)
    some_imports(database)
    some_tasks(database)
    some_servers(database)
    some_tokens(database)
    a_study_of_capacities(database)


def answers(e2e: float, noise: float, seed: int, per_repeat: int = REQUESTS) -> list[Measurement]:
    """Answers of 64 tokens that take `e2e` seconds, a repeat longer or shorter by `noise`."""
    random = Random(seed)
    of_repeat = [random.gauss(1, noise) for _ in range(REPEATS)]
    return [
        measured(
            index,
            repeat=repeat,
            ttft=0.08 * factor * random.uniform(0.8, 1.3),
            e2e=e2e * factor * random.uniform(0.95, 1.05),
            tokens=64,
        )
        for repeat, factor in enumerate(of_repeat)
        for index in range(per_repeat)
    ]


def some_runs(database: Engine) -> None:
    """Runs 1 to 4 were cut short or are short; 5 is the baseline of 6, which is faster, of 7, which
    is as fast, and of 8, which is inconclusive."""
    few = answers(1.0, 0.02, 1)[: REQUESTS + 5]
    broken = [*few[:10], *(failed(index, "connect", error=GONE) for index in range(10, 16))]
    _run(database, broken, 8001, name="Failed", status="failed", error=GONE)
    _run(database, few, 8001, name="Cancelled", status="cancelled")
    _run(database, few, 8001, name="Interrupted", status="interrupted", error=CUT)
    _run(database, few[:1], 8001, name="One request", requests=1, repeats=1)
    for port, (name, e2e, noise) in enumerate(COMPARED, 8001):
        run_id = _run(database, answers(e2e, noise, port), port, name=name, tags=["servers"])
        _move(database, run_id, timedelta(minutes=20 * (port - 8001 - len(COMPARED))))
    baselines.save(database, "tag", "servers", FIRST_COMPARED)


def some_imports(database: Engine) -> None:
    """Run 9 has the requests of another tool, run 10 only its summary; run 11 no answer at all."""
    for name in ("vllm/result.json", "vllm/serve_summary.json"):
        imported.import_file(database, (IMPORTS / name).read_bytes(), Path(name).name)
    refused = [
        failed(index, "http_429", error=REFUSED, http_status=429) for index in range(REQUESTS)
    ]
    _run(database, refused, 8001, name="Refused", repeats=1)


def some_tasks(database: Engine) -> None:
    """A batch that was cancelled after its first task was answered and its second failed."""
    settings = NewSettings({"backend": "url"}, "127.0.0.1:9", MODEL, {"target": {}})
    new = [(NewTask(f"Name {n} animals of the sea.", {}, f"animals-{n}"), 0) for n in range(2, 8)]
    batch = new_tasks.create(database, ADMIN, [settings], new)
    worker = TaskWorker("a", "elsewhere", "elsewhere")
    task_queue.register_worker(database, worker)
    taken, _ = task_queue.exchange(database, worker, [], {}, {("127.0.0.1:9", ADMIN): 2})
    result = TaskResult("A seal and a whale.", MODEL, "stop", 12, 6, e2e_s=0.5)
    ends = (TaskEnd("completed", result=result), TaskEnd("failed", 429, "http", REFUSED))
    now = datetime.now(UTC)
    done = [EndedTask(task.id, now, now, end) for task, end in zip(taken, ends, strict=True)]
    task_queue.exchange(database, worker, done, {}, {})
    task_queue.remove_worker(database, worker.worker)
    task_batches.cancel(database, batch.batch_id)


FIRST_COMPARED = 5
COMPARED = (
    ("vLLM 0.12", 1.0, 0.01),
    ("SGLang 0.5", 0.72, 0.01),
    ("vLLM 0.12, again", 1.003, 0.01),
    ("Somebody else's", 0.95, 0.3),
)


def _run(database: Engine, rows: Sequence[Measurement], port: int, **more: Any) -> int:
    where = {"base_url": f"http://127.0.0.1:{port}/v1"}
    return store(database, rows, **{**WORK, "requests": REQUESTS, **where, **more})


def _move(database: Engine, run_id: int, by: timedelta) -> None:
    """Let a run have begun earlier."""
    moment = datetime.now(UTC) + by
    with database.begin() as connection:
        connection.execute(
            schema.runs.update()
            .where(schema.runs.c.id == run_id)
            .values(created_at=moment, started_at=moment)
        )


def some_servers(database: Engine) -> None:
    """Two saved ones."""
    for name, port in (("gpu-old", 8001), ("gpu-new", 8002)):
        values = {"backend": "url", "base_url": f"http://127.0.0.1:{port}/v1", "model": MODEL}
        servers.save(database, saved_server(name, {**values, "usd_per_hour": 2.5}))


def some_tokens(database: Engine) -> None:
    """An admin's and a runner's."""
    tokens.create(database, "dashboard", Role.viewer, 90, ADMIN)
    tokens.create(database, "nightly", Role.runner, 30, RUNNER)


def a_study_of_capacities(database: Engine) -> None:
    """Three configurations searched, one of which cannot start, the others again in turns."""
    config = read(SEARCH)
    assert config.search is not None
    run = RunConfig(backend="vllm", model=MODEL)
    planned = [
        PlannedSearch(
            EngineConfig(engine="vllm", model=MODEL, max_seqs=size),
            search_config(config.search, run),
            start,
        )
        for size, start in ((64, 0), (128, 0), (256, 0), (128, 1), (256, 1), (256, 2), (128, 2))
    ]
    lacking = EngineConfig(engine="vllm", model=MODEL, max_seqs=1024)
    problem = "The GPU ran out of memory. Choose fewer sequences or a smaller model."
    new = [NewSearch(one, f"max seqs {one.engine.max_seqs}") for one in planned]
    new.insert(3, NewSearch(PlannedSearch(lacking, planned[0].config), "max seqs 1024", problem))
    study_id = study_searches.create(database, config, "How many sequences?", new, "", "elsewhere")
    with database.connect() as connection:
        stored = capacities.of_study(connection, study_id)
    for one, asked in zip(stored, new, strict=True):
        if asked.problem is None:
            seen = searched(asked.planned.config, (SUSTAINS[asked.planned.engine.max_seqs or 0],))
            capacities.save_probes(
                database, one, [replace(probe, run_id=None) for probe in seen.probes]
            )
            capacities.end(database, one.id, "done")
    for server in studies.load(database, study_id).engines:
        engines.ended(database, server.id)
