"""What no machine without GPUs can measure, made up for pictures: a vLLM in a folder where there is
none, an engine that runs and one that failed, and a study over tensor parallel sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

from sqlalchemy import Engine

from db import capacities, engines, queue, recording, results, runs, studies
from db.studies import NewCell
from services.analysis.compare.stored_summary import stored_summary
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Repeat
from services.servers.engines import EngineConfig
from services.studies.grid import cells
from services.studies.study_link import read
from tests.capacities import config_of_servers, searched, stored
from tests.services.analysis.capacity.queue import Queue
from tests.values import NOON, measured

MODEL = "Qwen/Qwen3-8B"
COMMAND = "vllm serve Qwen/Qwen3-8B --tensor-parallel-size 2 --port 30000"
STUDY = {
    "preset": "tensor",
    "engine": "vllm",
    "engine_model": MODEL,
    "parallel": "TP=1; TP=2; TP=4",
    "batches": "1, 4, 16",
    "repeats": "5",
    "max_tokens": "32",
}
NOISE = 0.02  # of the time of a repeat
STEP_S = 0.011  # of one token on one device
OLD, NEW = Queue(8, 5.0, prefill_s=0.06), Queue(8, 6.5, prefill_s=0.05)  # two servers


def interpreter(folder: Path) -> Path:
    """Make a Python of vLLM's that is there, and nothing else."""
    python = folder / "vllm" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch(mode=0o755)
    return python


def everything(database: Engine) -> None:
    """All that follows."""
    a_study(database)
    some_engines(database)
    some_searches(database)


def some_engines(database: Engine) -> None:
    """One that runs, below it one that could not start."""
    engines.create(database, EngineConfig(engine="vllm", model=MODEL, tp=8))
    failed = engines.claim(database)
    assert failed
    engines.update_running(database, failed.id, command=COMMAND.replace(" 2 ", " 8 "))
    engines.ended(database, failed.id, "It needs 8 cores; this machine has 2.", "Choose TP 2.")
    engines.create(database, EngineConfig(engine="vllm", model=MODEL, tp=2))
    up = engines.claim(database)
    assert up
    engines.update_running(database, up.id, command=COMMAND, base_url="http://127.0.0.1:30000/v1")
    engines.ready(database, up.id, {"engine": "vLLM 0.12.0", "model": MODEL, "device": "core"})


def some_searches(database: Engine) -> None:
    """One search of a server, one that compares two, one that is running and one that failed."""
    one, two = config_of_servers(window_s=60, precision=0.05), config_of_servers(2, window_s=60)
    servers = tuple(server.model_copy(update={"usd_per_hour": 2.5}) for server in two.servers)
    alone = searched(one, (OLD,))
    both = searched(two.model_copy(update={"servers": servers}), (OLD, NEW))
    stored(database, replace(alone, name="Qwen3-8B at 500 ms"))
    stored(database, replace(both, name="The old and the new server"))
    stored(database, replace(alone, name="Going on", probes=alone.probes[:4], status="running"))
    lost = replace(alone.probes[3], observation=None, point=None)
    cut = replace(alone, name="Cut short", probes=(*alone.probes[:3], lost), status="running")
    number = stored(database, cut)
    run_id = capacities.load(database, number).probes[-1].run_id
    capacities.end(database, number, "failed", f"Run {run_id}, one of its probes, was interrupted.")


def a_study(database: Engine) -> None:
    """A study that is over: more devices answer faster, by less than their number."""
    config = read({name: text for name, text in STUDY.items() if name != "engine_model"})
    new = [
        NewCell(cell, runs.NewRun(cell.config, "", f"cell {cell.index}")) for cell in cells(config)
    ]
    studies.create(database, config, "Does it scale?", new)
    random = Random(1)
    for _ in new:
        server = next(iter(engines.list_running(database)), None) or engines.claim(database)
        assert server
        if server.status == "starting":
            engines.ready(database, server.id, {"engine": "vLLM", "device": "GPU"})
        run = queue.claim(database)
        assert run
        for repeat in range(run.config.repeats):
            recording.add_repeat(database, run.id, Repeat(repeat, NOON, 1.0, {}))
        seen = _answers(run.config, server.config.tp, random)
        recording.add_measurements(database, run.id, seen)
        summary = stored_summary(results.candidate(database, run.id))
        queue.finish(database, run.id, "done", None, summary)
        if engines.heartbeat(database, server.id):
            engines.ended(database, server.id)


def _answers(config: RunConfig, tp: int, random: Random) -> list[Measurement]:
    """All requests of a cell, sent at once: a step takes longer with more of them in a batch."""
    found = []
    for repeat in range(config.repeats):
        step = STEP_S * (1 + 0.04 * config.requests) / tp**0.8 * random.gauss(1, NOISE)
        for index in range(config.requests):
            ttft = step * (2 + 0.3 * index)
            e2e = ttft + step * config.max_tokens * random.gauss(1, NOISE)
            found.append(
                measured(index, repeat=repeat, ttft=ttft, e2e=e2e, tokens=config.max_tokens)
            )
    return found
