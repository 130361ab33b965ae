"""Prompts and answers, for a page whose owner chooses to include them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.analysis.compare import Candidate
from services.ask.measurement import Measurement
from services.report.prompt_text import text_sent, turn_of

MOST = 100  # requests of a run
LONGEST = 10_000  # characters of a text
Answers = Mapping[tuple[int, int], str | None]  # by repeat and index


@dataclass(frozen=True)
class Exchange:
    """The prompt and the answer of one request; None: unknown."""

    heading: str
    prompt: str | None
    answer: str | None


def exchanges_of(candidates: Sequence[Candidate]) -> list[tuple[str, list[Exchange]]]:
    """Return the first MOST requests of every run, by the run's name."""
    return [
        (
            candidate.label,
            _of_run(candidate),
        )
        for candidate in candidates
    ]


def _of_run(candidate: Candidate) -> list[Exchange]:
    first = list(candidate.measurements[:MOST])
    answers = {(m.repeat, m.index): m.answer for m in first}
    return [_exchange(candidate, m, answers) for m in first]


def _exchange(candidate: Candidate, measured: Measurement, answers: Answers) -> Exchange:
    run, repeat = candidate.run, measured.repeat
    prompt = None
    if run.source is None:  # the config does not contain what another tool sent
        nonce = run.environment.get("prompt_mark", "")
        prompt = text_sent(
            run.config, repeat, measured.index, nonce, lambda i: answers.get((repeat, i))
        )
    heading = f"Request {measured.index + 1}"
    if run.config.repeats > 1:
        heading += f" of repeat {measured.repeat + 1}"
    if where := turn_of(run.config, measured.index):
        heading += f", turn {where['turn']} of session {where['session']}"
    return Exchange(heading, _truncate(prompt), _truncate(measured.answer))


def _truncate(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else f"{text[:LONGEST]}…"
