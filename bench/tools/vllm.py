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
        *("--num-prompts", str(job.case.requests), "--request-rate", "inf"),
        *("--ready-check-timeout-sec", "0", "--disable-tqdm"),
        *("--save-result", "--save-detailed", "--result-dir", str(job.folder)),
        *("--result-filename", "result.json"),
    ]


def read(job: Job, out: bytes) -> list[Seen]:
    """`itls` holds every event with a choice after the first, which is the role's: the first gap
    is the role's to the first token, the last one the last token's to the end's."""
    result = json.loads((job.folder / "result.json").read_text())
    columns = ("ttfts", "itls", "start_times", "errors")
    rows = zip(job.prompts, *(result[name] for name in columns), strict=True)
    return [
        Seen(prompt, ttft, ttft + sum(itls[:-1]), tuple(itls[1:-1]), sent_ns=round(start * 1e9))
        for prompt, ttft, itls, start, error in rows
        if not error
    ]
