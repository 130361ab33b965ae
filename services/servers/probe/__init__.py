"""Probes a backend before it is measured: reachable, its models, whether it streams.

Only the round trip is timed. `probe` raises nothing, whatever a backend does: a Probe holds the
results, and a sentence about what failed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import httpx

from services.ask.backends import BACKENDS, BackendProblem, Target
from services.ask.config import RunConfig
from services.ask.remedy import Remedy
from services.base import untrusted
from services.base.packaged_model import MODEL_NAME
from services.base.redact import holds
from services.servers import facts
from services.servers.probe import http
from services.servers.probe.conversation import Refused, converse

ANSWER_TIMES = 4  # timeouts that the first token may take, since a model may have to be loaded
MAX_MODELS = 5_000
ROUND_TRIPS = 5
MODELS = "/models"


@dataclass(frozen=True, slots=True)
class Probe:
    """The result; None means unknown. `rtt_s` is in seconds; `problem` is a sentence.

    `reachable` is None for providers behind LiteLLM, since asking them would cost money.
    """

    reachable: bool | None
    models: tuple[str, ...] = ()
    streams: bool | None = None
    reports_usage: bool | None = None
    rtt_s: float | None = None
    server: str | None = None
    problem: str | None = None
    remedy: Remedy | None = None  # what may help
    lists: bool | None = None  # whether it lists models; a server without a list may still answer


class NoModelList(BackendProblem):
    """The server has no list of models."""


async def probe(target: Target, timeout_s: float = 5.0, config: RunConfig | None = None) -> Probe:
    """List the models, measure the round trip, and have one model generate a few tokens with the
    request options of `config`. A server without a list is asked if a model is named.

    A cloud is not sent a prompt until a model is chosen: the first on its list is arbitrary, and
    costs money. Takes up to `timeout_s` for each step, and ANSWER_TIMES as long for the answer.
    """
    if BACKENDS[target.backend].kind == "litellm":
        problem = await asyncio.to_thread(_litellm_problem, target.model, target.key)
        return Probe(None, problem=problem)
    if target.base_url is None:
        return Probe(False, problem="The embedded engine is not running; a run starts it.")
    result = Probe(False)
    async with http.connected(target) as client:
        try:
            answer = await http.get(client, target, MODELS, timeout_s)
            server = http.quote(answer.headers.get("server", ""), target, 80)
            result = Probe(True, server=server or None)
            models = _listed(answer, target)
            result = replace(result, models=models or (), lists=models is not None)
            result = replace(result, rtt_s=await _round_trip(client, target, timeout_s))
            model = target.model or _default_model(models or (), target)
            if not model:
                return result
            request_config = config or RunConfig(backend=target.backend)
            reply = await converse(
                client,
                target.with_model(model),
                models or (),
                timeout_s * ANSWER_TIMES,
                request_config,
            )
        except Refused as problem:
            return replace(result, problem=str(problem), remedy=problem.remedy)
        except BackendProblem as problem:
            return replace(result, problem=str(problem))
    return replace(result, streams=reply.streams, reports_usage=reply.reports_usage)


async def list_models(target: Target, timeout_s: float = 5.0) -> tuple[str, ...]:
    """Return the models that the backend lists; empty for providers behind LiteLLM.

    Raises:
        BackendProblem: it does not list them; the sentence says why, and what to do.
    """
    if target.base_url is None:
        return (MODEL_NAME,) if BACKENDS[target.backend].kind == "embedded" else ()
    async with http.connected(target) as client:
        return _models(await http.get(client, target, MODELS, timeout_s), target)


async def round_trip(target: Target, timeout_s: float = 5.0) -> float | None:
    """Return the median time in seconds of a small GET; None if it is unknown or not measured: for
    a provider behind LiteLLM, or a server that closes its connections."""
    if target.base_url is None:
        return None
    async with http.connected(target) as client:
        try:  # opens the connection, which does not count as a round trip
            await http.get(client, target, MODELS, timeout_s)
        except BackendProblem:
            return None
        return await _round_trip(client, target, timeout_s)


async def with_model(
    target: Target, prompts: Collection[str] = (), timeout_s: float = 5.0
) -> Target:
    """Return `target` with a model: its own, else the first on the server's list that contains none
    of the `prompts`.

    Raises:
        BackendProblem: as `list_models`, or there is no model, or a cloud's has to be chosen.
    """
    if target.model:
        return target
    models = await list_models(target, timeout_s)
    models = tuple(model for model in models if not holds(model, prompts))
    if model := _default_model(models, target):
        return target.with_model(model)
    backend = BACKENDS[target.backend]
    raise BackendProblem(
        f"{backend.label} serves many models at different prices: choose one, or put "
        f"{backend.model_env}=… in .env."
    )


async def engine_facts(target: Target, prompts: Collection[str] = ()) -> dict[str, Any]:
    """Return what the engine reports about itself (see `facts.engine_facts`); {} for a cloud."""
    if target.base_url is None or BACKENDS[target.backend].needs_key:
        return {}
    return await facts.engine_facts(target, prompts)


# --- the models --------------------------------------------------------------------------------


def _listed(answer: http.Answer, target: Target) -> tuple[str, ...] | None:
    """Return the models; None if there is no list and the target names its model."""
    try:
        return _models(answer, target)
    except NoModelList:
        if target.model:
            return None
        raise


def _models(answer: http.Answer, target: Target) -> tuple[str, ...]:
    """Return the ids in a list of models. Raises BackendProblem if the answer is not one."""
    if answer.status in (404, 405, 501):
        raise NoModelList(_no_list(answer, target))
    if answer.status in http.KEY_STATUSES:
        raise http.key_problem(answer, target)
    if answer.status != 200:
        raise BackendProblem(http.refusal(answer, target, f"{target.base_url}{MODELS}"))
    if len(answer.content) >= http.BODY_BYTES:
        raise BackendProblem(_incompatible(target, "more than a list of models can contain"))
    data = answer.json()
    if data is None:
        kind = (
            "a web page"
            if b"<html" in answer.content[:1000].lower()
            else ("something that is not JSON")
        )
        raise BackendProblem(_incompatible(target, f"{kind} instead of the list of models"))
    listed = data.get("data") if isinstance(data, dict) else data  # Together's is a bare list
    if isinstance(data, dict) and listed is None and data.get("object") == "list":
        listed = []  # Ollama without any pulled model
    if not isinstance(listed, list):
        raise BackendProblem(_incompatible(target, 'JSON without a list "data" of models'))
    names = [entry.get("id") for entry in listed[:MAX_MODELS] if isinstance(entry, dict)]
    fit = tuple(filter(None, (untrusted.name(name, target.secrets) for name in names)))
    if listed and not fit:
        raise BackendProblem(_incompatible(target, "models without a usable name"))
    return fit


def _no_list(answer: http.Answer, target: Target) -> str:
    path = urlsplit(target.url(MODELS)).path
    return (
        f"{target.netloc} has no list of models at {path} (HTTP {answer.status}). Name the model, "
        f"if the server answers without a list{http.address_hint(target)}."
    )


def _incompatible(target: Target, what: str) -> str:
    return (
        f"{target.netloc} is not OpenAI-compatible: it answers with {what}. Check the address; "
        "most end in /v1."
    )


def _default_model(models: tuple[str, ...], target: Target) -> str:
    """Return the first model, or "" at a cloud. Raises BackendProblem if there is none."""
    if not models:
        raise BackendProblem(f"{target.netloc} answers, but lists no model. {_load_hint(target)}")
    return "" if BACKENDS[target.backend].needs_key else models[0]


def _load_hint(target: Target) -> str:
    if target.backend == "ollama":
        return "Pull one with: ollama pull llama3.2"
    return "Name the one to use, or start the server with one."


# --- the round trip ----------------------------------------------------------------------------


async def _round_trip(client: httpx.AsyncClient, target: Target, timeout_s: float) -> float | None:
    """Return the median time in seconds of small GETs on the open connection; None if the server
    closes its connections, since each GET would then open a new one."""
    times: list[float] = []
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(ROUND_TRIPS):
                began = perf_counter()
                answer = await http.get(client, target, MODELS, timeout_s)
                times.append(perf_counter() - began)
                if answer.closes or answer.status != 200:
                    return None
    except (BackendProblem, TimeoutError):
        return None
    return median(times)


# --- providers behind LiteLLM ------------------------------------------------------------------


def _litellm_problem(model: str, key: str | None) -> str | None:
    """Return why LiteLLM cannot address `model`, as a sentence; None if it can.

    Imports LiteLLM, which takes seconds of CPU: call it in a thread.
    """
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it downloads the map at import
    import litellm
    from litellm.exceptions import BadRequestError

    litellm.suppress_debug_info = True  # else it prints
    provider = model.partition("/")[0]
    try:
        _, provider_name, *_ = litellm.get_llm_provider(model)
    except BadRequestError:
        return f"LiteLLM has no provider {provider!r}. See docs.litellm.ai/docs/providers."
    missing = litellm.validate_environment(model)["missing_keys"]
    if key or not missing:
        return None
    names = " and ".join(f"{name}=…" for name in missing)
    return f"LiteLLM needs {names} for {provider_name}: put it in .env."
