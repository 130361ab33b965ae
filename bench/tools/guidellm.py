"""guidellm: its report holds every request with its body, so the prompt is found there."""

from __future__ import annotations

import json
from typing import Any

from bench import tokenizer
from bench.seen import Seen
from bench.work import Job


def command(job: Job, python: str) -> list[str]:
    prompts = job.folder / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": p}) + "\n" for p in job.prompts))
    count, most = job.case.requests, job.case.max_tokens
    backend = {
        "kind": "openai_http",
        "target": job.base_url,
        "model": job.case.model,
        "request_format": "/v1/chat/completions",
        "validate_backend": False,
        "max_tokens": most,
    }
    settings = {
        "--backend": backend,
        "--profile": {"kind": "concurrent", "streams": [count]},
        "--constraint": {"kind": "max_requests", "count": count},
        "--tokenizer": {
            "kind": "huggingface_auto",
            "model": str(tokenizer.write(job.folder / "tokenizer")),
        },
        "--data": {"kind": "json_file", "path": str(prompts)},
        "--output": {"kind": "json", "path": str(job.folder / "report.json")},
    }
    flags = [word for flag, value in settings.items() for word in (flag, json.dumps(value))]
    return [python, "-m", "guidellm", "run", *flags, "--disable-console"]


def read(job: Job, out: bytes) -> list[Seen]:
    """Its inter-token latency is the mean of a request: it does not keep chunks' times."""
    report = json.loads((job.folder / "report.json").read_text())
    return [_seen(one) for one in report["benchmarks"][0]["requests"]["successful"]]


def _seen(one: dict[str, Any]) -> Seen:
    content = json.loads(one["request_args"])["body"]["messages"][-1]["content"]
    tpot = one["inter_token_latency_ms"]
    return Seen(
        prompt=content if isinstance(content, str) else content[-1]["text"],
        ttft_s=one["time_to_first_token_ms"] / 1e3,
        e2e_s=one["request_latency"],
        tpot_s=None if tpot is None else tpot / 1e3,
    )
