"""`vllm bench serve`: its detailed result holds every request, in the order of the prompts."""

from __future__ import annotations

import json

from bench import tokenizer
from bench.seen import Seen
from bench.tools.libraries import DRIVERS
from bench.work import Job


def command(job: Job, python: str) -> list[str]:
    prompts = job.folder / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": p}) + "\n" for p in job.prompts))
    return [
        *(python, str(DRIVERS / "run_vllm.py")),
        *("--backend", "openai-chat", "--endpoint", "/v1/chat/completions"),
        *("--base-url", job.base_url, "--model", job.case.model),
        *("--tokenizer", str(tokenizer.write(job.folder / "tokenizer"))),
        *("--dataset-name", "custom", "--dataset-path", str(prompts), "--skip-chat-template"),
        *("--disable-shuffle", "--custom-output-len", str(job.case.max_tokens)),
        *("--num-prompts", str(job.case.requests), "--request-rate", str(job.case.rate or "inf")),
        *("--ready-check-timeout-sec", "0", "--disable-tqdm"),
        *("--save-result", "--save-detailed", "--result-dir", str(job.folder)),
        *("--result-filename", "result.json"),
    ]


def read(job: Job, out: bytes) -> list[Seen]:
    """`ttfts` is the first event with a token, `itls` the gaps from one to the next, `latencies`
    ends with the last. (Until 0.32 the events of the role and of the end counted, too.)"""
    result = json.loads((job.folder / "result.json").read_text())
    columns = ("ttfts", "latencies", "itls", "start_times", "errors")
    rows = zip(job.prompts, *(result[name] for name in columns), strict=True)
    return [
        Seen(prompt, ttft, latency, tuple(itls), sent_ns=round(start * 1e9))
        for prompt, ttft, latency, itls, start, error in rows
        if not error
    ]
