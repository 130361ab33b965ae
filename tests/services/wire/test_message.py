"""The words of an error, in every shape that servers send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.wire.message import MAX_CHARACTERS, message_of

WORDS = "top_p must be below 1"

SHAPES: dict[str, tuple[Any, str]] = {
    "OpenAI": ({"error": {"message": WORDS, "type": "bad", "param": "top_p", "code": 4}}, WORDS),
    "Anthropic": ({"type": "error", "error": {"type": "bad", "message": WORDS}}, WORDS),
    "TGI": ({"error": WORDS, "error_type": "validation"}, WORDS),
    "vLLM before 0.10": ({"object": "error", "message": WORDS, "code": 400}, WORDS),
    "a bare message": ({"status": 422, "message": WORDS}, WORDS),
    "FastAPI": (
        {"detail": [{"loc": ["body", "top_p"], "msg": "too high", "type": "v"}]},
        "top_p: too high",
    ),
    "FastAPI, two fields": (
        {"detail": [{"loc": ["body", "a"], "msg": "x"}, {"loc": ["body", "b", 0], "msg": "y"}]},
        "a: x; b.0: y",
    ),
    "FastAPI, the whole body": ({"detail": [{"loc": ["body"], "msg": WORDS}]}, WORDS),
    "a detail of text": ({"detail": WORDS}, WORDS),
    "a detail that is an object": ({"detail": {"error": {"message": WORDS}}}, WORDS),
    "Mistral": (
        {
            "object": "error",
            "message": {"detail": [{"loc": ["body", "stream_options"], "msg": "not permitted"}]},
            "type": "bad",
        },
        "stream_options: not permitted",
    ),
    "FastChat": ({"text": WORDS, "error_code": 50004}, WORDS),
    "Gemini's list": ([{"error": {"code": 400, "message": WORDS, "status": "BAD"}}], WORDS),
    "a name and a message": ({"statusCode": 400, "error": "Bad Request", "message": WORDS}, WORDS),
    "several messages": ({"message": ["a is wrong", "b is wrong"]}, "a is wrong; b is wrong"),
    "Cloudflare": ({"success": False, "errors": [{"code": 7, "message": WORDS}]}, WORDS),
    "a problem of RFC 9457": (
        {"type": "about:blank", "title": "Bad", "status": 400, "detail": WORDS},
        WORDS,
    ),
    "Baidu": ({"error_code": 336, "error_msg": WORDS}, WORDS),
    "MiniMax": ({"base_resp": {"status_code": 1004, "status_msg": WORDS}}, WORDS),
    "Zhipu": ({"code": 500, "msg": WORDS, "success": False}, WORDS),
    "OAuth": ({"error": "invalid", "error_description": WORDS}, WORDS),
    "OpenRouter": (
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": json.dumps({"error": {"message": WORDS}})},
            }
        },
        f"Provider returned error; {WORDS}",
    ),
    "JSON written as text": ({"error": json.dumps({"error": {"message": WORDS}})}, WORDS),
    "a type alone": ({"error": {"type": "overloaded_error"}}, "overloaded_error"),
    "a number alone": ({"error": {"code": 503}}, "code 503"),
    "nothing": ({"error": {}}, ""),
    "nothing that is an error": ({"choices": []}, ""),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_message_of_an_error_body_is_found(name: str) -> None:
    body, text = SHAPES[name]
    assert message_of(json.dumps(body).encode()) == text


@pytest.mark.parametrize("body", [b"", b"Internal Server Error", b"<html>", b"{", b"null", b"7"])
def test_json_without_an_error_has_no_message(body: bytes) -> None:
    assert message_of(body) == ""


def test_deep_nesting_and_long_texts_are_limited() -> None:
    deep: Any = "too deep"
    for _ in range(200):
        deep = {"error": deep}
    assert message_of(json.dumps(deep)) == ""
    assert len(message_of(json.dumps({"error": "x" * 10_000_000}))) == MAX_CHARACTERS
    many = [{"loc": ["body", str(i)], "msg": "bad"} for i in range(10_000)]
    assert message_of(json.dumps({"detail": many})).count(";") == 2
