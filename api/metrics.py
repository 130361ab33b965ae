"""/metrics: the queue, the runs and the client's health, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from db.database import UNUSABLE, message_of, opened
from db.state import ClientHealth, State, TaskCounts, state
from jobs.supervisor_lock import QueueProblem, supervisor_alive
from services.report.prometheus import MEDIA_TYPE, Gauge, by_label, exposition, gauge


def metrics(_: Request) -> Response:
    """Answer with all gauges; with 503 if the database cannot be used, so that Prometheus counts
    the scrape as failed."""
    try:
        text = exposition(gauges(state(opened()), supervisor_alive(opened())))
    except UNUSABLE as error:
        return PlainTextResponse(f"{message_of(error)}\n", 503)
    except QueueProblem as problem:
        return PlainTextResponse(f"{problem}\n", 503)
    return Response(text, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


def gauges(now: State, supervisor: bool) -> Iterator[Gauge]:
    """Return the state as gauges. `supervisor`: whether one is alive on this machine."""
    yield by_label("paceline_queue_runs", "Runs that are queued or running.", "status", now.queue)
    yield by_label(
        "paceline_ended_runs",
        "Stored runs that have ended, excluding imported ones.",
        "status",
        now.ended,
    )
    yield gauge(
        "paceline_supervisor_up",
        "1 if this machine's supervisor is alive. It exits when the queue is empty.",
        supervisor,
    )
    yield gauge(
        "paceline_workers",
        "Running runs whose supervisor reported in the last 10 s.",
        now.workers,
    )
    yield gauge(
        "paceline_requests_in_flight", "Requests in flight in all running runs.", now.in_flight
    )
    yield by_label(
        "paceline_engines",
        "Engines that Paceline started and that are running.",
        "status",
        now.engines,
    )
    yield by_label(
        "paceline_span_runs",
        "Runs to send as OpenTelemetry spans, by export status.",
        "status",
        {str(status): count for status, count in now.spans.items()},
    )
    yield from _tasks(now.tasks)
    if now.client is not None:
        yield from _client(now.client)


def _tasks(tasks: TaskCounts) -> Iterator[Gauge]:
    yield by_label(
        "paceline_queue_tasks", "Tasks that are queued or running.", "status", tasks.queue
    )
    yield Gauge(
        "paceline_server_tasks",
        "Tasks that are queued or running, by server.",
        {
            (("server", server), ("status", status)): count
            for (server, status), count in sorted(tasks.servers.items())
        },
    )
    yield by_label("paceline_ended_tasks", "Stored tasks that have ended.", "status", tasks.ended)


def _client(health: ClientHealth) -> Iterator[Gauge]:
    yield gauge(
        "paceline_client_run",
        "Number of the last measured run, to which the client metrics belong.",
        health.run_id,
    )
    yield gauge(
        "paceline_client_sent_late_p99_seconds",
        "How late requests were sent, 99th percentile, worst repeat of that run.",
        health.late_p99_s,
    )
    yield gauge(
        "paceline_client_loop_lag_p99_seconds",
        "How long the client's event loop stalled, 99th percentile, worst repeat of that run.",
        health.lag_p99_s,
    )
    yield gauge(
        "paceline_client_cpu_share",
        "Share of a core that the busiest client process used, worst repeat of that run.",
        health.cpu_share,
    )
