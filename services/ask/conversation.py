"""Conversations: how they are divided into turns, and what a turn sends of earlier ones."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from services.ask import dialogue
from services.ask.dialogue import MARK, Message, Turn


def turns(prompt: str, by_message: bool = False, most: int | None = None) -> list[Turn]:
    """Return the turns of a prompt, at most `most`. `by_message`: also split a list of messages
    before each answer."""
    found = dialogue.turns_of(prompt)
    if by_message and len(found) == 1:
        found = split_messages(found[0].messages)
    return found[:most]


def split_messages(messages: Sequence[Message]) -> list[Turn]:
    """Split messages into turns: each answer to a user begins one. Trailing answers are left out,
    since no turn follows them."""
    groups: list[list[Message]] = [[]]
    for message in messages:
        before = groups[-1][-1]["role"] if groups[-1] else ""
        if message["role"] == "assistant" and before in ("user", "tool"):
            groups.append([])
        groups[-1].append(message)
    if len(groups) > 1 and all(message["role"] == "assistant" for message in groups[-1]):
        groups.pop()
    return [Turn(each) for each in groups]


def first(prompt: str) -> str:
    """Return the first turn of a prompt, as a prompt."""
    found = dialogue.turns_of(prompt)
    if len(found) == 1:
        return prompt
    return dialogue.to_prompt(found[0].messages, dialogue.options_of(prompt))


def is_session(prompt: str) -> bool:
    """Return whether a prompt has several turns."""
    return prompt.startswith(MARK) and len(dialogue.turns_of(prompt)) > 1


def can_be_split(prompt: str) -> bool:
    """Return whether a prompt is a list of messages with several user turns."""
    if not prompt.startswith(MARK) or is_session(prompt):
        return False
    return len(turns(prompt, by_message=True)) > 1


def first_turns(prompt: str, longest: int) -> str:
    """Return a prompt with as many of its turns as fit into `longest` characters, at least one."""
    if len(prompt) <= longest or not is_session(prompt):
        return prompt
    found, options = dialogue.turns_of(prompt), dialogue.options_of(prompt)
    # more turns are longer, so bisection writes a conversation of thousands a few times only
    fitting = bisect_right(
        range(1, len(found)),
        longest,
        key=lambda count: len(dialogue.to_session(found[:count], options)),
    )
    return dialogue.to_session(found[: max(1, fitting)], options)


def prompt(
    conversation: Sequence[Turn],
    options: Mapping[str, Any] | None = None,
    answers: Sequence[str] | None = None,
    nonce: str = "",
) -> str:
    """Return the prompt of the last of these turns, which contains all messages up to it.
    `answers`: the server's answers to the earlier turns, which replace the recorded ones. `nonce`:
    added at the beginning."""
    messages: list[Message] = list(conversation[0].messages)
    for number, turn in enumerate(conversation[1:]):
        if answers is None:
            messages += turn.messages
        else:
            messages.append({"role": "assistant", "content": answers[number]})
            messages += answer_of(turn)
    return dialogue.to_prompt(
        dialogue.with_leading_nonce(messages, nonce) if nonce else messages, options
    )


def answer_of(turn: Turn) -> list[Message]:
    """Return what a later turn adds, without the answer recorded before it."""
    return turn.messages[len(_answers(turn)) :]


def _answers(turn: Turn) -> list[Message]:
    return list(takewhile(lambda message: message["role"] == "assistant", turn.messages))


def check(prompts: Sequence[str], most: int | None, by_message: bool, history: str) -> None:
    """Check that later turns can be sent with this history.

    Raises:
        ValueError: one cannot; the message names the prompt.
    """
    for number, each in enumerate(prompts, 1):
        if not each.startswith(MARK):
            continue
        for turn in turns(each, by_message, most)[1:]:
            if not answer_of(turn):
                raise ValueError(
                    f"prompts: prompt {number:,} has a turn without a user message. Remove it."
                )
            if history == "recorded" and not _answers(turn):
                raise ValueError(
                    f"history: must be answered: prompt {number:,} is a conversation without "
                    "recorded answers."
                )
            if history == "answered" and answer_of(turn)[0]["role"] == "tool":
                raise ValueError(
                    f"history: must be recorded: prompt {number:,} has tool results, which belong "
                    "to the recorded calls."
                )
