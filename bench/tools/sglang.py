"""`sglang.bench_serving`: its details hold every request, in the order of the prompts."""

from __future__ import annotations

import json

from bench import tokenizer
from bench.seen import Seen
from bench.tools.libraries import DRIVERS
from bench.work import Job


def command(job: Job, python: str) -> list[str]:
    prompts = job.folder / "prompts.jsonl"
    conversations = ([{"role": "user", "content": prompt}] for prompt in job.prompts)
    prompts.write_text("".join(json.dumps({"messages": one}) + "\n" for one in conversations))
    return [
        *(python, str(DRIVERS / "run_sglang.py")),
        *("--backend", "sglang-oai-chat", "--base-url", job.base_url, "--model", job.case.model),
        *("--tokenizer", str(tokenizer.write(job.folder / "tokenizer"))),
        *("--dataset-name", "openai", "--dataset-path", str(prompts)),
        *("--sharegpt-output-len", str(job.case.max_tokens)),
        *("--num-prompts", str(job.case.requests), "--request-rate", str(job.case.rate or "inf")),
        *("--warmup-requests", "0", "--ready-check-timeout-sec", "0", "--disable-tqdm"),
        *("--output-details", "--output-file", str(job.folder / "result.jsonl")),
    ]


def read(job: Job, out: bytes) -> list[Seen]:
    """`itls` holds the gaps between chunks with text, and `ttfts` is the first such chunk."""
    result = json.loads((job.folder / "result.jsonl").read_text().splitlines()[-1])
    columns = ("ttfts", "itls", "errors")
    rows = zip(job.prompts, *(result[name] for name in columns), strict=True)
    return [
        Seen(prompt, ttft, ttft + sum(itls), tuple(itls))
        for prompt, ttft, itls, error in rows
        if not error
    ]
