"""Searches for a capacity that is known, Paceline's and its peers' in turn: `python -m
bench.capacity [--write FILE]`.

The reference server is a queue of 6 slots with exponential service times of 50 ms, so that the
highest rate at which the p90 of TTFT is 200 ms follows from Erlang C. Each client searches for it
between 10 and 300 requests per second in its own way, against a server of its own. Printed is what
each says, how far that is from the truth, and what it took. A peer that cannot be installed, or is
not done in time, has a row that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import environments, process, report, server, tokenizer
from bench.play import QUIET, Problem
from bench.work import Case, Job
from services.base.units import NOTHING, significant
from tests.services.analysis.capacity.queue import Queue

SLOTS, SERVICE_S, LIMIT_S, ALLOWED = 6, 0.05, 0.2, 0.1
LOWEST, HIGHEST = 10, 300  # requests per second
PROBE_S = 10  # how long a peer offers each load
WINDOW_S = 4  # how long Paceline does, at least; up to five times as long near the capacity
PROMPTS = 200  # which each client sends again and again
MODEL = f"ref slots={SLOTS} service={SERVICE_S} law=exponential seed=101 ttft=0 gap=0.001 tokens=2"
CASE = Case("capacity", "", PROMPTS, MODEL, 2)
HEAD = ("client", "answer", "95 % interval", "off", "off ×", "time", "time ×", "CPU s")


@dataclass(frozen=True, slots=True)
class Answer:
    """The capacity that a client found, in requests per second; None: it found none, but that the
    capacity is `at_least` this much, if known."""

    value: float | None
    low: float | None = None
    high: float | None = None
    at_least: float | None = None

    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.value:.1f}"
        return "none claimed" if self.at_least is None else f"at least {self.at_least:.1f}"


@dataclass(frozen=True, slots=True)
class Searcher:
    """A client that searches. `command` takes its interpreter; `read` takes what it printed."""

    name: str
    label: str
    command: Callable[[Job, str], list[str]]
    read: Callable[[Job, bytes], Answer]
    own: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An answer and how long it took, in s; or the problem."""

    title: str
    answer: Answer = Answer(None)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    problem: str = ""


def truth() -> float:
    """Return the capacity by Erlang C, in requests per second."""
    return Queue(SLOTS, 1 / SERVICE_S).capacity(LIMIT_S, ALLOWED)


def paceline_command(job: Job, python: str) -> list[str]:
    """Return the command of a search with a precision of 10 %, the half-width that it may have."""
    return [
        *(python, "cli.py", "capacity", "--json", "--backend", "url"),
        *("--base-url", f"{job.base_url}/v1", "--model", MODEL),
        *("--slo", f"ttft:p{100 - 100 * ALLOWED:g}<{LIMIT_S}"),
        *("--lowest", str(LOWEST), "--highest", str(HIGHEST), "--window", str(WINDOW_S)),
        *("--precision", "0.1", "--probes", "12", "--warmup", "0", "--no-calibrate"),
        *("--max-tokens", "2"),
    ]


def read_paceline(job: Job, out: bytes) -> Answer:
    (one,) = json.loads(out)["servers"]
    return Answer(one["capacity"], one["low"], one["high"], one["at_least"])


def aiperf_command(job: Job, python: str) -> list[str]:
    prompts = job.folder / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"text": prompt}) + "\n" for prompt in job.prompts))
    limit = f"time_to_first_token:p{100 - 100 * ALLOWED:g}:lt:{1000 * LIMIT_S:g}"
    return [
        *(str(Path(python).parent / "aiperf"), "profile", "--model", MODEL),
        *("--url", job.base_url, "--endpoint-type", "chat", "--streaming"),
        *("--use-server-token-count", "--use-legacy-max-tokens", "--osl", "2"),
        *("--tokenizer", str(tokenizer.write(job.folder / "tokenizer"))),
        *("--input-file", str(prompts), "--custom-dataset-type", "single-turn"),
        *("--arrival-pattern", "poisson", "--benchmark-duration", str(PROBE_S)),
        *("--search-space", f"phases.profiling.rate:{LOWEST},{HIGHEST}:int"),
        *("--search-metric", "request_throughput", "--search-direction", "maximize"),
        *("--search-planner", "smooth-isotonic", "--search-max-iterations", "15"),
        *("--search-sla", limit, "--artifact-dir", str(job.folder / "aiperf")),
        *("--ui", "none", "--no-server-metrics", "--no-gpu-telemetry"),
    ]


def read_aiperf(job: Job, out: bytes) -> Answer:
    """The highest rate that met the limit."""
    history = json.loads((job.folder / "aiperf" / "search_history.json").read_text())
    return Answer((history["boundary_summary"]["feasible_max"] or {"value": None})["value"])


def evalscope_command(job: Job, python: str) -> list[str]:
    prompts = job.folder / "prompts.txt"
    prompts.write_text("\n".join(job.prompts))
    limit = {f"p{100 - 100 * ALLOWED:g}_ttft": f"<={1000 * LIMIT_S:g}ms"}
    return [
        *(str(Path(python).parent / "evalscope"), "perf", "--model", MODEL),
        *("--url", f"{job.base_url}/v1/chat/completions", "--api", "openai", "--stream"),
        *("--dataset", "line_by_line", "--dataset-path", str(prompts), "--max-tokens", "2"),
        *("--sla-auto-tune", "--sla-variable", "rate", "--sla-params", json.dumps([limit])),
        *("--sla-lower-bound", str(LOWEST), "--sla-upper-bound", str(HIGHEST)),
        *("--sla-fixed-parallel", "500", "--sla-num-runs", "1"),
        *("--sla-number-multiplier", str(PROBE_S), "--sleep-interval", "0"),
        *("--outputs-dir", str(job.folder / "evalscope")),
    ]


def read_evalscope(job: Job, out: bytes) -> Answer:
    """The row of its last table: "│ p90_ttft <= 200 ms │ 19 │ best_observed │ …", which it logs to
    standard error."""
    log = (job.folder / "stderr").read_text(errors="replace")
    row = re.search(r"│ p\d+_ttft <= [^│]+│\s*([^│]*?)\s*│", log)
    if row is None:
        raise ValueError("its log has no selection")
    return Answer(float(row[1]) if re.fullmatch(r"[\d.]+", row[1]) else None)


SEARCHERS = (
    Searcher("paceline", "Paceline", paceline_command, read_paceline, own=True),
    Searcher("aiperf", "aiperf", aiperf_command, read_aiperf),
    Searcher("evalscope", "evalscope", evalscope_command, read_evalscope),
)


def searched(one: Searcher, limit_s: float) -> Found:
    """Run a client's search against a server of its own."""
    title = one.label if one.own else f"{one.label} {environments.version(one.name)}"
    try:
        answer, ended = _searched(one, limit_s)
    except Problem as problem:
        return Found(title, problem=str(problem))
    return Found(title, answer, ended.wall_s, ended.cpu_s)


def _searched(one: Searcher, limit_s: float) -> tuple[Answer, process.Ended]:
    try:
        python = sys.executable if one.own else environments.python_of(one.name)
    except environments.NotInstalled as error:
        raise Problem(f"not installed: {error}") from None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, server.serving() as port:
        folder = Path(name)
        job = Job(CASE, port, folder, "capacity")
        own = {"PACELINE_DATABASE_URL": f"sqlite:///{folder / 'paceline.db'}"}
        env, errors = os.environ | QUIET | own, folder / "stderr"
        try:
            ended = process.run(one.command(job, python), b"", env, limit_s, errors)
        except process.Overran:
            raise Problem(f"not done in {limit_s:.0f} s") from None
        try:
            return one.read(job, ended.out), ended
        except (OSError, LookupError, TypeError, ValueError) as error:
            why = f"{type(error).__name__}: {error}"[:80]
            raise Problem(f"no result, exit code {ended.code} ({why})") from None


def rows(found: Sequence[Found], true: float) -> Iterator[tuple[str, ...]]:
    """Return the table: each result beside the true capacity, and times as multiples of the
    first."""
    yield from (HEAD, ("---",) * len(HEAD), ("truth (Erlang C)", f"{true:.1f}", *("",) * 6))
    ours = found[0]
    for one in found:
        yield _problem(one) if one.problem else _row(one, ours, true)


def _problem(one: Found) -> tuple[str, ...]:
    return (one.title, one.problem, *("",) * (len(HEAD) - 2))


def _row(one: Found, ours: Found, true: float) -> tuple[str, ...]:
    low, high = one.answer.low, one.answer.high
    off, our_off = _relative_error(one, true), _relative_error(ours, true)
    return (
        one.title,
        str(one.answer),
        f"{low:.1f}–{high:.1f}" if low is not None and high is not None else NOTHING,
        NOTHING if off is None else f"{off:+.1%}".replace("%", " %"),
        _times(off, our_off),
        f"{one.wall_s:.0f} s",
        _times(one.wall_s, ours.wall_s),
        f"{one.cpu_s:.0f}",
    )


def _relative_error(one: Found, true: float) -> float | None:
    return None if one.answer.value is None else one.answer.value / true - 1


def _times(theirs: float | None, ours: float | None) -> str:
    return significant(abs(theirs) / abs(ours), 2) if theirs is not None and ours else NOTHING


def main() -> None:
    names = [one.name for one in SEARCHERS]
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--clients", nargs="+", metavar="NAME", choices=names, default=names)
    parser.add_argument(
        "--limit", type=float, default=1800, metavar="S", help="seconds a client may take"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into FILE")
    options = parser.parse_args()
    chosen = [one for one in SEARCHERS if one.own or one.name in options.clients]
    found = [searched(one, options.limit) for one in chosen]
    report.publish("capacity", rows(found, truth()), options.write)


if __name__ == "__main__":
    main()
