"""What a backend is like before it is measured: there, serving which models, streaming or not.

Nothing here is timed but the round trip. No answer is trusted: what is read has an end in bytes and
in seconds, a redirect is not followed (the key would go with it), and proxies are left out, since
the measuring client goes straight as well.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any

import httpx

from services import machine
from services.address import LOOPBACK, origin
from services.backends import BACKENDS, BackendProblem, Target, body
from services.chunk import error_text, read_chunk
from services.config import RunConfig
from services.embedded import MODEL_NAME
from services.litellm_facts import unknown_to_litellm
from services.redact import redact
from services.sse import EventStream

CONNECT_S = 3.0
ANSWER_TIMES = 4  # a first token may take this many timeouts: a model may have to be loaded
BODY_BYTES = 2**20
MODELS_MOST = 5_000
ROUND_TRIPS = 5
QUESTION = RunConfig(max_tokens=4, temperature=1.0)


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found. None: not found out. `rtt_s` is in seconds; `problem` is a sentence.

    `reachable` is None for a provider that LiteLLM addresses: asking it would cost money.
    """

    reachable: bool | None
    models: tuple[str, ...] = ()
    streams: bool | None = None
    reports_usage: bool | None = None
    rtt_s: float | None = None
    server: str | None = None
    problem: str | None = None


async def probe(target: Target, timeout_s: float = 5.0) -> Probe:
    """Ask for the models, for four tokens, and five times how far away it is. Never raises for
    what a backend does: that is its `problem`.

    A cloud that lists its models is not asked a question until a model is chosen: the first it
    lists may be any, and costs money.
    """
    ...


async def list_models(target: Target, timeout_s: float = 5.0) -> tuple[str, ...]:
    """Return the ids of the models that the backend lists; nothing where LiteLLM addresses it.

    Raises:
        BackendProblem: with a sentence that says why it cannot be asked, and what to do.
    """
