"""A prompt file is read, or its fault is said in a sentence that names the line."""

from __future__ import annotations

import json

import pytest

from services.config import RunConfig
from services.workloads import InvalidPrompts, read_prompts


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("p.jsonl", b'"one"\n"two"\n', ("one", "two")),
        ("p.jsonl", b'{"prompt":"a"}\r\n\r\n{"text":"b"}', ("a", "b")),
        ("p.jsonl", b'{"prompt":"a","text":"b","n":1}', ("a",)),
        ("p.jsonl", b"\xef\xbb\xbf" + '"Frühling"\n'.encode(), ("Frühling",)),
        ("P.JSONL", '"one\u2028line"'.encode(), ("one\u2028line",)),
        ("p.ndjson", b'"one"\r"two"', ("one", "two")),
        (
            "p.jsonl",
            b'{"messages":[{"role":"system","content":"Be brief."},{"content":"Hi"}]}',
            ("Be brief.\n\nHi",),
        ),
        ("p.csv", b"id,Prompt\n1,a\n2,b\n", ("a", "b")),
        ("p.csv", b"\xef\xbb\xbftext,id\r\na,1\r\n", ("a",)),
        ("p.csv", b"question\na\n\nb\n", ("a", "b")),
        ("p.csv", b'prompt\n"two\nlines, one prompt"\n', ("two\nlines, one prompt",)),
        ("p.csv", b'prompt,text\n"a ""quoted"" word",b', ('a "quoted" word',)),
        (r"C:\data\p.csv", b"prompt\ra\rb", ("a", "b")),
    ],
)
def test_a_prompt_file_is_read(name: str, data: bytes, expected: tuple[str, ...]) -> None:
    assert read_prompts(data, name) == expected


LONG = "x" * 200_001


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        (
            "prompts.jsonl",
            b'"a"\n"b"\nthird\n',
            "prompts.jsonl, line 3: is not JSON (Expecting value). "
            'Each line must be a JSON string or an object with "prompt".',
        ),
        ("p.jsonl", b'"a', "p.jsonl, line 1: is not JSON (Unterminated string starting at). "),
        ("p.jsonl", b"[" * 100_000, "p.jsonl, line 1: is not JSON (too deep or too long). "),
        ("p.jsonl", b"9" * 5_000, "p.jsonl, line 1: is not JSON (too deep or too long). "),
        ("p.jsonl", b'"a"\n["b"]', "p.jsonl, line 2: must be a JSON string or an object with "),
        ("p.jsonl", b"12", "p.jsonl, line 1: must be a JSON string or an object with "),
        ("p.jsonl", b"{}", 'p.jsonl, line 1: has no "prompt", "text" or "messages". '),
        ("p.jsonl", b'{"prompt":null}', "p.jsonl, line 1: has a prompt that is not text. "),
        ("p.jsonl", b'{"prompt":" "}', "p.jsonl, line 1: has an empty prompt. "),
        ("p.jsonl", b'{"messages":"Hi"}', 'p.jsonl, line 1: has "messages" that are not '),
        ("p.jsonl", b'{"messages":[{"role":"user"}]}', 'p.jsonl, line 1: has "messages" that '),
        ("p.jsonl", b'{"messages":[{"content":[1]}]}', 'p.jsonl, line 1: has "messages" that '),
        ("p.jsonl", b'{"messages":[]}', "p.jsonl, line 1: has an empty prompt. "),
        ("p.jsonl", json.dumps(LONG).encode(), "p.jsonl, line 1: has a prompt of 200,001 "),
        ("p.jsonl", b'"a\\ud800"', "p.jsonl, line 1: has a prompt with a character that is not "),
        ("p.jsonl", b'"a\\u0000"', "p.jsonl, line 1: has a prompt with a character that is not "),
        ("p.jsonl", b'"a"\n"\xff"', "p.jsonl, line 2: is not UTF-8 text (byte 0xff). "),
        ("p.jsonl", '"a"'.encode("utf-16"), "p.jsonl, line 1: is not UTF-8 text (byte 0xff). "),
        ("p.jsonl", b'"a"\n\0\1\2', "p.jsonl, line 2: holds a NUL character: "),
        ("p.jsonl", b"", "p.jsonl holds no prompt. "),
        ("p.jsonl", b" \n\n", "p.jsonl holds no prompt. "),
        ("p.jsonl", b'"a"\n' * 10001, "p.jsonl holds more than 10,000 prompts. "),
        ("p.jsonl", b" " * 20_000_001, "p.jsonl has 20.0 MB. At most 20 MB are read: "),
        ("p.csv", b"", "p.csv holds no prompt. "),
        ("p.csv", b"prompt\n", "p.csv holds no prompt. "),
        ("p.csv", b"id,name\n1,a", 'p.csv, line 1: names no column "prompt" or "text". '),
        ("p.csv", b"Write a poem\nWrite a song", 'p.csv, line 1: names no column "prompt" or '),
        ("p.csv", b"prompt,Prompt\na,b", 'p.csv, line 1: names two columns "prompt". '),
        ("p.csv", b"id,prompt\n1,a\n2,b, c\n", "p.csv, line 3: has 3 fields where the first row "),
        ("p.csv", b'prompt\n"two\nlines"\n"open', "p.csv, line 4: is not CSV (unexpected end of "),
        ("p.csv", b'prompt\n"a"b\n', "p.csv, line 2: is not CSV (',' expected after '\"'). "),
        ("p.csv", b"id,prompt\n1\n", "p.csv, line 2: has an empty prompt. "),
        (
            "p.csv",
            b"prompt\n" + b"x" * 131_073,
            "p.csv, line 2: is not CSV (field larger than field limit (131072)). "
            "Close every quote; for prompts of over 100,000 characters use JSONL.",
        ),
        ("p.txt", b"a", "p.txt is neither .jsonl nor .csv. "),
        ("p.json", b"[]", "p.json is neither .jsonl nor .csv. "),
        ("", b"a", "The file is neither .jsonl nor .csv. "),
        ("../../x\n\x1b.csv", b"", "x??.csv holds no prompt. "),
    ],
)
def test_what_is_wrong_with_a_prompt_file_is_said_in_a_sentence(
    name: str, data: bytes, sentence: str
) -> None:
    with pytest.raises(InvalidPrompts) as caught:
        read_prompts(data, name)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(".")


def test_what_read_prompts_lets_through_makes_a_config() -> None:
    prompts = read_prompts(b'"a"\n' * 10000, "p.jsonl")
    assert RunConfig(workload="file", prompts=prompts).prompts == prompts
