"""Rows of a prompt file that are requests of the Responses API, as in OpenAI's batches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ask import dialogue
from services.ask.backends.messages import responses
from services.ask.workloads import InvalidFile
from services.ask.workloads.promptfile import PromptFile, read_file

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
PICTURE = "data:image/png;base64,AA"


def _read(*rows: dict[str, Any]) -> PromptFile:
    return read_file("\n".join(map(json.dumps, rows)).encode(), "batch.jsonl")


def _row(**body: Any) -> dict[str, Any]:
    return {"custom_id": "1", "method": "POST", "url": "/v1/responses", "body": body}


def test_rows_of_all_three_apis_are_read_with_their_limits() -> None:
    chat = {"messages": [{"role": "user", "content": "b"}], "max_completion_tokens": 8}
    found = _read(
        _row(input="a", max_output_tokens=9, text={"format": {"type": "text"}}),
        {"url": "/v1/chat/completions", "body": chat},
        {"url": "/v1/completions", "body": {"prompt": "c", "max_tokens": 7}},
    )
    assert (found.prompts, found.max_tokens) == (("a", "b", "c"), (9, 8, 7))


def test_messages_calls_and_tools_are_sent_to_the_responses_api_as_they_were() -> None:
    items = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": PICTURE, "detail": "low"},
            ],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "Yes"}]},
        CALL,
        CALL | {"call_id": "c2"},
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        {"role": "user", "content": "And?"},
    ]
    choice = {"type": "function", "name": "f"}
    (prompt,) = _read(
        _row(input=items, instructions="Be brief.", tools=[TOOL], tool_choice=choice)
    ).prompts
    sent = responses.fields(*dialogue.read(prompt))
    assert sent["input"] == [{"role": "system", "content": "Be brief."}, *items]
    assert (sent["tools"], sent["tool_choice"]) == ([TOOL], choice)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (_row(input="a", previous_response_id="r"), 'has a "previous_response_id", which only'),
        (_row(input="a", conversation="c"), 'has a "conversation", which only the server knows'),
        (_row(input=[{"type": "reasoning"}]), 'has an input item of the type "reasoning"'),
        (_row(input=[{"type": ["a"]}]), "has an input item of the type \"['a']\""),
        (_row(input="a", tools=[{"type": "web_search"}]), 'has a tool of the type "web_search"'),
        (_row(input=3), 'has an "input" that is neither text nor a list of messages'),
        (_row(input=["a", "b"]), 'has an "input" that is neither text nor a list of messages'),
        (_row(input=" "), "has an empty prompt"),
        (_row(input=[]), "has an empty prompt"),
        (
            _row(input=[{"content": [{"type": "input_image", "file_id": "f"}]}]),
            'has an image without "image_url"',
        ),
        ({"url": "/v1/embeddings", "body": {"input": "a"}}, "is a request to /v1/embeddings"),
        ({"payload": [{"input": "a"}]}, 'without "messages" or "prompt"'),
    ],
)
def test_what_cannot_be_a_prompt_is_refused(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidFile, match="line 1") as caught:
        _read(row)
    assert reason in str(caught.value)
