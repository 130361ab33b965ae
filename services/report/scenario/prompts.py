"""A person's own prompts in a scenario: written in it, in a file beside it, or left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from services.ask import about, dialogue
from services.ask.config import RunConfig
from services.ask.own_prompts import own_prompts
from services.ask.workloads.entries import Notes, Unusable, prompt_of
from services.ask.workloads.lines import InvalidFile
from services.ask.workloads.promptfile import read_file
from services.base.units import many
from services.report.scenario.document import Document
from services.report.scenario.keys import PROMPTS_FILE

ReadFile = Callable[[str], bytes]  # a file beside the scenario; raises OSError
PRIVATE = about.names(RunConfig, lambda known: known.private)


def filled(
    document: Document, values: Mapping[str, Any], read: ReadFile | None, *place: str | int
) -> dict[str, Any]:
    """Return the values of a run with its prompts as a config has them. `read`: reads the file
    that it names, where there is one beside it.

    Raises:
        InvalidScenario: the file cannot be read, or what it holds are no prompts.
    """
    own = dict(values)
    name = own.pop(PROMPTS_FILE, None)
    if name is not None:
        if own.get("prompts") is not None:
            raise document.problem(
                f"{PROMPTS_FILE} and prompts do not go together. Keep one.", *place, PROMPTS_FILE
            )
        own["prompts"] = _of_file(document, name, read, *place)
    elif isinstance(own.get("prompts"), list):
        entries = [
            _of_entry(document, entry, *place, "prompts", index)
            for index, entry in enumerate(own["prompts"])
        ]
        own["prompts"] = [entry for entry in entries if entry is not None]
    return own


def _of_file(
    document: Document, name: Any, read: ReadFile | None, *place: str | int
) -> tuple[str, ...]:
    here = (*place, PROMPTS_FILE)
    if not isinstance(name, str) or not _is_beside(name):
        raise document.problem(
            f"{PROMPTS_FILE} must be the path of a file that is in the folder of the scenario or "
            "below it, such as prompts.jsonl.",
            *here,
        )
    if read is None:
        raise document.problem(
            f"{PROMPTS_FILE} can only be read on the command line. Write the prompts into the "
            "scenario, as a list `prompts`.",
            *here,
        )
    try:
        return read_file(read(name), name).prompts
    except OSError as error:
        raise document.problem(
            f"{PROMPTS_FILE} cannot be read: {error.strerror}. Its path is relative to the "
            "scenario's folder.",
            *here,
        ) from None
    except InvalidFile as error:
        raise document.problem(str(error), *here) from None


def _is_beside(name: str) -> bool:
    """Whether a path leads no way but down: a scenario that somebody sends could name any file,
    and a server to send it to."""
    up = ".." in (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
    absolute = PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).anchor)
    return bool(name.strip()) and "\0" not in name and not up and not absolute


def _of_entry(document: Document, entry: Any, *place: str | int) -> Any:
    """A prompt, which may be written as an entry of a prompt file: `messages`."""
    if not isinstance(entry, dict):
        return entry
    try:
        return prompt_of(entry, Notes())
    except (Unusable, RecursionError) as error:
        sentence = str(error) if isinstance(error, Unusable) else "is nested too deeply."
        raise document.problem(f"The prompt {sentence}", *place) from None


def written(prompts: tuple[str, ...]) -> list[Any]:
    """Return prompts as a scenario has them: those of several messages as messages."""
    return [_entry(prompt) for prompt in prompts]


def _entry(prompt: str) -> Any:
    if not prompt.startswith(dialogue.MARK):
        return prompt
    turns = dialogue.turns_of(prompt)
    said = {"messages": turns[0].messages} if len(turns) == 1 else {"turns": [*map(_turn, turns)]}
    entry = {**said, **dialogue.options_of(prompt)}
    return entry if prompt_of(entry, Notes()) == prompt else prompt


def _turn(turn: dialogue.Turn) -> dict[str, Any]:
    delay = {} if turn.delay_s is None else {"delay": turn.delay_s * 1000}
    return {"messages": turn.messages, **delay}


def left_out(config: RunConfig) -> str:
    """Return the comment of a scenario that lacks the prompts of its run."""
    texts = many(len(own_prompts(config)), "prompt")
    name = "prompt" if config.workload == "text" else "prompts"
    instead = "" if name == "prompt" else f", or a {PROMPTS_FILE} beside this file"
    return f"Left out: {texts} of your own. Add {name}{instead}."
