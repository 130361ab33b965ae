"""Results of other tools as runs. A format is recognized by a file's content, never by its name.

Files are not trusted: nothing is unpickled, and no prompt or answer is kept. If a file contains
every request, Paceline recomputes the metrics and shows the tool's own numbers next to them. To add
a tool, write a module and add it to IMPORTS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PureWindowsPath

from services.base.units import listed
from services.report.imports import (
    aiperf,
    evalscope,
    genai_bench,
    genai_perf,
    guidellm,
    inference_perf,
    inferencex,
    llmperf,
    locust,
    paceline,
    paceline_parquet,
    results_csv,
    sglang,
    vllm,
    vllm_offline,
)
from services.report.imports.imported import Imported, InvalidImport
from services.report.imports.parse import MAX_BYTES, Document, document

__all__ = [
    "IMPORTS",
    "MAX_BYTES",
    "Imported",
    "InvalidImport",
    "known_tools",
    "read",
    "readable",
    "tools_named_once",
]

LONGEST_NAME = 80
MAX_RUNS = 1_000


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file. `recognise` looks at the keys of its first object."""

    name: str
    recognise: Callable[[Document], bool]
    read: Callable[[Document], list[Imported]]


def read(data: bytes, filename: str) -> list[Imported]:
    """Return the runs in a file, in its order.

    Raises:
        InvalidImport: the message has the file's name, what is wrong and what to do.
    """
    name = name_of(filename)
    try:
        parsed = document(data)
        runs = _format(parsed).read(parsed)
        if not runs:
            raise InvalidImport("It contains no run.")
        if len(runs) > MAX_RUNS:
            raise InvalidImport(
                f"It contains {len(runs):,} runs. Paceline reads up to {MAX_RUNS:,} per file: "
                "split it."
            )
    except InvalidImport as error:
        raise InvalidImport(f"{name}: {error}") from None
    file = {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return [replace(run, source={**run.source, **file}) for run in runs]


def name_of(filename: str) -> str:
    """Return a file's name without its folders, printable and short, for the beginning of a
    message."""
    name = "".join(c if c.isprintable() else "?" for c in PureWindowsPath(filename).name)
    return name[-LONGEST_NAME:] or "The file"


def known_tools() -> str:
    """Return the names of the supported tools, as a list in a sentence."""
    return listed(dict.fromkeys(entry.name for entry in IMPORTS))


def readable() -> str:
    """Return the sentence about the supported tools, with which some messages end."""
    return f"It reads results of {known_tools()}."


def tools_named_once(messages: Sequence[str]) -> list[str]:
    """Return the messages, the last of those that end with the supported tools as it is, the others
    without them."""
    ends = f" {readable()}"
    long = [index for index, message in enumerate(messages) if message.endswith(ends)]
    return [
        message.removesuffix(ends) if index in long[:-1] else message
        for index, message in enumerate(messages)
    ]


def _format(document: Document) -> Format:
    for entry in IMPORTS:
        if entry.recognise(document):
            return entry
    raise InvalidImport(f"Paceline does not recognize this file. {readable()}")


IMPORTS: tuple[Format, ...] = (
    Format(paceline.TOOL, paceline.recognise, paceline.read),
    Format(paceline.TOOL, paceline_parquet.recognise, paceline_parquet.read),
    Format(vllm.TOOL, vllm.recognise, vllm.read),
    Format(vllm.TOOL, vllm_offline.recognise_throughput, vllm_offline.read_throughput),
    Format(vllm.TOOL, vllm_offline.recognise_latency, vllm_offline.read_latency),
    Format(sglang.TOOL, sglang.recognise, sglang.read),
    Format(guidellm.TOOL, guidellm.recognise, guidellm.read),
    Format(aiperf.TOOL, aiperf.recognise, aiperf.read),
    Format(aiperf.TOOL, aiperf.recognise_records, aiperf.read_records),
    Format(genai_perf.TOOL, genai_perf.recognise, genai_perf.read),
    Format(genai_perf.TOOL, genai_perf.recognise_summary, genai_perf.read_summary),
    Format(inference_perf.TOOL, inference_perf.recognise, inference_perf.read),
    Format(inference_perf.TOOL, inference_perf.recognise_requests, inference_perf.read_requests),
    Format(llmperf.TOOL, llmperf.recognise, llmperf.read),
    Format(llmperf.TOOL, llmperf.recognise_several, llmperf.read_several),
    Format(llmperf.TOOL, llmperf.recognise_responses, llmperf.read_responses),
    Format(genai_bench.TOOL, genai_bench.recognise, genai_bench.read),
    Format(evalscope.TOOL, evalscope.recognise, evalscope.read),
    Format(evalscope.TOOL, evalscope.recognise_percentiles, evalscope.read_percentiles),
    Format(inferencex.TOOL, inferencex.recognise, inferencex.read),
    Format(locust.TOOL, locust.recognise, locust.read),
    Format("the older scripts' results.csv", results_csv.recognise, results_csv.read),
)
