"""The summary that is stored with a run when it ends, in the column `headline`: enough to list the
run and to compare it with another.

History compares fifty runs with their baselines at once, and the trend five hundred. The measures
of a verdict are therefore stored per repeat, so that no request has to be read again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from services.analysis.compare.candidate import Candidate, row_of
from services.analysis.compare.findings import FAMILY
from services.analysis.compare.rows import COMPARED, Compared, by_index
from services.analysis.diagnostics import diagnostics
from services.ask import about, modes
from services.ask.config import FORMER, RunConfig
from services.ask.measurement import Run, RunStatus

OURS = "Paceline"  # the client, also of runs imported from another Paceline
# Work fields that are always part of the key, as in stored summaries. A field added later is part
# of it only if it differs from its default, so that stored keys remain valid.
ALWAYS = (
    "mode",
    "requests",
    "workload",
    "unique_prompts",
    "max_tokens",
    "temperature",
    "top_p",
    "ignore_eos",
    "stop_after_s",
    "stop_after_errors",
    "pause_s",
    "interval_s",
    "concurrency",
    "prompt",
    "prompts",
    "input_tokens",
    "long_input_tokens",
    "long_every",
    "long_max_tokens",
)


def stored_summary(candidate: Candidate, status: RunStatus | None = None) -> dict[str, Any]:
    """Return a run's summary as one JSON-ready row: the keys of `summary_row` (for an imported run
    completed with the numbers that its tool reports), and

    `by_repeat`: the measures in FAMILY, each a number or None for every repeat;
    `work`: a key that is equal for runs that did the same work, see `work_of`;
    `waiting`: a description of the client's own waiting between requests, or "";
    `warnings`: the titles of the diagnostics that say its numbers may be misleading;
    `via`: only if LiteLLM's overhead is part of the numbers, or another tool measured them.

    `status`: that of the run when it has ended, if it is not stored yet.
    """
    via = {"via": candidate.run.through} if candidate.run.through else {}
    waiting = modes.client_wait(candidate.run.config)
    judged = [entry for entry in COMPARED if entry.name in FAMILY]
    return {
        **row_of(candidate),
        "by_repeat": {entry.name: _numbers(entry, candidate) for entry in judged},
        "work": work_of(candidate.run),
        "waiting": waiting,
        "warnings": _warnings(candidate, status or candidate.run.status),
        **via,
    }


def _warnings(candidate: Candidate, status: RunStatus) -> list[str]:
    run = replace(candidate.run, status=status)
    found = diagnostics(run, candidate.measurements, candidate.summary, candidate.samples)
    return [each.title for each in found if each.level == "warning"]


def _numbers(compared: Compared, candidate: Candidate) -> list[float | None]:
    """A measure by repeat index; None for a missing repeat or an unknown value."""
    numbers = by_index(compared, candidate)
    last = max([*numbers, *(repeat.index for repeat in candidate.summary.repeats)], default=-1)
    return [numbers.get(index) for index in range(last + 1)]


def work_of(run: Run) -> str:
    """Return a short key of the requested work and its client: 16 hexadecimal digits.

    Backend, model, repeats, warm-up and time limits are not part of it. It is a hash, so prompts
    cannot be recovered from it. The seed counts only if it affects answers or prompts.
    """
    config = run.config
    work = config.model_dump(mode="json", include=_work(config))
    work |= {name: value for name, value in _sent(config).items() if work[name] is None}
    work |= {name: None for name in config.omit if name in work}
    drawn = config.workload in ("synthetic", "mixed") or config.output_distribution != "fixed"
    if drawn or not config.greedy:
        work["seed"] = config.seed
    if config.dialect:
        work["dialect"] = config.dialect
    work["client"] = "litellm" if config.via_litellm else (run.source or {}).get("tool", OURS)
    return blake2b(json.dumps(work, sort_keys=True).encode(), digest_size=8).hexdigest()


def _work(config: RunConfig) -> set[str]:
    """The fields that define the work, except the seed."""
    fields = type(config).model_fields
    return {
        name
        for name, known in about.fields(type(config)).items()
        if known.role == "work" and name != "seed" and known.is_read(config.mode, config.workload)
        if name in ALWAYS or getattr(config, name) != FORMER.get(name, fields[name].default)
    }


def _sent(config: RunConfig) -> dict[str, float | None]:
    """The values to use for fields that are not set. Older versions always sent a top-p of 1, which
    has no effect on greedy decoding."""
    return {"temperature": config.sent_temperature, "top_p": 1.0 if config.greedy else None}


def values_by_repeat(summary: Mapping[str, Any], name: str) -> dict[int, float]:
    """Return the known values of a measure in a stored summary, by repeat index; empty if an older
    version stored none."""
    numbers = summary.get("by_repeat", {}).get(name, ())
    return {index: number for index, number in enumerate(numbers) if number is not None}
