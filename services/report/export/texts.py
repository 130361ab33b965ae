"""Prompts and answers for a page whose owner wants them on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.analysis.compare import Candidate
from services.ask.dialogue import text_of
from services.ask.measurement import Measurement
from services.ask.workloads import prompt
from services.report import theme

MOST = 100  # requests of a run
LONGEST = 10_000  # characters of a text


@dataclass(frozen=True)
class Talk:
    """One request: what was asked, what was answered. None: not known."""

    heading: str
    prompt: str | None
    answer: str | None


def talks(candidates: Sequence[Candidate]) -> list[tuple[str, list[Talk]]]:
    """Return the first MOST requests of every run, under the run's name."""
    return [
        (theme.label(candidate.run), [_talk(candidate, m) for m in candidate.measurements[:MOST]])
        for candidate in candidates
    ]


def _talk(candidate: Candidate, measured: Measurement) -> Talk:
    run = candidate.run
    asked = None
    if run.source is None:  # what another tool sent stands in no config
        mark = run.environment.get("prompt_mark", "")
        asked = text_of(prompt(run.config, measured.repeat, measured.index, mark))
    heading = f"Request {measured.index + 1}"
    if run.config.repeats > 1:
        heading += f" of repeat {measured.repeat + 1}"
    return Talk(heading, _cut(asked), _cut(measured.answer))


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else f"{text[:LONGEST]}…"
