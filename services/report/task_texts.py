"""Texts about tasks and their batches, on pages and in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

from services.ask.tasks import OPEN, STATUSES, Task, TaskBatch
from services.base.table import Table
from services.base.units import NOTHING, many, show
from services.report.prompt_text import transcript

BEGINNING = 30  # characters of a prompt or an answer in a list: what its column is wide enough for
READ = 4_000  # characters of a text in which its beginning is searched


def name(batch: TaskBatch) -> str:
    """Return the name of a batch: `300 tasks on api.example.org`."""
    return f"{many(batch.count, 'task')} on {join_names(batch.servers)}"


def join_names(names: Sequence[str]) -> str:
    """Return names in few words: the first, and how many more there are."""
    first, *others = names or ("",)
    return f"{first} and {len(others)} more" if others else first


def counts(batch: TaskBatch) -> str:
    """Return how many tasks have which status: `3 queued, 12 completed`."""
    known = [(batch.counts.get(status, 0), status) for status in STATUSES]
    return ", ".join(f"{count:,} {status}" for count, status in known if count)


def share(batch: TaskBatch) -> float:
    """Return the share of a batch's tasks that have ended, from 0 to 1."""
    return 1 - sum(batch.counts.get(status, 0) for status in OPEN) / batch.count


def beginning(text: str | None) -> str:
    """Return the beginning of a text on one line."""
    return shorten((text or "")[:READ], BEGINNING, placeholder=" …")


def row(task: Task, prompt: str) -> dict[str, str | int | float | None]:
    """Return a task as a row of a list; times in seconds."""
    return {
        "Custom ID": task.custom_id,
        "Status": task.status,
        "Prompt": beginning(transcript(prompt)),
        "Answer": beginning(_outcome(task)),
        "Output tokens": task.result.output_tokens,
        "TTFT (s)": task.result.ttft_s,
        "E2E latency (s)": task.result.e2e_s,
    }


def calls(task: Task) -> str:
    """Return the tool calls of an answer, one per line: `weather({"city": "Bonn"})`."""
    functions = [call["function"] for call in task.result.tool_calls or ()]
    return "\n".join(f"{each['name']}({each['arguments']})" for each in functions)


def _outcome(task: Task) -> str | None:
    if task.status == "failed":
        return task.error
    return task.result.answer or calls(task)


def facts(task: Task) -> Table:
    """Return the known facts of a task besides its texts."""
    result = task.result
    texts = {
        "TTFT": show(result.ttft_s, "s"),
        "E2E latency": show(result.e2e_s, "s"),
        "Prompt tokens": show(result.prompt_tokens, "count"),
        "Output tokens": show(result.output_tokens, "count"),
        "Reasoning tokens": show(result.reasoning_tokens, "count"),
        "Cached tokens": show(result.cached_tokens, "count"),
        "Finish reason": result.finish_reason or NOTHING,
        "Attempts": show(result.attempts, "count"),
        "HTTP status": NOTHING if task.http_status is None else str(task.http_status),
        "Error class": task.error_class or NOTHING,
    }
    rows = tuple((label, text) for label, text in texts.items() if text != NOTHING)
    return Table("Task", ("", "Value"), rows)
