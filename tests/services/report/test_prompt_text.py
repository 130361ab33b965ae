"""What a request sent, as a person reads it: with the history that it carried."""

from __future__ import annotations

import json
from typing import Any

from services.ask import dialogue
from services.ask.config import parse
from services.ask.workloads.promptfile import read_file
from services.report.export.exchanges import exchanges_of
from services.report.export.tables import requests_csv
from services.report.prompt_text import text_sent, transcript, turn_of
from tests.values import candidate, measured

ROW = {
    "conversations": [
        {"from": "human", "value": "one"},
        {"from": "gpt", "value": "recorded"},
        {"from": "human", "value": "two"},
    ]
}
PROMPTS = read_file(json.dumps(ROW).encode(), "p.jsonl").prompts
VALUES: dict[str, Any] = {"prompts": PROMPTS, "workload": "file", "unique_prompts": False}


def test_a_later_turn_is_shown_with_the_history_it_carried() -> None:
    recorded = parse(VALUES)
    answered = parse({**VALUES, "history": "answered"})
    first = "user:\none\n\nassistant:\n{}\n\nuser:\ntwo"
    assert text_sent(recorded, 0, 1, "", {}.get) == first.format("recorded")
    assert text_sent(answered, 0, 1, "", {0: "what it said"}.get) == first.format("what it said")
    assert text_sent(answered, 0, 1, "", {}.get) is None, "the answer is not known"
    assert text_sent(answered, 0, 0, "", {}.get) == "one"


def test_a_prompt_of_one_text_is_that_text() -> None:
    assert transcript("Hi") == "Hi"
    calls = [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url"}]}]
    written = dialogue.to_prompt([*parts, *calls], {"tools": [{"type": "function"}]})
    assert transcript(written) == (
        'user:\nHi\n{"type": "image_url"}\n\nassistant:\n{"tool_calls": [{"id": "1"}]}\n\n'
        'tools:\n[{"type": "function"}]'
    )


def test_session_and_turn_of_a_request_are_in_lists_and_files() -> None:
    assert turn_of(parse(VALUES), 3) == {"session": 2, "turn": 2}
    assert turn_of(parse({}), 3) == {}
    of = candidate([measured(i, answer=f"answer {i}") for i in range(2)], requests=2, **VALUES)
    head, first, second = b"".join(requests_csv([of])).decode().splitlines()
    assert head.endswith(",session,turn") and first.endswith(",1,1") and second.endswith(",1,2")
    [(_, exchanges)] = exchanges_of([of])
    assert exchanges[1].heading == "Request 2, turn 2 of session 1"
    plain = candidate([measured(0)])
    assert next(requests_csv([plain])).decode().splitlines()[0].endswith("Tokens per Second")
