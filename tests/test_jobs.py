"""The queue at work, with real processes against the reference server."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine

import jobs
from db import comparisons, counts, queue, runs
from db.comparisons import CannotRepeat
from db.database import opened
from db.runs import NewRun
from jobs import rounds
from jobs.place import LOG_MOST, beside, place
from jobs.run_supervisor import KILL_S
from services.analysis.comparison_design import ComparisonDesign, StoredComparison, order
from services.analysis.samples import began
from services.ask.backends import BackendProblem
from services.ask.config import RunConfig, parse
from services.ask.measurement import Repeat, Run
from tests.conftest import ReferenceServer, finished, until
from tests.values import NOON
from tests.values import measured as answered

SLOW = "ref ttft=0.05 gap=0.05 tokens=2000"  # 100 s an answer
Submit = Callable[..., int]


def workers() -> list[psutil.Process]:
    """The workers of supervisors that belong to this test's database."""
    return _running("services.load.worker")


def supervisors() -> list[psutil.Process]:
    return _running("jobs")


def _running(module: str) -> list[psutil.Process]:
    """A process that is just starting another is there twice, until its child has become what it
    shall be: that child does not count."""
    found = psutil.process_iter(["cmdline", "environ", "ppid"])
    ours = [process for process in found if _ours(process, module)]
    pids = {process.pid for process in ours}
    return [process for process in ours if process.info["ppid"] not in pids]


def _ours(process: psutil.Process, module: str) -> bool:
    environment = process.info["environ"] or {}
    file = os.environ["PACELINE_DATABASE_URL"].partition(":///")[2]
    own = environment.get("PACELINE_DATABASE_URL", "").endswith(file)
    return own and (process.info["cmdline"] or [])[1:3] == ["-m", module]


def test_a_run_is_measured_outside_this_process_and_stored_whole(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run("ref tokens=5", mode="batch", requests=20, repeats=2, warmup=3)
    run = finished(database, run_id)
    assert (run.status, run.error) == ("done", None)
    measured = runs.measurements(database, run_id)
    assert [(m.repeat, m.index) for m in measured] == [(r, i) for r in (0, 1) for i in range(20)]
    assert {m.output_tokens for m in measured} == {5}
    assert [repeat.index for repeat in run.repeats] == [0, 1]
    assert all(repeat.duration_s and repeat.health for repeat in run.repeats)
    assert run.environment["cores"] >= 1
    assert runs.search(database)[0].headline["ok"] == 40


def test_runs_of_one_backend_wait_for_each_other(database: Engine, reference_run: Submit) -> None:
    first = reference_run("ref tokens=50 gap=0.02", requests=1, warmup=0)
    second = reference_run("ref tokens=2", requests=1, warmup=0)
    until(lambda: runs.load(database, first).status == "running", 15)
    assert runs.load(database, second).status == "queued"
    assert queue.ahead(database, second) == 1
    one, two = finished(database, first), finished(database, second)
    assert one.ended_at and two.started_at
    assert two.started_at >= one.ended_at


@pytest.mark.timed
def test_cancel_stops_a_run_within_two_seconds_and_keeps_what_was_measured(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run("ref tokens=3", mode="staggered", requests=500, interval_s=0.1, warmup=0)
    until(lambda: counts.counted(database, run_id).get("ok", 0) >= 5, 20)
    began = time.monotonic()
    jobs.cancel(database, run_id)
    run = finished(database, run_id, 5)
    assert time.monotonic() - began < 2
    assert run.status == "cancelled"
    assert len(runs.measurements(database, run_id)) >= 5


def test_cancelled_in_mid_answer_a_request_keeps_the_tokens_it_had(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(SLOW, mode="batch", requests=3, warmup=0)
    until(lambda: any(p.tokens > 10 for p in runs.progress(database, run_id)), 20)
    jobs.cancel(database, run_id)
    assert finished(database, run_id, 5).status == "cancelled"
    measured = runs.measurements(database, run_id)
    assert [m.status for m in measured] == ["cancelled"] * 3
    assert all(len(m.token_times) > 5 for m in measured)


def test_a_queued_run_is_cancelled_before_it_begins(
    database: Engine, reference_run: Submit
) -> None:
    first = reference_run(SLOW, requests=1)
    second = reference_run("ref")
    assert jobs.cancel(database, second).status == "cancelled"
    jobs.cancel(database, first)
    assert finished(database, first, 15).status == "cancelled"
    assert runs.load(database, second).started_at is None


def test_a_killed_workers_run_is_interrupted_and_keeps_all_but_its_last_second(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(
        "ref tokens=3", mode="staggered", requests=500, interval_s=0.05, warmup=0
    )
    until(lambda: counts.counted(database, run_id).get("ok", 0) >= 20, 20)
    (worker,) = workers()
    worker.kill()
    began_at = runs.load(database, run_id).repeats[0].began_at
    alive_for = time.time() - began_at.timestamp()
    run = finished(database, run_id, 5)
    assert run.status == "interrupted"
    assert "ended" in str(run.error)
    assert re.search(r"\d+ requests? in flight ended with it", str(run.error))
    last = max(m.t_end or 0.0 for m in runs.measurements(database, run_id))
    assert last > alive_for - 1.0


def test_a_killed_supervisor_leaves_no_worker_and_its_run_is_interrupted(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(SLOW, requests=1)
    until(lambda: runs.load(database, run_id).phase.startswith("Measuring"), 20)
    (supervisor,), (worker,) = supervisors(), workers()
    os.kill(supervisor.pid, signal.SIGKILL)
    worker.wait(5)
    until(lambda: jobs.ensure(database) or supervisors(), 5)
    assert finished(database, run_id, 15).status == "interrupted"


def test_a_worker_that_does_not_end_is_killed_when_its_supervisor_is_told_to(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(SLOW, requests=1)
    until(lambda: runs.load(database, run_id).phase.startswith("Measuring"), 20)
    (supervisor,), (worker,) = supervisors(), workers()
    worker.suspend()  # it will not see that its standard input has ended
    supervisor.terminate()
    worker.wait(KILL_S + 5)
    supervisor.wait(5)
    run = runs.load(database, run_id)
    assert (run.status, run.error) == (
        "interrupted",
        "Paceline was stopped while this run was measured.",
    )


def test_a_supervisor_ends_when_there_is_nothing_left_to_do(
    database: Engine, reference_run: Submit
) -> None:
    finished(database, reference_run("ref", requests=1, warmup=0))
    until(lambda: not supervisors(), 15)


def test_however_many_look_at_once_one_supervisor_is_started(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(SLOW, requests=1)
    for _ in range(5):  # sooner than any process could take a lock by itself
        jobs.ensure(database)
    assert len(supervisors()) == 1
    until(lambda: runs.load(database, run_id).status == "running", 15)
    jobs.ensure(database)
    assert len(supervisors()) == 1


def test_a_supervisors_death_frees_its_place_while_its_worker_lives(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(SLOW, requests=1)
    until(lambda: runs.load(database, run_id).phase.startswith("Measuring"), 20)
    (supervisor,), (worker,) = supervisors(), workers()
    worker.suspend()
    supervisor.kill()
    supervisor.wait(5)
    with place(database) as held:
        assert held is not None
    worker.kill()
    jobs.ensure(database)
    assert finished(database, run_id, 15).status == "interrupted"


def test_a_supervisors_log_is_kept_by_the_next_and_does_not_grow_without_end(
    database: Engine, reference_run: Submit
) -> None:
    log, old = beside(database, "log"), beside(database, "log.old")
    log.write_text("what an earlier one wrote\n")
    finished(database, reference_run("ref", requests=1, warmup=0))
    assert log.read_text().startswith("what an earlier one wrote\n")
    assert "run 1: begins" in log.read_text()
    until(lambda: not supervisors(), 15)
    log.write_text("x" * (LOG_MOST + 1))
    finished(database, reference_run("ref", requests=1, warmup=0))
    assert old.stat().st_size == LOG_MOST + 1
    assert log.stat().st_size < 1000


def test_where_the_queue_cannot_be_worked_off_nothing_is_queued(database: Engine) -> None:
    lock = beside(database, "lock")
    lock.mkdir()  # as good as a folder that cannot be written, for root too
    with pytest.raises(jobs.QueueProblem, match=rf"Is a directory \({lock}\)\. Make that place"):
        jobs.submit(database, RunConfig())
    assert runs.count(database) == 0


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("ref status=401", "No request succeeded. The first one: HTTP 401"),
        ("ref fault=html", "not a chat completion"),
    ],
)
def test_a_run_without_a_success_failed_and_says_why(
    database: Engine, reference_run: Submit, model: str, words: str
) -> None:
    run = finished(database, reference_run(model, requests=3, pause_s=0))
    assert run.status == "failed"
    assert words in str(run.error)
    assert counts.counted(database, run.id) == {"failed": 3}


def test_some_failures_are_results_and_the_run_is_done(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run("ref tokens=3 fault=needs-key", requests=2, pause_s=0)
    assert finished(database, run_id).status == "failed"
    stopped = reference_run("ref status=500", requests=50, pause_s=0, stop_after_errors=4, warmup=0)
    assert finished(database, stopped).status == "failed"
    assert counts.counted(database, stopped) == {"failed": 4}


def test_a_repeat_stops_after_the_time_it_was_given(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(
        "ref tokens=3", mode="staggered", requests=500, interval_s=0.05, stop_after_s=1, warmup=0
    )
    run = finished(database, run_id)
    assert run.status == "done"
    assert 5 <= counts.counted(database, run_id)["ok"] <= 25


def test_an_unknown_model_is_named_from_what_the_server_lists(
    database: Engine, reference_run: Submit, reference: ReferenceServer
) -> None:
    run = finished(database, reference_run("", requests=1))
    assert (run.status, run.config.model) == ("done", "ref")


def test_a_run_without_a_name_says_whom_it_asks_for_what(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_URL", "http://localhost:9")
    monkeypatch.setenv("PACELINE_URL_MODEL", "Qwen/Qwen3-8B")
    run_id = jobs.submit(database, RunConfig(backend="url", requests=1))
    assert runs.load(database, run_id).name == "127.0.0.1:9 · Qwen3-8B · sequential · 1 request"
    assert finished(database, run_id).status == "failed"


def test_what_cannot_be_asked_for_is_not_queued(database: Engine) -> None:
    with pytest.raises(BackendProblem):
        jobs.submit(database, RunConfig(backend="nowhere"))
    assert runs.count(database) == 0


def comparison_of(
    reference: ReferenceServer, *models: str, **asked: Any
) -> tuple[StoredComparison, list[Run]]:
    """Measure a comparison to its end, one request a repeat."""
    database = opened()
    shared = {"backend": "url", "base_url": reference.base_url, "requests": 1, "warmup": 0}
    configs = [parse({**shared, "mode": "batch", "model": model}) for model in models]
    comparison = jobs.submit_comparison(database, configs, ComparisonDesign(**asked))
    ended = [finished(database, run_id) for run_id in comparison.run_ids]
    return comparisons.load(database, comparison.id), ended


def in_turn(measured: list[Run]) -> list[int]:
    """Which of the runs was measured first, second, …, by when their repeats began."""
    began = [
        (repeat.began_at, place) for place, run in enumerate(measured) for repeat in run.repeats
    ]
    return [place for _, place in sorted(began)]


def test_runs_of_a_trial_take_turns_in_the_order_of_its_seed(
    database: Engine, reference: ReferenceServer
) -> None:
    comparison, measured = comparison_of(
        reference, "ref tokens=2", "ref tokens=3", seed=5, repeats=3, most=3
    )
    wanted = [place for repeat in range(3) for place in order(5, repeat, 2)]
    assert in_turn(measured) == wanted
    for run, tokens in zip(measured, (2, 3), strict=True):
        assert run.status == "done"
        found = runs.measurements(database, run.id)
        assert [(m.repeat, m.output_tokens) for m in found] == [(i, tokens) for i in range(3)]
    assert len({run.environment["prompt_mark"] for run in measured}) == 2
    prompts = {p for p in reference.log() if p}
    assert len(prompts) >= 6, "every repeat has prompts of its own"
    assert comparison.asked.repeats == 3
    for run in measured:  # on one time axis, a turn after the other
        moments = [began(repeat) or 0.0 for repeat in run.repeats]
        ends = [t + (r.duration_s or 0.0) for t, r in zip(moments, run.repeats, strict=True)]
        assert all(0 < end <= t for end, t in zip(ends, moments[1:], strict=False))
    assert [run.margin for run in measured] == [0.05, 0.05]


def test_a_trial_goes_on_until_its_interval_is_narrow(
    database: Engine, reference: ReferenceServer
) -> None:
    models = ("ref tokens=2 ttft=0.05", "ref tokens=2 ttft=0.1")
    comparison, measured = comparison_of(reference, *models, repeats=3, most=5, target=1e-9)
    until(lambda: comparisons.load(database, comparison.id).asked.repeats == 5, 30)
    measured = [finished(database, run.id) for run in measured]
    until(lambda: not queue.active(database), 30)
    assert [len(runs.load(database, run.id).repeats) for run in measured] == [5, 5]


def wide_comparison(database: Engine) -> StoredComparison:
    """Two runs that are done, and whose interval is far from what is asked for."""
    asked = ComparisonDesign(seed=1, repeats=3, most=10, target=1e-9)
    new = [NewRun(parse({"mode": "batch", "repeats": 3}), lane) for lane in "ab"]
    comparison = comparisons.create(database, asked, new)
    for run_id in comparison.run_ids:
        for repeat in range(3):
            measure(database, run_id, repeat)
        queue.finish(database, run_id, "done")
    return comparison


def measure(database: Engine, run_id: int, repeat: int) -> None:
    queue.add_repeat(database, run_id, Repeat(repeat, NOON, 1.0, {}))
    queue.add_measurements(database, run_id, [answered(repeat=repeat, e2e=2.0 + repeat**run_id)])


def test_a_trial_goes_on_by_whole_rounds_only(database: Engine) -> None:
    one, other = wide_comparison(database).run_ids
    assert rounds.next_turn(database, one) is not None
    assert runs.load(database, other).status == "queued", "another round, for both"
    for run_id in (one, other):
        measure(database, run_id, 3)
        queue.finish(database, run_id, "done")
    comparisons.repeat_more(database, [one], 1)
    measure(database, one, 4)
    assert rounds.next_turn(database, one) is None, "one alone was asked for more"
    assert runs.load(database, other).status == "done"


def test_a_trial_that_is_cancelled_in_its_last_moment_does_not_go_on(database: Engine) -> None:
    one, other = wide_comparison(database).run_ids
    comparisons.repeat_more(database, [one, other], 1)
    measure(database, other, 3)
    queue.finish(database, other, "done")
    running = queue.claim(database)
    assert running is not None and running.id == one
    measure(database, one, 3)
    queue.request_cancel(database, one)
    assert rounds.next_turn(database, one) is None
    assert runs.load(database, other).status == "done"


def test_a_run_that_fails_does_not_hold_its_trial_up(
    database: Engine, reference: ReferenceServer
) -> None:
    _, (broken, sound) = comparison_of(
        reference, "ref status=500", "ref tokens=2", repeats=2, most=2
    )
    assert (broken.status, len(broken.repeats)) == ("failed", 1)
    assert (sound.status, len(sound.repeats)) == ("done", 2)


def test_a_cancelled_trial_leaves_nothing_queued(
    database: Engine, reference: ReferenceServer
) -> None:
    configs = [
        parse({"backend": "url", "base_url": reference.base_url, "model": SLOW, "requests": 1})
        for _ in range(2)
    ]
    comparison = jobs.submit_comparison(database, configs, ComparisonDesign())
    first = until(lambda: [r for r in runs.search(database) if r.status == "running"], 15)
    assert len(first) == 1, "both at once"
    jobs.cancel_comparison(database, comparison.id)
    assert {finished(database, run_id).status for run_id in comparison.run_ids} == {"cancelled"}


def test_a_run_that_is_done_can_have_more_repeats(
    database: Engine, reference_run: Submit, reference: ReferenceServer
) -> None:
    run_id = reference_run("ref tokens=3", mode="batch", requests=2, warmup=0)
    before = finished(database, run_id)
    kept = runs.measurements(database, run_id)
    jobs.more(database, [run_id], 2)
    run = finished(database, run_id)
    assert (run.status, run.config.repeats, len(run.repeats)) == ("done", 3, 3)
    assert run.started_at == before.started_at
    measured = runs.measurements(database, run_id)
    assert measured[:2] == kept, "what was measured stays"
    assert [m.repeat for m in measured] == [0, 0, 1, 1, 2, 2]
    assert runs.search(database)[0].headline["repeats"] == 3
    moments = [moment.t for moment in runs.progress(database, run_id)]
    assert moments == sorted(moments)


def test_more_repeats_are_refused_in_a_sentence(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run("ref tokens=2", requests=1, warmup=0)
    finished(database, run_id)
    with pytest.raises(CannotRepeat, match="1 to 49 more"):
        jobs.more(database, [run_id], 50)
    failed = reference_run("ref status=500", requests=1, warmup=0)
    finished(database, failed)
    with pytest.raises(CannotRepeat, match="failed"):
        jobs.more(database, [run_id, failed], 1)
    assert runs.load(database, run_id).status == "done", "nothing is queued if one cannot be"
