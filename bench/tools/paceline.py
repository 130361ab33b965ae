"""Paceline's own worker as it is: its messages, read from its standard output."""

from __future__ import annotations

from itertools import pairwise

from bench.seen import Seen
from bench.work import Job
from services.ask import workloads
from services.ask.measurement import Measurement
from services.load.protocol import Environment, RepeatSeen, Requests, decode


def command(job: Job, python: str) -> list[str]:
    return [python, "-m", "services.load.worker"]


def read(job: Job, out: bytes) -> list[Seen]:
    """Return the requests of the run, whose prompts begin with the nonce that it reports."""
    messages = [decode(line) for line in out.splitlines()]
    batches = [message.measurements() for message in messages if isinstance(message, Requests)]
    repeats = [message.repeat for message in messages if isinstance(message, RepeatSeen)]
    values = [message.values for message in messages if isinstance(message, Environment)]
    nonce = next(v["prompt_mark"] for v in values if "prompt_mark" in v)
    began_ns = repeats[-1].health["began_ns"]
    return [one for batch in batches for m in batch if (one := _seen(job, m, nonce, began_ns))]


def _seen(job: Job, measured: Measurement, nonce: str, began_ns: int) -> Seen | None:
    sent, first, last = measured.t_send, measured.t_first, measured.t_last
    if measured.status != "ok" or sent is None or first is None or last is None:
        return None
    return Seen(
        prompt=_prompt(job, measured.index, nonce),
        ttft_s=first - sent,
        e2e_s=last - sent,
        gaps_s=tuple(later - t for t, later in pairwise(measured.token_times)),
        sent_ns=began_ns + round(sent * 1e9),
    )


def _prompt(job: Job, index: int, nonce: str) -> str:
    if job.case.turns > 1:
        return job.prompts[index]
    return workloads.prompt(job.config, 0, index, nonce)
