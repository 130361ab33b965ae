"""Results as Markdown, on the terminal and in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import fmean

from bench.play import Result
from bench.tools import tool
from bench.work import Case
from services.analysis.statistics import percentile
from services.base.machine import environment
from services.base.units import NOTHING, seconds, significant

HEAD = (
    "client",
    "completed",
    "TTFT error, p50",
    "p99",
    "gap error, p50",
    "p99",
    "E2E error, p50",
    "p99",
    "CPU s",
    "net",
    "MB",
    "TTFT error ×",
    "CPU ×",
)


def tables(results: Mapping[str, Result], start_s: Mapping[str, float]) -> str:
    """Return all tables about the results of one case."""
    return table(results, start_s) + arrivals(results) + later_turns(results)


def table(results: Mapping[str, Result], start_s: Mapping[str, float]) -> str:
    """Return the table of one case; `start_s`: the CPU seconds of a client's run of one token."""
    ours = results.get("paceline", Result())
    our_net = _net(ours, start_s.get("paceline"))
    rows = [HEAD, ("---",) * len(HEAD)]
    for name, result in results.items():
        title = tool(name).title
        rows.append((title, *_cells(result, _net(result, start_s.get(name)), ours, our_net)))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def arrivals(results: Mapping[str, Result]) -> str:
    """Return the observed arrivals at a requested rate, by client and round; "" without a rate."""
    rows = [
        (
            tool(name).title,
            ", ".join(f"{came.per_s:.1f}" for came in result.arrivals),
            ", ".join(f"{came.distance:.3f}" for came in result.arrivals),
            f"{result.arrivals[0].allowed:.3f}",
        )
        for name, result in results.items()
        if result.arrivals
    ]
    head = ("client", "requests/s at the server", "KS distance of the gaps", "allowed at 5 %")
    return _written(head, rows)


def later_turns(results: Mapping[str, Result]) -> str:
    """Return how late the later turns of sessions were, by client; "" without sessions."""
    rows = [
        (
            tool(name).title,
            f"{len(late):,}",
            *(seconds(percentile(late, p)) for p in (50, 99)),
            seconds(max(late)),
        )
        for name, result in results.items()
        if (late := result.turns_late_s)
    ]
    return _written(("client", "later turns", "late, p50", "p99", "at most"), rows)


def _written(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    shown = ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]
    return "\n" + "\n".join(shown) + "\n"


def _cells(
    result: Result, net: float | None, ours: Result, our_net: float | None
) -> tuple[str, ...]:
    if not result.cpu_s:
        return (result.problem, *("",) * (len(HEAD) - 2))
    errors = result.errors
    back = f"{result.back:,} of {result.asked:,}"
    if result.served != result.back:
        back += f" (served: {result.served:,})"
    if result.problem:
        back += f"; then {result.problem}"
    gaps = _off(errors.gap) if errors.gap else [f"{cell}¹" for cell in _off(errors.mean_gap)]
    ttft = _times(_half(errors.ttft), _half(ours.errors.ttft))
    return (
        *(back, *_off(errors.ttft), *gaps, *_off(errors.e2e)),
        *(f"{fmean(result.cpu_s):.2f}", NOTHING if net is None else f"{net:.2f}"),
        *(f"{result.peak_mb:,.0f}" if result.peak_mb else NOTHING, ttft, _times(net, our_net)),
    )


def _net(result: Result, start_s: float | None) -> float | None:
    """Return the CPU seconds of a round without the start's; None if either was not measured."""
    if start_s is None or not result.cpu_s:
        return None
    return max(0.0, fmean(result.cpu_s) - start_s)


def _off(errors: list[float]) -> list[str]:
    if not errors:
        return [NOTHING, NOTHING]
    return [seconds(percentile(errors, 50)), seconds(percentile(errors, 99))]


def _half(errors: list[float]) -> float | None:
    return percentile(errors, 50) if errors else None


def _times(theirs: float | None, ours: float | None) -> str:
    if theirs is None or not ours:
        return NOTHING
    return significant(theirs / ours, 2)


def machine() -> str:
    """Return a description of the machine and the date."""
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    python = f"Python {platform.python_version()}"
    cores = f"{os.cpu_count()} cores of {environment()['cpu']}"
    return f"Measured on {cores}, {system}, {python}, on {date.today()}."


def section(case: Case, rounds: int, shown: str) -> str:
    played = f"{rounds} rounds" if rounds > 1 else "one round"
    return f"**{case.title}** ({played})\n\n{shown}"


def publish(name: str, rows: Iterable[Sequence[str]], file: Path | None) -> None:
    """Print a table with its machine and load; replace the section `name` of the file, if one is
    given."""
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    table += f"\n\nLoad average of the machine: {os.getloadavg()[0]:.1f}."
    print(f"{machine()}\n\n{table}")
    if file:
        write(file, {name: table})


def write(file: Path, parts: Mapping[str, str]) -> None:
    """Replace the text between `<!-- bench NAME -->` and `<!-- end -->`; the prose is kept.

    Raises:
        ValueError: the file has no such section.
    """
    text = file.read_text()
    for name, part in parts.items():
        section = re.compile(f"(<!-- bench {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        filled = part.strip().replace("\\", "\\\\")  # `re.sub` reads escapes in the replacement
        text, places = section.subn(rf"\1{filled}\n\2", text)
        if not places:
            raise ValueError(f"{file} has no place <!-- bench {name} -->")
    file.write_text(text)
