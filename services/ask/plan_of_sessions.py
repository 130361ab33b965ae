"""What the plan of a run says about its sessions, and how many tokens their prompts have."""

from __future__ import annotations

import json
from functools import lru_cache
from statistics import fmean, median_high

from services.ask import conversation, dialogue, modes
from services.ask.config import RunConfig
from services.ask.dialogue import Turn
from services.ask.lengths import GivenLengths, Lengths, of_answers, of_prompts
from services.ask.repeated import Repeated, of_turns, total
from services.ask.sessions import Sessions, sessions_of
from services.base.units import many

CHARACTERS_PER_TOKEN = 4.0  # English has 4.3 to 4.5 in today's tokenizers; most languages fewer
LOOKED_AT = 1000  # requests whose mean length is used


def in_sessions(config: RunConfig) -> str:
    """Return " in 4 sessions of 3 turns", or "" for requests without sessions."""
    if (sessions := sessions_of(config)) is None:
        return ""
    by_time = config.duration_s is not None
    count = "sessions" if by_time else many(sessions.count_within(config.requests), "session")
    return f" in {count} of {_turns(sessions)}"


def how(config: RunConfig) -> str:
    """Return how requests follow each other: ", one at a time"; for sessions in parentheses, with
    their turns."""
    described = modes.MODES[config.mode].describe(modes.starting(config))
    if (sessions := sessions_of(config)) is None:
        return f", {described}"
    return f" (sessions {described}; later turns {_when(sessions)})"


def _turns(sessions: Sessions) -> str:
    counts = [len(each) for each in sessions.delays_s]
    low, high = min(counts), max(counts)
    return many(high, "turn") if low == high else f"{low} to {high} turns"


def _when(sessions: Sessions) -> str:
    later = [delay for each in sessions.delays_s for delay in each[1:]]
    low, high = min(later), max(later)
    if not high:
        return "as soon as the previous answer has ended"
    seconds = f"{low:g} s" if low == high else f"{low:g} to {high:g} s"
    return f"{seconds} after the previous answer"


def prompt_tokens(config: RunConfig, sessions: Sessions) -> float:
    """Return about how many tokens the prompts of all requests have in total, including the history
    in each, repeats and warm-up."""
    each = [tokens for session in _by_session(config, sessions) for tokens in session]
    rounds, rest = divmod(config.requests, len(each))
    warm = fmean(session[0] for session in _by_session(config, sessions)) * config.warmup
    return config.repeats * (rounds * sum(each) + sum(each[:rest])) + warm


def _by_session(config: RunConfig, sessions: Sessions) -> list[list[float]]:
    """The prompt tokens of each turn of each session in the rotation."""
    return [[own + before for own, before in turns] for turns in turn_tokens(config, sessions)]


def turn_tokens(config: RunConfig, sessions: Sessions) -> list[list[tuple[float, float]]]:
    """Return about (tokens of the new message, tokens of the history) for each turn of each session
    in the rotation."""
    if config.workload == "synthetic":
        asked, answered = _mean(of_prompts(config)), _mean(of_answers(config))
        count = len(sessions.delays_s[0])
        return [[(asked, turn * (asked + answered)) for turn in range(count)]]
    return [
        _of_file(
            config,
            conversation.turns(prompt, config.turn_by_turn, len(delays)),
            _options_characters(prompt) / CHARACTERS_PER_TOKEN,
        )
        for prompt, delays in zip(config.prompts, sessions.delays_s, strict=True)
    ]


@lru_cache(maxsize=64)
def _mean(law: Lengths | GivenLengths) -> float:
    return law.total(LOOKED_AT) / LOOKED_AT


def repeated(config: RunConfig) -> Repeated | None:
    """Return about how many tokens the requests of a repeat have and repeat from their sessions;
    those of one rotation if the number of requests depends on the answers. None if there are no
    sessions."""
    if (sessions := sessions_of(config)) is None:
        return None
    answered = config.history == "answered"
    each = [turn for turns in turn_tokens(config, sessions) for turn in of_turns(turns, answered)]
    requests = max(1, round(modes.expected(config) or len(each)))
    rounds, rest = divmod(requests, len(each))
    return total([total(each).times(rounds), total(each[:rest])])


def typical_session(config: RunConfig) -> list[tuple[float, float, float, float]] | None:
    """Return about (tokens of the history, of the new message, of the answer; the delay in seconds)
    for each turn of one session: the first with the median number of turns. None if there is
    none."""
    if (sessions := sessions_of(config)) is None:
        return None
    turns = median_high(map(len, sessions.delays_s))
    number = next(i for i, delays in enumerate(sessions.delays_s) if len(delays) == turns)
    answer = float(of_answers(config).mean)
    found = turn_tokens(config, sessions)[number]
    delays = sessions.delays_s[number]
    return [(before, own, answer, d) for (own, before), d in zip(found, delays, strict=True)]


def _of_file(config: RunConfig, turns: list[Turn], options: float) -> list[tuple[float, float]]:
    """`options`: the tokens of the tools, which are sent with each turn: new to the first one, and
    repeated by the others."""
    tokens_by_turn: list[tuple[float, float]] = []
    history = 0.0
    for number, turn in enumerate(turns):
        own = conversation.answer_of(turn) if number else turn.messages
        asked, whole = _tokens(own), _tokens(turn.messages)
        if number and config.history == "answered":
            whole = asked + of_answers(config).mean
        if not number:
            asked, whole = asked + options, whole + options
        tokens_by_turn.append((asked, history + whole - asked))
        history += whole
    return tokens_by_turn


def _tokens(messages: list[dialogue.Message]) -> float:
    return _characters(messages) / CHARACTERS_PER_TOKEN


def characters(prompt: str) -> int:
    """Return the characters of the texts of a prompt's first turn, and of its tools. Images have
    none: their tokens do not follow from their data."""
    messages = dialogue.messages_of(conversation.first(prompt))
    return _characters(messages) + _options_characters(prompt)


def _options_characters(prompt: str) -> int:
    options = dialogue.options_of(prompt)
    return len(json.dumps(options)) if options else 0


def _characters(messages: list[dialogue.Message]) -> int:
    return sum(len(text) for message in messages for text in dialogue.texts_in(message))
