"""Checks of whether runs did the same work: model, prompts, lengths, sampling, token counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from services.analysis.compare.candidate import Candidate, labels_of
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.ask import lengths
from services.ask.backends.dialects import DIALECTS, dialect_of
from services.ask.prefixes import prefixes_of
from services.ask.sessions import sessions_of
from services.ask.workloads import parts
from services.ask.workloads.mixed import every
from services.base import units

LENGTH_GAP = 0.05  # allowed between the shortest and the longest mean


def unequal(
    candidates: Sequence[Candidate], of: Callable[[Candidate], Any], title: str, sentence: str
) -> Diagnostic | None:
    """Return a warning if the known values of `of` differ between runs."""
    values = dict(zip(labels_of(candidates), map(of, candidates), strict=True))
    known = {number: value for number, value in values.items() if value is not None}
    if len(set(known.values())) < 2:
        return None
    return Diagnostic("warning", title, f"{by_name(known)}. {sentence}")


def by_name(values: dict[str, Any]) -> str:
    """Return each run's value as text, grouped by value: `A, B: 128; C: 256`. A value that begins
    with its run's label, `sequential, 8 requests`, has none before it."""
    alike: dict[Any, list[str]] = {}
    for label, value in values.items():
        alike.setdefault(value, []).append(label)
    return "; ".join(
        str(value) if str(value).startswith(f"{label}, ") else f"{label}: {value}"
        for label, value in ((", ".join(labels), value) for value, labels in alike.items())
    )


def _model_of(candidate: Candidate) -> str | None:
    run = candidate.run
    if run.source is not None:
        return run.config.model or None
    return str(run.config.model or run.environment.get("model") or "the server's first")


def _model(candidates: Sequence[Candidate]) -> Diagnostic | None:
    return unequal(
        candidates,
        _model_of,
        "Different models",
        "The ratios compare the models as much as the backends. The same weights may have two "
        "names; if these really differ, use the same model on both backends.",
    )


def _prompts(candidates: Sequence[Candidate]) -> Diagnostic | None:
    known = [c for c in candidates if c.run.knows("workload")]
    if all(_work(c) == _work(known[0]) for c in known):
        return None if len(known) == len(candidates) else _UNKNOWN_PROMPTS
    configs = [c.run.config for c in known]
    kinds = " and ".join(dict.fromkeys(config.workload for config in configs))
    return Diagnostic(
        "warning",
        "Different prompts",
        "The prompts are not the same in all runs, or only some runs made them unique (workload: "
        f"{kinds}). Prompts of a different length or kind take a different time: use the same "
        "ones.",
    )


_UNKNOWN_PROMPTS = Diagnostic(
    "note",
    "It is unknown whether the prompts were the same",
    "The file of an imported run does not contain its prompts. Prompts of a different length or "
    "kind take a different time: compare the prompt tokens below.",
)


def _work(candidate: Candidate) -> tuple[object, ...]:
    config = candidate.run.config
    own = {
        "text": config.prompt,
        "file": config.prompts,
        "synthetic": (config.text_style, lengths.of_prompts(config), prefixes_of(config)),
        "mixed": (config.text_style, every(config), *(part.input_tokens for part in parts(config))),
        "trace": (config.trace, config.trace_from_s, config.trace_to_s),
    }.get(config.workload)
    sessions = sessions_of(config)
    played = (sessions, config.turn_by_turn, config.history) if sessions else None
    return config.workload, own, config.unique_prompts, played


def _own_answers_as_history(candidates: Sequence[Candidate]) -> Diagnostic | None:
    """A note if servers received their own answers as history."""
    configs = [c.run.config for c in candidates if c.run.source is None]
    if not any(sessions_of(c) and c.history == "answered" for c in configs):
        return None
    return Diagnostic(
        "note",
        "Each server got its own answers as history",
        "So the prompts of later turns differ between the runs, in content and in length: compare "
        "the prompt tokens of later turns. To send every server the same prompts, set the history "
        "to recorded.",
    )


def _endpoint_of(candidate: Candidate) -> str | None:
    run = candidate.run
    return DIALECTS[dialect_of(run.config)].path if run.knows("dialect") else None


def _api_format(candidates: Sequence[Candidate]) -> Diagnostic | None:
    """A warning if only some servers received the prompt without the model's chat template."""
    as_text = DIALECTS["completions"].path in map(_endpoint_of, candidates)
    different = unequal(
        candidates,
        _endpoint_of,
        "Different API formats",
        "A server handles each format with different code"
        + (", and completions get the prompt without the model's chat template" if as_text else "")
        + ". Use the same format, unless it is what you compare.",
    )
    if different is None or as_text:
        return different
    return replace(different, level="note")


def _prompt_lengths(candidates: Sequence[Candidate]) -> Diagnostic | None:
    return _unequal_lengths(
        candidates,
        "prompt_tokens",
        "Prompts of different length",
        "Processing a longer prompt takes longer, so TTFT would differ even on equal servers. Send "
        "the same number of the same prompts; if they are the same, the servers count them "
        "differently.",
    )


def _output_lengths(candidates: Sequence[Candidate]) -> Diagnostic | None:
    return _unequal_lengths(
        candidates,
        "output_tokens",
        "Answers of different length",
        "A longer answer takes longer, so E2E latency would differ even on equal servers. Compare "
        "TPOT and tokens/s, or fix the length: let the server ignore the end of text, or set a "
        "token limit that every answer reaches.",
    )


def _token_limit(candidate: Candidate) -> str | None:
    if not candidate.run.knows("max_tokens"):
        return None
    answers = lengths.of_answers(candidate.run.config)
    return (
        f"{answers.mean} on average: {answers.sentence}" if answers.sentence else str(answers.mean)
    )


def _max_tokens(candidates: Sequence[Candidate]) -> Diagnostic | None:
    return unequal(
        candidates,
        _token_limit,
        "Different token limits",
        "Answers may end at different lengths, which changes their latencies: use the same "
        "max_tokens.",
    )


def _sampling(candidates: Sequence[Candidate]) -> Diagnostic | None:
    chance = any(not c.run.config.greedy for c in candidates)

    def sampling(c: Candidate) -> str | None:
        config = c.run.config
        if not c.run.knows("temperature"):
            return None
        temperature, top_p = config.sent_temperature, config.sent_top_p
        text = f"temperature {_sampling_value(temperature)}"
        if not config.greedy:  # top-p has no effect on greedy decoding
            text += f", top-p {_sampling_value(top_p)}"
        text += f", seed {config.seed}" if chance and config.seed is not None else ""
        return text + (", ignore_eos" if config.ignore_eos else "")

    return unequal(
        candidates,
        sampling,
        "Different sampling",
        "Sampling changes the answers and their lengths: use the same settings.",
    )


def _sampling_value(value: float | None) -> str:
    return "of the server" if value is None else f"{value:g}"


def _token_source(candidates: Sequence[Candidate]) -> Diagnostic | None:
    return unequal(
        candidates,
        lambda c: " and ".join(sorted(set(c.summary.token_sources) - {"unknown"})) or None,
        "Tokens were counted in different ways",
        "A server's usage and a tokenizer may count differently, so token rates are not "
        "comparable: compare latencies, or use servers that report usage.",
    )


def _unequal_lengths(
    candidates: Sequence[Candidate], metric: str, title: str, sentence: str
) -> Diagnostic | None:
    distributions = [c.summary.distributions.get(metric) for c in candidates]
    numbered = zip(labels_of(candidates), distributions, strict=True)
    means = {
        number: distribution.mean for number, distribution in numbered if distribution is not None
    }
    if not means or max(means.values()) <= (1 + LENGTH_GAP) * min(means.values()):
        return None
    averages = units.listed(f"{units.many(mean, 'token')} ({name})" for name, mean in means.items())
    return Diagnostic("warning", title, f"On average, they have {averages}. {sentence}")


CHECKS = (
    _model,
    _prompts,
    _own_answers_as_history,
    _api_format,
    _prompt_lengths,
    _output_lengths,
    _max_tokens,
    _sampling,
    _token_source,
)
