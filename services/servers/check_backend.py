"""Checks a backend before it is measured: which models it lists, and whether it answers.

The embedded engine is started for the check and stopped after it, as for a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.ask import backends
from services.ask.address import origin
from services.ask.backends import BACKENDS, NO_KEYS, BackendProblem, KeyProblem, Target, TypedKeys
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.base.packaged_model import MODEL_NAME, model_path
from services.servers import engines, probe
from services.servers.probe import Probe
from services.servers.probe.http import NothingListens

LIST_S = 3.0  # short, since a form waits for it


@dataclass(frozen=True, slots=True)
class Listing:
    """The models that a backend lists, or `problem`, a sentence that says why there are none.
    `nothing_on` is an address that refuses connections. `wants_key`: there is no key, or the key
    from the environment is refused."""

    models: tuple[str, ...] = ()
    problem: str | None = None
    nothing_on: str | None = None
    wants_key: bool = False


def models(
    name: str,
    base_url: str | None,
    env: Mapping[str, str],
    typed: TypedKeys = NO_KEYS,
    key_env: str | None = None,
) -> Listing:
    """List a backend's models, with LIST_S for each step. `key_env`: see RunConfig."""
    if name == "embedded":
        return _packaged_listing()
    try:
        target = backends.target(_config(name, None, base_url, {"key_env": key_env}), env, typed)
    except KeyProblem as error:
        return Listing(problem=str(error), wants_key=True)
    except (BackendProblem, InvalidConfig) as error:
        return Listing(problem=str(error))
    if target.base_url is None:
        return Listing()  # providers behind LiteLLM are not queried
    return _listing(target, bool(target.key) and origin(target.base_url) in typed)


@dataclass(frozen=True, slots=True)
class QuickCheck:
    """What a form shows about a server that answers: the engine with its version ("" if unknown),
    and the round trip in seconds."""

    engine: str = ""
    rtt_s: float | None = None


def quick_check(
    name: str, base_url: str | None, env: Mapping[str, str], typed: TypedKeys = NO_KEYS
) -> QuickCheck:
    """Determine the engine and the round trip of a server that lists its models, within LIST_S."""
    try:
        target = backends.target(_config(name, None, base_url), env, typed)
    except (BackendProblem, InvalidConfig):
        return QuickCheck()  # the listing reports the problem
    return asyncio.run(_check_list_only(target)) if target.base_url else QuickCheck()


async def _check_list_only(target: Target) -> QuickCheck:
    try:
        async with asyncio.timeout(LIST_S):
            rtt_s, facts = await asyncio.gather(
                probe.round_trip(target, LIST_S), probe.engine_facts(target)
            )
    except TimeoutError:
        return QuickCheck()
    known = (facts.get("engine"), facts.get("engine_version"))
    return QuickCheck(" ".join(str(part) for part in known if part), rtt_s)


def _listing(target: Target, typed: bool) -> Listing:
    """`typed`: the target's key was typed into the form."""
    try:
        return Listing(asyncio.run(probe.list_models(target, LIST_S)))
    except NothingListens as error:
        return Listing(problem=str(error), nothing_on=target.base_url)
    except KeyProblem as error:
        if not typed:
            wants_key = BACKENDS[target.backend].key_env is not None
            return Listing(problem=str(error), wants_key=wants_key)
        refused = f"{target.netloc} rejects the key that you typed {error.details}. Check the key."
        return Listing(problem=refused)
    except BackendProblem as error:
        return Listing(problem=str(error))


async def check_backend(
    name: str,
    model: str | None,
    env: Mapping[str, str],
    base_url: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Probe:
    """Check a backend: reachable, models, streams, reports usage, round-trip time. `options` are
    further fields of a run, such as its headers and the parameters it omits.

    Raises nothing: any failure is the probe's `problem`, a sentence.
    """
    try:
        config = _config(name, model, base_url, options)
        target = backends.target(config, env)
        if name != "embedded":
            return await probe.probe(target, config=config)
        async with engines.start_embedded(name) as engine:
            return await probe.probe(target.at(engine.base_url), config=config)
    except (BackendProblem, InvalidConfig, engines.EngineProblem) as error:
        return Probe(reachable=False, problem=str(error))


def _config(
    name: str, model: str | None, base_url: str | None, options: Mapping[str, Any] | None = None
) -> RunConfig:
    server = {"backend": name, "model": model or "", "base_url": base_url}
    return parse({**(options or {}), **server})


def _packaged_listing() -> Listing:
    try:
        model_path()
    except FileNotFoundError as error:
        return Listing(problem=str(error))
    return Listing((MODEL_NAME,))
