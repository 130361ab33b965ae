"""Traces are read in the formats in which they are published, or refused with what to do."""

from __future__ import annotations

import json

import pytest

from services.ask.config.traces import MAX_ROWS, TraceRow
from services.ask.workloads.lines import InvalidFile
from services.ask.workloads.sample_traces import SAMPLES, sample
from services.ask.workloads.tracefile import read_trace

BURSTGPT = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,472,18,490,Conversation log\n"
    "45,GPT-4,0,0,0,Conversation log\n"
    "118,GPT-4,417,276,693,Conversation log\n"
)
BURSTGPT_2 = (
    "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5.5,7,1.25,ChatGPT,472,18,490,Conversation log\n"
)
AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    "2023-11-16 18:17:03.9799600,4808,10\r\n"
    "2023-11-16 18:17:04.0319600,3180,8\r\n"
)
AZURE_2024 = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2024-05-10 00:00:00.009930+00:00,2162,5\n"
    "2024-05-10 01:00:00.509930+01:00,2399,6\n"
)


def mooncake(*rows: dict[str, object]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def row(timestamp: float = 0, **changes: object) -> dict[str, object]:
    return {"timestamp": timestamp, "input_length": 700, "output_length": 9} | changes


@pytest.mark.parametrize(
    ("name", "data", "format_", "rows"),
    [
        (
            "m.jsonl",
            mooncake(row(27_000, hash_ids=[0, 7]), row(27_500, hash_ids=[0, 8])),
            "Mooncake",
            (TraceRow(0, 700, 9, (0, 7)), TraceRow(0.5, 700, 9, (0, 8))),
        ),
        ("m.jsonl", mooncake(row()), "Mooncake", (TraceRow(0, 700, 9),)),
        (
            "m.json",
            json.dumps([row(), row(500)], indent=1).encode(),
            "Mooncake",
            (TraceRow(0, 700, 9), TraceRow(0.5, 700, 9)),
        ),
        (
            "b.csv",
            BURSTGPT.encode(),
            "BurstGPT",
            (TraceRow(0, 472, 18), TraceRow(113, 417, 276)),
        ),
        ("b.csv", BURSTGPT_2.encode(), "BurstGPT", (TraceRow(0, 472, 18),)),
        ("b.csv", BURSTGPT.replace(",", ";").encode(), "BurstGPT", None),
        ("a.csv", AZURE.encode(), "Azure", (TraceRow(0, 4808, 10), TraceRow(0.052, 3180, 8))),
        ("a.csv", AZURE_2024.encode(), "Azure", (TraceRow(0, 2162, 5), TraceRow(0.5, 2399, 6))),
    ],
)
def test_a_trace_is_read(
    name: str, data: bytes, format_: str, rows: tuple[TraceRow, ...] | None
) -> None:
    trace = read_trace(data, name)
    assert trace.format == format_
    assert trace.rows == (rows or read_trace(BURSTGPT.encode(), name).rows)


def test_changes_to_a_file_are_noted() -> None:
    assert read_trace(BURSTGPT.encode(), "b.csv").notes == (
        "Left out: 1 request without prompt or output tokens.",
    )
    trace = read_trace(mooncake(row(900), row(100, output_length=3)), "m.jsonl")
    assert trace.notes == ("The requests were sorted by time.",)
    assert trace.rows == (TraceRow(0, 700, 3), TraceRow(0.8, 700, 9))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "m.jsonl contains no requests. Add at least one."),
        (
            b'{"prompt": "a"}',
            "line 1: is not a row of a known trace format. Give a trace of",
        ),
        (b"a,b\n1,2\n", "line 1: names no columns of a known trace format. Give a trace of Moonc"),
        (b"PK\x03\x04a", "line 1: names no columns of a known trace format. Give a trace of Moonc"),
        (b"[]", "m.jsonl contains no requests. Add at least one."),
        (b"[[]]", "entry 1: is not an object. Give a trace of Mooncake"),
        (b'{"timestamp": 0,', "line 1: is not JSON"),
        (mooncake(row(), row(input_length=-1)), "line 2: has “-1” tokens, which is not a whole"),
        (mooncake(row(output_length="a")), "line 1: has “a” instead of a number of tokens."),
        (mooncake(row(output_length=1.5)), "line 1: has “1.5” tokens"),
        (mooncake(row("soon")), "line 1: has “soon” instead of a time."),  # type: ignore[arg-type]
        (b'{"timestamp": NaN, "input_length": 1, "output_length": 1}', "a time that is not finite"),
        (mooncake(row(hash_ids=[1])), "has 1 hash_ids, which are too few for 700 tokens in blocks"),
        (mooncake(row(hash_ids="x")), "has hash_ids that are not a list of whole numbers."),
        (AZURE.replace("2023-11", "soon").encode(), "instead of a date and a time."),
        (
            AZURE.replace(",8\r", ",8,9\r").encode(),
            "line 3: has 4 fields but the first row names 3",
        ),
        (mooncake(*[row(n) for n in range(MAX_ROWS + 1)]), "more than 25,000 requests. Take a"),
    ],
)
def test_an_error_in_a_trace_file_is_reported(data: bytes, problem: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        read_trace(data, "m.jsonl")
    assert problem in str(refused.value)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_a_trace_for_a_first_try(name: str) -> None:
    trace = sample(name)
    assert trace.format == name
    assert 15 <= len(trace.rows) <= 60
    assert 30 <= trace.rows[-1].at_s <= 120
    assert bool(trace.rows[0].blocks) == (name == "Mooncake")


def test_a_column_without_a_name_is_ignored() -> None:
    text = BURSTGPT.replace("Timestamp", ",Timestamp", 1).replace("\n5,", "\n0,5,")
    text = text.replace("\n45,", "\n1,45,").replace("\n118,", "\n2,118,")
    assert read_trace(text.encode(), "b.csv").rows == read_trace(BURSTGPT.encode(), "b.csv").rows
