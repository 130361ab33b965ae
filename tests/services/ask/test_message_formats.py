"""Messages with parts, tools and calls reach every API format as it has them, or are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ask import dialogue
from services.ask.backends import BackendProblem, messages, target
from services.ask.config import DialectName, RunConfig, parse
from services.ask.own_prompts import own_prompts
from services.ask.workloads import prompt
from services.ask.workloads.promptfile import read_file
from services.report.scenario.prompts import prompt_values

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Now.", "parameters": SCHEMA},
}
CHOICE = {"type": "function", "function": {"name": "weather"}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "4 °C"},
    {"role": "user", "content": "And now?"},
]
ROW = {"messages": MESSAGES, "tools": [TOOL], "tool_choice": CHOICE}

ANTHROPIC_IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
}
EXPECTED: dict[DialectName, dict[str, Any]] = {
    "chat": ROW,
    "responses": {
        "input": [
            MESSAGES[0],
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {
                        "type": "input_image",
                        "image_url": "data:image/png;base64,AAAA",
                        "detail": "low",
                    },
                ],
            },
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "weather",
                "arguments": '{"city":"Oslo"}',
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "4 °C"},
            MESSAGES[4],
        ],
        "tools": [
            {
                "type": "function",
                "name": "weather",
                "description": "Now.",
                "parameters": SCHEMA,
            }
        ],
        "tool_choice": {"type": "function", "name": "weather"},
    },
    "anthropic": {
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "What is this?"}, ANTHROPIC_IMAGE],
            },
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "weather",
                        "input": {"city": "Oslo"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "4 °C"},
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
        "tools": [{"name": "weather", "description": "Now.", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "weather"},
    },
}


def read_row(row: dict[str, Any]) -> str:
    [read] = read_file(json.dumps(row, ensure_ascii=False).encode(), "p.jsonl").prompts
    return read


@pytest.mark.parametrize("dialect", EXPECTED)
def test_a_row_with_tools_and_images_is_written_in_each_format(dialect: DialectName) -> None:
    assert messages.fields(dialect, read_row(ROW)) == EXPECTED[dialect]


def test_ollama_has_images_beside_the_text_and_arguments_as_objects() -> None:
    expected = [
        MESSAGES[0],
        {"role": "user", "content": "What is this?", "images": ["AAAA"]},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Oslo"}}}],
        },
        {"role": "tool", "content": "4 °C", "tool_name": "weather"},
        MESSAGES[4],
    ]
    row = {**ROW, "tool_choice": "auto"}
    sent = messages.fields("ollama", read_row(row))
    assert sent == {"messages": expected, "tools": [TOOL]}


def user(content: Any, **others: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content, **others}]}


LINKED = {"type": "image_url", "image_url": {"url": "https://h/a.png"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


@pytest.mark.parametrize(
    ("dialect", "row", "what"),
    [
        ("completions", user(["Hi", IMAGE]), "a part of the type “image_url”"),
        ("completions", ROW, "tools"),
        ("responses", user(["Hi", AUDIO]), "a part of the type “input_audio”"),
        ("anthropic", user(["Hi", AUDIO]), "a part of the type “input_audio”"),
        ("anthropic", user("Hi", name="Ann"), "a message with “name”"),
        ("ollama", user(["Hi", LINKED]), "an image that is not in the prompt itself"),
        ("ollama", ROW, "a tool_choice"),
    ],
)
def test_what_a_format_cannot_carry_is_refused_before_the_run(
    dialect: DialectName, row: dict[str, Any], what: str
) -> None:
    prompts = ("plain", read_row(row))
    config = parse({"backend": "vllm", "model": "m", "dialect": dialect, "prompts": prompts})
    with pytest.raises(BackendProblem, match=f"cannot send prompt 2: it has {what}"):
        target(config, {})


@pytest.mark.parametrize("dialect", ["chat", "responses", "anthropic"])
def test_the_nonce_goes_before_the_first_text(dialect: DialectName) -> None:
    content = [IMAGE, {"type": "text", "text": "What is this?"}]
    config = RunConfig(workload="file", prompts=(read_row(user(content)),))
    sent = dialogue.messages_of(prompt(config, 0, 0))[0]["content"]
    assert sent[0] == IMAGE and sent[1]["text"].endswith("] What is this?")
    alone = dialogue.with_nonce(dialogue.to_prompt([{"role": "user", "content": [IMAGE]}]), "[n]")
    assert dialogue.messages_of(alone)[0]["content"] == [{"type": "text", "text": "[n]"}, IMAGE]


def test_every_text_of_a_prompt_is_private() -> None:
    config = RunConfig(workload="file", prompts=(read_row(ROW),))
    [known] = own_prompts(config)
    for text in ("Be brief.", "What is this?", '{"city":"Oslo"}', "4 °C", "Now.", "AAAA"):
        assert text in known
    assert not {"user", "tool", "call_1"} & set(known.split("\n\n"))


def test_a_row_keeps_its_tools_in_a_scenario() -> None:
    assert prompt_values((read_row(ROW),)) == [ROW]


def test_the_body_of_a_batch_keeps_its_tools_and_system_prompt() -> None:
    body = {"model": "m", "system": "Be kind.", "tools": [TOOL], **user("Hi")}
    assert dialogue.options_of(read_row({"custom_id": "1", "body": body})) == {"tools": [TOOL]}
    first, second = dialogue.messages_of(read_row({"body": body}))
    assert (first, second["content"]) == ({"role": "system", "content": "Be kind."}, "Hi")


def test_images_beside_a_text_are_sent_with_it() -> None:
    row = {"text": "What is this?", "images": ["https://h/a.png"]}
    [message] = dialogue.messages_of(read_row(row))
    assert message["content"] == [{"type": "text", "text": "What is this?"}, LINKED]


def test_fields_of_messages_that_no_api_has_are_named() -> None:
    row = {"messages": [{"role": "user", "content": "Hi", "weight": 1}]}
    read = read_file(json.dumps(row).encode(), "p.jsonl")
    assert read.prompts == ("Hi",)
    assert read.notes == ("Not sent, because messages have no such field: weight (in 1).",)
