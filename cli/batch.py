"""`batch run|list|output|cancel`: prompts of OpenAI batch files, answered in the background."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Engine

import jobs
from cli.output import (
    DONE,
    FAILED,
    add_output_arguments,
    check_output,
    note,
    print_result,
    save,
    write,
)
from cli.person import operator
from cli.problems import UsageError, once_started
from cli.stopping import stopping
from db import task_batches, tasks
from db.database import opened
from jobs import inference
from jobs.retry import with_retries
from services.ask.tasks import OPEN, NewTask, TaskBatch, openai_batch
from services.ask.workloads.lines import MAX_FILE_BYTES
from services.report import task_texts, terminal
from services.report.export.tasks import tasks_csv

LOOK_S = 0.5
FORMATS: dict[str, Callable[[Engine, str], Iterator[bytes]]] = {
    "jsonl": lambda database, batch_id: openai_batch.output_lines(tasks.ended(database, batch_id)),
    "csv": lambda database, batch_id: tasks_csv(tasks.ended_with_prompts(database, batch_id)),
}


def add_run_arguments(command: ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="OpenAI batch file (JSONL)")
    command.add_argument("--backend", help="Backend or saved server (default: embedded)")
    command.add_argument("--model", help="Model; replaces those in the file")
    command.add_argument(
        "--no-wait", action="store_true", help="Queue the prompts, print the batch ID and exit"
    )
    add_output_arguments(command)


def run(options: Namespace) -> int:
    """Send the prompts of an OpenAI batch file and write its output file. Ctrl-C leaves the
    prompts queued."""
    database, own = opened(), {"model": options.model} if options.model else {}
    chosen = {"backend": options.backend} if options.backend else {}
    new = [
        NewTask(task.prompt, {**chosen, **task.values, **own}, task.custom_id)
        for task in openai_batch.read(_read(options.file), options.file)
    ]
    check_output(options)
    batch_id = inference.submit(database, _caller(), new).batch_id
    with once_started(batch_id):
        if options.no_wait:
            write(f"{batch_id}\n".encode())
            return DONE
        note(f"{batch_id}: {len(new):,} prompts queued")
        return _follow_to_end(options, database, batch_id)


def _follow_to_end(options: Namespace, database: Engine, batch_id: str) -> int:
    """Wait until a batch has ended, and write its answers."""
    tenths = 0
    with stopping() as stop:
        while not (batch := _load_supervised(database, batch_id)).ended:
            if (done := _tenths_done(batch)) > tenths:
                tenths = done
                note(_line(batch))
            if stop.wait(LOOK_S):
                note(
                    f"{batch_id} continues. `paceline batch output {batch_id}` prints its answers."
                )
                return FAILED
    code = save(options, FORMATS["jsonl"](database, batch_id))
    return code or (DONE if batch.counts.get("completed") == batch.count else FAILED)


def _load_supervised(database: Engine, batch_id: str) -> TaskBatch:
    """Return a batch, after checking that a supervisor is running: the previous one may have been
    killed. Retries while the database is unavailable."""

    def load() -> TaskBatch:
        jobs.ensure(database)
        return task_batches.load(database, batch_id)

    return with_retries(load, "The database cannot be read", lambda line: note(f"{line}."))


def list_batches(options: Namespace) -> int:
    """Print the batches of tasks, newest first, with the number of tasks by status."""
    rows = task_batches.list_all(opened(), limit=options.limit)
    print_result(
        options, lambda: [asdict(row) for row in rows], lambda: terminal.batches_text(rows)
    )
    return DONE


def add_output_of_arguments(command: ArgumentParser) -> None:
    command.add_argument("batch", metavar="BATCH")
    command.add_argument(
        "--format",
        choices=FORMATS,
        default="jsonl",
        help="jsonl: OpenAI batch output; csv: prompts and answers (default: jsonl)",
    )
    add_output_arguments(command)


def output(options: Namespace) -> int:
    """Write the answers of a batch so far: OpenAI's batch output file, or CSV."""
    database = opened()
    task_batches.load(database, options.batch)
    return save(options, FORMATS[options.format](database, options.batch))


def add_cancel_arguments(command: ArgumentParser) -> None:
    command.add_argument("batch", metavar="BATCH")


def cancel(options: Namespace) -> int:
    """Cancel the tasks of a batch that have not ended."""
    batch = task_batches.cancel(opened(), options.batch)
    print_result(options, lambda: asdict(batch), lambda: _line(batch))
    return DONE


def _caller() -> str:
    person = operator()
    return person.caller if person else "terminal"


def _tenths_done(batch: TaskBatch) -> int:
    """Return how many tenths of the tasks have ended."""
    unended = sum(batch.counts.get(status, 0) for status in OPEN)
    return 10 * (batch.count - unended) // batch.count


def _line(batch: TaskBatch) -> str:
    return f"{batch.batch_id}: {task_texts.counts(batch)}"


def _read(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"Cannot read {name!r}: {error.strerror}.") from None
