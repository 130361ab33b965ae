"""A prompt file is read, or its fault is said in a sentence that names the line."""

from __future__ import annotations

import json

import pytest

from services.ask import dialogue
from services.ask.backends import Target
from services.ask.backends.wire_formats import body
from services.ask.config import MAX_PROMPTS, RunConfig, parse
from services.ask.problems import InvalidConfig
from services.ask.workloads import (
    InvalidFile,
    entries,
    lines,
    longest_answer,
    prompt,
    request_config,
)
from services.ask.workloads.promptfile import read_file
from services.base.redact import redact

SHAREGPT = json.dumps(
    [
        {"id": "a", "conversations": [{"from": "human", "value": "one"}]},
        {"id": "b", "conversations": []},
        {
            "id": "c",
            "conversations": [
                {"from": "system", "value": "be"},
                {"from": "human", "value": "two"},
                {"from": "gpt", "value": "yes"},
                {"from": "human", "value": "three"},
            ],
        },
    ]
).encode()

ANSWER = {"role": "assistant", "content": "yes"}
TWO_TURNS = dialogue.to_session(
    [
        dialogue.Turn([{"role": "system", "content": "be"}, {"role": "user", "content": "two"}]),
        dialogue.Turn(
            [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "three"}]
        ),
    ]
)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("p.jsonl", b'"one"\n"two"\n', ("one", "two")),
        ("p.jsonl", b'{"prompt":"a"}\r\n\r\n{"text":"b"}', ("a", "b")),
        ("p.jsonl", b'{"prompt":"a","text":"b","n":1}', ("a",)),
        ("p.jsonl", b"\xef\xbb\xbf" + '"Frühling"\n'.encode(), ("Frühling",)),
        ("P.JSONL", '"one\u2028line"'.encode(), ("one\u2028line",)),
        ("p.ndjson", b'"one"\r"two"', ("one", "two")),
        ("p.jsonl", b'{"messages":[{"role":"user","content":"Hi"}]}', ("Hi",)),
        ("p.jsonl", b'{"prompt":[{"type":"text","text":"Hi"}]}', ("Hi",)),
        ("p.jsonl", b'{"prompt":["one"]}', ("one",)),
        ("p.jsonl", b'[\n {"prompt": "a"},\n "b"\n]', ("a", "b")),
        ("p.jsonl", b'{"text_input":"a"}', ("a",)),
        ("p.jsonl", b'{"texts":[{"name":"text","contents":["a"]}]}', ("a",)),
        (
            "p.jsonl",
            b'{"custom_id":"1","body":{"messages":[{"role":"user","content":"a"}]}}',
            ("a",),
        ),
        (
            "p.json",
            b'{"data":[{"payload":[{"messages":[{"role":"user","content":"a"}]}]}]}',
            ("a",),
        ),
        ("p.json", b'"a"\n"b"', ("a", "b")),
        ("p.json", SHAREGPT, ("one", TWO_TURNS)),
        ("p.jsonl", '"Gr\u00fc\u00dfe"'.encode("utf-16"), ("Gr\u00fc\u00dfe",)),
        ("p.txt", b"one\r\n\r\ntwo; and, more\n", ("one", "two; and, more")),
        (
            "p.csv",
            b"id;prompt\n1;Write a haiku, please\n2;Tell a joke",
            ("Write a haiku, please", "Tell a joke"),
        ),
        ("p.csv", b'"id";"prompt"\n"1";"a; b"\n', ("a; b",)),
        ("p.csv", b"prompt\tlabel\nWrite, and write\tpoem\n", ("Write, and write",)),
        ("p.tsv", b"id\tprompt\n1\ta\n", ("a",)),
        ("p.csv", b"id,question,answer\n1,What is the sky?,blue\n", ("What is the sky?",)),
        ("p.csv", b"id;prompt,text\n1;a,b\n2;c,d\n", ("b", "d")),
        ("p.csv", b"id,Prompt\n1,a\n2,b\n", ("a", "b")),
        ("p.csv", b"\xef\xbb\xbftext,id\r\na,1\r\n", ("a",)),
        ("p.csv", b"question\na\n\nb\n", ("a", "b")),
        ("p.csv", b'prompt\n"two\nlines, one prompt"\n', ("two\nlines, one prompt",)),
        ("p.csv", b'prompt,text\n"a ""quoted"" word",b', ('a "quoted" word',)),
        (r"C:\data\p.csv", b"prompt\ra\rb", ("a", "b")),
    ],
)
def test_a_prompt_file_is_read(name: str, data: bytes, expected: tuple[str, ...]) -> None:
    assert read_file(data, name).prompts == expected


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
        (
            "p.jsonl",
            b"[" * 100_000,
            "p.jsonl, line 1: is not JSON (nested too deeply or too long). ",
        ),
        ("p.jsonl", b"9" * 5_000, "p.jsonl, line 1: is not JSON (nested too deeply or too long). "),
        ("p.jsonl", b'"a"\n["b"]', "p.jsonl, line 2: must be a JSON string or an object with "),
        ("p.jsonl", b"12", "p.jsonl, line 1: must be a JSON string or an object with "),
        ("p.jsonl", b"{}", 'p.jsonl, line 1: has no field "prompt", "text" or "messages", nor '),
        ("p.jsonl", b'{"prompt":null}', "p.jsonl, line 1: has a prompt that is not text. "),
        ("p.jsonl", b'{"prompt":" "}', "p.jsonl, line 1: has an empty prompt. "),
        ("p.jsonl", b'{"messages":"Hi"}', 'p.jsonl, line 1: has "messages" that are not '),
        ("p.jsonl", b'{"messages":[{"role":"user"}]}', 'p.jsonl, line 1: has "messages" that '),
        ("p.jsonl", b'{"messages":[{"content":[1]}]}', "p.jsonl, line 1: has a part that is not "),
        (
            "p.jsonl",
            b'{"prompt":"Hi","images":["/etc/passwd"]}',
            "p.jsonl, line 1: has an image that is neither a data: URL nor an http address.",
        ),
        (
            "p.jsonl",
            b'{"messages":[{"role":"tool","content":"x"}]}',
            'p.jsonl, line 1: has a message of the role "tool" without "tool_call_id". ',
        ),
        ("p.jsonl", b'{"messages":[{"role":"narrator","content":"x"}]}', "p.jsonl, line 1: has a "),
        ("p.jsonl", b'{"prompt":"a","tools":[1]}', 'p.jsonl, line 1: has "tools" that are not a '),
        ("p.jsonl", b'{"prompt":"a","tool_choice":1}', 'p.jsonl, line 1: has a "tool_choice" '),
        (
            "p.jsonl",
            b'{"messages":[{"role":"user","content":"a","tool_calls":[{}]}]}',
            'p.jsonl, line 1: has "tool_calls" that are not ',
        ),
        (
            "p.jsonl",
            b'{"prompt":"a","tools":[{"x":NaN}]}',
            "p.jsonl, line 1: has a number that is not finite. ",
        ),
        ("p.jsonl", b'{"prompt":["a","b"]}', "p.jsonl, line 1: has a list of prompts. Give each "),
        ("p.jsonl", b'{"prompt":[1,2]}', "p.jsonl, line 1: has a prompt of token ids. "),
        (
            "p.jsonl",
            b'{"timestamp":0,"input_length":512,"output_length":64,"hash_ids":[0]}',
            "p.jsonl, line 1: is a line of a trace (such as Mooncake's), which contains "
            "lengths but no ",
        ),
        (
            "p.jsonl",
            b'"\\u001emessages:[]"',
            "p.jsonl, line 1: has a prompt with a character that ",
        ),
        ("p.json", b'[{"prompt":"a"},{"prompt":1}]', "p.json, entry 2: has a prompt that is not "),
        ("p.csv", b"a;b,c\n1;2,3\n4;5,6\n", "p.csv, line 1: has an ambiguous separator"),
        ("p.csv", b"1;Write a haiku\n2;Tell a joke", "p.csv, line 1: has no column named "),
        ("p.jsonl", b'{"messages":[]}', "p.jsonl, line 1: has an empty prompt. "),
        ("p.jsonl", json.dumps(LONG).encode(), "p.jsonl, line 1: has a prompt of 200,001 "),
        ("p.jsonl", b'"a\\ud800"', "p.jsonl, line 1: has a prompt with a character that cannot "),
        ("p.jsonl", b'"a\\u0000"', "p.jsonl, line 1: has a prompt with a character that cannot "),
        ("p.jsonl", b'"a"\n"\xff"', "p.jsonl, line 2: is not UTF-8 text (byte 0xff). "),
        ("p.jsonl", '"a"'.encode("utf-16")[:-1], "p.jsonl is damaged: "),
        ("p.jsonl", b'"a"\n\0\1\2', "p.jsonl, line 2: contains a NUL character: "),
        ("p.jsonl", b"", "p.jsonl contains no prompts. "),
        (
            "p.jsonl",
            b'{"body":{"model":"m"}}',
            'p.jsonl, line 1: has a "body" (or "payload") without "messages" or "prompt". ',
        ),
        (
            "p.jsonl",
            b'{"conversations":[{"who":"human","text":"a"}]}',
            'p.jsonl, line 1: has a conversation whose messages have no "from" (or "role"). ',
        ),
        (
            "p.jsonl",
            b'{"conversations":[{"from":"gpt","value":"a"}]}',
            'p.jsonl contains no prompts: no conversation has a message of the user ("from": "hu',
        ),
        ("p.jsonl", b" \n\n", "p.jsonl contains no prompts. "),
        ("p.jsonl", b'"a"\n' * 10001, "p.jsonl contains more than 10,000 prompts. "),
        ("p.jsonl", b" " * 20_000_001, "p.jsonl is 20.0 MB. The limit is 20 MB: "),
        ("p.csv", b"", "p.csv contains no prompts. "),
        ("p.csv", b"prompt\n", "p.csv contains no prompts. "),
        (
            "p.csv",
            b"id,name\n1,a",
            'p.csv, line 1: has no column named "prompt", "text", "text_input" or "question".',
        ),
        (
            "p.csv",
            b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,4808,10\n",
            "p.csv, line 1: names the columns of a trace, which contains lengths but no prompts. ",
        ),
        (
            "p.jsonl",
            b'{"Timestamp":5,"Request tokens":472,"Response tokens":18}',
            "p.jsonl, line 1: is a line of a trace (such as Mooncake's), which contains lengths ",
        ),
        ("p.csv", b"Write a poem\nWrite a song", 'p.csv, line 1: has no column named "prompt", '),
        ("p.csv", b"prompt,Prompt\na,b", 'p.csv, line 1: has two columns named "prompt". '),
        ("p.csv", b"id,prompt\n1,a\n2,b, c\n", "p.csv, line 3: has 3 fields but the first row "),
        ("p.csv", b'prompt\n"two\nlines"\n"open', "p.csv, line 4: is not CSV (unexpected end of "),
        ("p.csv", b'prompt\n"a"b\n', "p.csv, line 2: is not CSV (',' expected after '\"'). "),
        ("p.csv", b"id,prompt\n1\n", "p.csv, line 2: has an empty prompt. "),
        (
            "p.csv",
            b"prompt\n" + b"x" * 131_073,
            "p.csv, line 2: is not CSV (field larger than field limit (131072)). "
            "Close every quote; for prompts of more than 100,000 characters, use JSONL.",
        ),
        ("p.md", b"a", "p.md is not a .jsonl, .ndjson, .json, .csv, .tsv or .txt file. "),
        ("p.json", b"[]", "p.json contains no prompts. "),
        ("", b"a", "The file is not a .jsonl, .ndjson, .json, .csv, .tsv or .txt file. "),
        ("../../x\n\x1b.csv", b"", "x??.csv contains no prompts. "),
    ],
)
def test_an_error_in_a_prompt_file_is_reported(name: str, data: bytes, sentence: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        read_file(data, name)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(".")


def test_conversations_may_say_role_and_content() -> None:
    said = [("user", "a"), ("assistant", "b"), ("user", "c")]
    roles, froms = (
        json.dumps({"conversations": [dict(zip(names, each, strict=True)) for each in said]})
        for names in (("role", "content"), ("from", "value"))
    )
    assert read_file(roles.encode(), "p.jsonl") == read_file(froms.encode(), "p.jsonl")


def test_a_message_without_a_speaker_ends_its_conversation() -> None:
    first = {"from": "human", "value": "a", "role": None, "content": None}
    newer = {"from": None, "value": None, "role": "user", "content": "b"}
    lines = [[first, {"value": "lost"}, first], [newer]]
    data = "\n".join(json.dumps({"conversations": line}) for line in lines)
    assert read_file(data.encode(), "p.jsonl").prompts == read_file(b'"a"\n"b"', "p.jsonl").prompts


def test_prompts_that_can_be_read_make_a_valid_config() -> None:
    prompts = read_file(b'"a"\n' * 10000, "p.jsonl").prompts
    assert RunConfig(workload="file", prompts=prompts).prompts == prompts


@pytest.mark.parametrize(
    ("name", "data", "note"),
    [
        (
            "p.jsonl",
            b'{"prompt":"a","output_tokens":10}\n"b"',
            "Token limits of answers come from the file, for 1 of 2 prompts.",
        ),
        ("p.jsonl", b'{"body":{"model":"m","prompt":"a"}}', "model (in 1 of 1)"),
        (
            "p.json",
            SHAREGPT,
            "Conversations of several turns: 1 of 3 entries. Each is a session, cut",
        ),
        (
            "p.jsonl",
            json.dumps({"messages": [{"content": "a"}, ANSWER, {"content": "b"}]}).encode(),
            "Messages with several turns: 1 of 1 entries. Each is one request, or with “Messages "
            "turn by turn” (--turn-by-turn) a session.",
        ),
        ("p.json", SHAREGPT, "Left out: 1 conversation without a user message."),
        (
            "p.csv",
            b"id;prompt\n1;a",
            "the column “prompt”, one of 2 columns separated by semicolons",
        ),
        ("p.txt", b"a", "Each line of the file is a prompt."),
        (
            "p.jsonl",
            b'{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}',
            "Not sent: 1 answer at the end of messages.",
        ),
    ],
)
def test_unused_and_assumed_values_are_noted(name: str, data: bytes, note: str) -> None:
    assert any(note in text for text in read_file(data, name).notes)


def test_a_deeply_nested_body_is_refused() -> None:
    with pytest.raises(InvalidFile, match=r"too deep"):
        read_file(b'{"body":' * 800 + b'{"prompt":"a"}' + b"}" * 800, "p.jsonl")


def test_an_error_that_quotes_messages_shows_no_part_of_them() -> None:
    message = "What is the plan for the third quarter of Example Company?"
    messages = [
        {"role": "system", "content": "Be brief, please."},
        {"role": "user", "content": message},
    ]
    [written] = read_file(json.dumps({"messages": messages}).encode(), "p.jsonl").prompts
    assert message not in redact(f"cannot answer: {message}", [dialogue.all_text_of(written)])


@pytest.mark.parametrize(
    ("name", "data", "limits"),
    [
        ("p.jsonl", b'{"prompt":"a","output_tokens":10}\n"b"', (10, 0)),
        ("p.jsonl", b'{"prompt":"a","max_tokens":10}\n{"prompt":"b","output_tokens":7.0}', (10, 7)),
        ("p.jsonl", b'{"custom_id":"1","body":{"prompt":"a","max_completion_tokens":9}}', (9,)),
        ("p.json", b'[{"payload":[{"prompt":"a","max_tokens":3}]}]', (3,)),
        ("p.csv", b"prompt,output_tokens\na,12\nb,\n", (12, 0)),
        ("p.csv", b"prompt,output_tokens\na,12.0\nb,\n", (12, 0)),  # as pandas writes such a column
        ("p.csv", b"prompt,answer\na,12\n", ()),
        ("p.jsonl", b'{"prompt":"a"}', ()),
    ],
)
def test_the_length_of_each_answer_is_read(name: str, data: bytes, limits: tuple[int, ...]) -> None:
    assert read_file(data, name).max_tokens == limits


def test_each_prompt_gets_an_answer_of_its_own_length() -> None:
    config = parse({"prompts": ["a", "b", "c"], "prompt_max_tokens": [5, 0, 7], "max_tokens": 20})
    asked = [request_config(config, 0, index).max_tokens for index in range(5)]
    assert asked == [5, 20, 7, 5, 20]
    assert longest_answer(config) == 20
    with pytest.raises(InvalidConfig, match="must have 3 numbers, one for each prompt"):
        parse({"prompts": ["a", "b", "c"], "prompt_max_tokens": [5]})


def test_a_file_of_windows_1252_is_read_and_shown() -> None:
    file = read_file("prompt\nSchreib “liebe Grüße” – für 5 €\n".encode("cp1252"), "p.csv")
    assert file.prompts == ("Schreib “liebe Grüße” – für 5 €",)
    assert file.notes == (
        "The file is not UTF-8 and is read as Windows-1252: “Schreib “liebe Grüße” – für 5 €”.",
    )


@pytest.mark.parametrize(
    "encoding, text",
    [
        ("cp1251", "Напиши письмо другу"),
        ("cp1253", "γράψε ένα γράμμα"),
        ("cp1250", "Zażółć gęślą jaźń, napisz list"),
        ("mac_roman", "L’été à Paris, écris une lettre"),
        ("shift_jis", "手紙を書いてください"),
        ("gb18030", "写一封信给房东"),
        ("cp949", "편지를 써 주세요"),
        ("cp437", "Grüße aus Köln"),
    ],
)
def test_an_unknown_encoding_is_refused(encoding: str, text: str) -> None:
    with pytest.raises(InvalidFile, match="Save the file as UTF-8"):
        read_file(f"prompt\n{text}\n".encode(encoding), "p.csv")


def test_a_file_that_is_read_unchanged_has_no_notes() -> None:
    assert not read_file(b'{"prompt":"a","id":7}', "p.jsonl").notes


def test_a_very_long_line_of_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_VALUES", 100)
    monkeypatch.setattr(lines, "MAX_LINE", 500)
    with pytest.raises(InvalidFile, match="has more than 500 characters"):
        read_file(b"[" + b"[]," * 300 + b"[]]", "p.json")


MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Grüße?"},
]


@pytest.mark.parametrize("backend", ["vllm", "ollama"])
def test_messages_are_sent_unchanged(backend: str) -> None:
    prompts = read_file(json.dumps({"messages": MESSAGES}).encode(), "p.jsonl").prompts
    config = RunConfig(backend=backend, workload="file", prompts=prompts, unique_prompts=False)
    config = RunConfig.model_validate_json(config.model_dump_json())  # as it is stored
    target = Target(backend, "http://127.0.0.1:1/v1", "m")
    assert body(config, target, prompt(config, 0, 0))["messages"] == MESSAGES


def test_the_nonce_of_a_prompt_comes_first() -> None:
    prompts = read_file(json.dumps({"messages": MESSAGES}).encode(), "p.jsonl").prompts
    config = RunConfig(workload="file", prompts=prompts)
    first, second = (dialogue.messages_of(prompt(config, 0, i)) for i in range(2))
    assert first[0]["content"].endswith("] Be brief.") and first[0] != second[0]
    assert first[1:] == second[1:] == MESSAGES[1:]
    assert dialogue.all_text_of(prompts[0]) == "Be brief.\n\nHi\n\nHello\n\nGrüße?"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[1]", '[{"role":"tool","content":"a"}]', "[" * 99_999]
)
def test_a_config_rejects_invalid_messages(text: str) -> None:
    with pytest.raises(InvalidConfig, match="not a list of role and content"):
        parse({"workload": "file", "prompts": [dialogue.MARK + text]})


SPREAD = [
    {"session_id": "a", "text": "one"},
    {"session_id": "b", "texts": ["eins"], "delay": 900},
    "alone",
    {"session_id": "a", "text": "two", "delay": 1500, "output_tokens": 9},
    {"session_id": "b", "turns": [{"text": "zwei", "delay": 200}, {"text": "drei", "delay": 300}]},
    {"session_id": "c", "text": "uno"},
    {"session_id": "a", "messages": [{"role": "user", "content": "whole"}]},
]


def test_lines_of_the_same_session_become_one_prompt() -> None:
    read = read_file("\n".join(map(json.dumps, SPREAD)).encode(), "aiperf.jsonl")
    said = [
        [(turn.messages[0]["content"], turn.delay_s) for turn in dialogue.turns_of(each)]
        for each in read.prompts
    ]
    assert said == [
        [("one", None), ("two", 1.5)],
        [("eins", None), ("zwei", 0.2), ("drei", 0.3)],
        [("alone", None)],
        [("uno", None)],
        [("whole", None)],
    ]
    assert read.max_tokens == (9, 0, 0, 0, 0)
    assert "Joined by session_id: 4 of 7 entries, into 2 sessions." in read.notes
    assert entries.prompts_of(SPREAD) == list(read.prompts)
    assert entries.limits_of(SPREAD) == [9, 0, 0, 0, 0]


def test_a_session_of_many_lines_is_one_prompt_of_those_allowed() -> None:
    rows = [{"session_id": number % 9, "text": "one"} for number in range(MAX_PROMPTS + 1)]
    data = "\n".join(map(json.dumps, rows))
    assert len(read_file(data.encode(), "p.jsonl").prompts) == 9
    alone = '\n"alone"' * (MAX_PROMPTS - 9)
    assert len(read_file(f"{data}{alone}".encode(), "p.jsonl").prompts) == MAX_PROMPTS
    with pytest.raises(InvalidFile, match="contains more than 10,000 prompts"):
        read_file(f'{data}{alone}\n"more"'.encode(), "p.jsonl")


def test_an_invalid_delay_between_lines_of_a_session_is_refused() -> None:
    good, bad = (
        json.dumps({"session_id": "a", "text": "one", "delay": delay}) for delay in (1, "soon")
    )
    with pytest.raises(InvalidFile, match=r"line 2.*not a number of milliseconds"):
        read_file(f"{good}\n{bad}".encode(), "p.jsonl")
