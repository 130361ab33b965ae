"""Prompts and answers, for a page whose owner chooses to include them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.analysis.compare import Candidate
from services.ask.dialogue import text_of
from services.ask.measurement import Measurement
from services.ask.workloads import prompt

MOST = 100  # requests of a run
LONGEST = 10_000  # characters of a text


@dataclass(frozen=True)
class Exchange:
    """The prompt and the answer of one request; None: not known."""

    heading: str
    prompt: str | None
    answer: str | None


def exchanges_of(candidates: Sequence[Candidate]) -> list[tuple[str, list[Exchange]]]:
    """Return the first MOST requests of every run, under the run's name."""
    return [
        (
            candidate.label,
            [_exchange(candidate, m) for m in candidate.measurements[:MOST]],
        )
        for candidate in candidates
    ]


def _exchange(candidate: Candidate, measured: Measurement) -> Exchange:
    run = candidate.run
    sent = None
    if run.source is None:  # the config does not contain what another tool sent
        nonce = run.environment.get("prompt_mark", "")
        sent = text_of(prompt(run.config, measured.repeat, measured.index, nonce))
    heading = f"Request {measured.index + 1}"
    if run.config.repeats > 1:
        heading += f" of repeat {measured.repeat + 1}"
    return Exchange(heading, _cut(sent), _cut(measured.answer))


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else f"{text[:LONGEST]}…"
