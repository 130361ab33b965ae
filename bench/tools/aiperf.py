"""aiperf: its records name the conversation, and its inputs file that conversation's prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import tokenizer
from bench.seen import Seen
from bench.work import Job


def command(job: Job, python: str) -> list[str]:
    prompts = job.folder / "prompts.jsonl"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in _rows(job)))
    kind = "multi-turn" if job.case.turns > 1 else "single-turn"
    return [
        *(str(Path(python).parent / "aiperf"), "profile"),
        *("--model", job.case.model, "--url", job.base_url, "--endpoint-type", "chat"),
        *("--streaming", "--use-server-token-count", "--use-legacy-max-tokens"),
        *("--tokenizer", str(tokenizer.write(job.folder / "tokenizer"))),
        *("--input-file", str(prompts), "--custom-dataset-type", kind),
        *("--dataset-sampling-strategy", "sequential", "--osl", str(job.case.max_tokens)),
        *_load(job),
        *("--artifact-dir", str(job.folder / "aiperf"), "--export-level", "records"),
        *("--ui", "none", "--no-server-metrics", "--no-gpu-telemetry"),
    ]


def _rows(job: Job) -> Iterator[dict[str, Any]]:
    if job.case.turns == 1:
        yield from ({"text": prompt} for prompt in job.prompts)
        return
    for number, texts in enumerate(job.sessions):
        delays = [0.0, *[job.case.delay_s * 1e3] * (len(texts) - 1)]
        turns = [{"text": t, "delay": d} for t, d in zip(texts, delays, strict=True)]
        yield {"session_id": str(number), "turns": turns}


def _load(job: Job) -> tuple[str, ...]:
    count = str(job.case.requests)
    if job.case.turns > 1:
        return "--concurrency", str(job.case.users), "--num-sessions", str(len(job.sessions))
    if job.case.rate:
        rate = str(job.case.rate)
        return "--request-rate", rate, "--arrival-pattern", "poisson", "--request-count", count
    return "--concurrency", count, "--request-count", count


def read(job: Job, out: bytes) -> list[Seen]:
    folder = job.folder / "aiperf"
    inputs = json.loads((folder / "inputs.json").read_text())["data"]
    prompts = {one["session_id"]: list(map(_prompt, one["payloads"])) for one in inputs}
    records = map(json.loads, (folder / "profile_export.jsonl").read_text().splitlines())
    return [
        _seen(
            prompts[record["metadata"]["conversation_id"]][record["metadata"]["turn_index"]],
            record["metrics"],
        )
        for record in records
        if not record.get("error")
    ]


def _prompt(payload: dict[str, Any]) -> str:
    content = payload["messages"][-1]["content"]
    return str(content if isinstance(content, str) else content[-1]["text"])


def _seen(prompt: str, metrics: dict[str, Any]) -> Seen:
    """Its inter-token latency is the mean of a request; inter-chunk latency holds the single
    gaps."""
    gaps = metrics.get("inter_chunk_latency", {"value": []})["value"]
    return Seen(
        prompt=prompt,
        ttft_s=metrics["time_to_first_token"]["value"] / 1e3,
        e2e_s=metrics["request_latency"]["value"] / 1e3,
        gaps_s=tuple(gap / 1e3 for gap in gaps),
    )
