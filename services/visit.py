"""A backend looked at before it is measured: what it lists, and whether it answers.

The embedded engine is started for its test and stopped after it, like for a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from services import backends, engines, probe
from services.backends import BackendProblem
from services.config import InvalidConfig, RunConfig, parse
from services.embedded import MODEL_NAME, model_path
from services.probe import Probe

LIST_S = 3.0  # a form is waiting


def models(
    name: str, base_url: str | None, env: Mapping[str, str]
) -> tuple[tuple[str, ...], str | None]:
    """Return (the models that a backend lists, None), or (none, why not, in a sentence)."""
    if name == "embedded":
        return _packaged()
    try:
        target = backends.target(_config(name, None, base_url), env)
        if target.base_url is None:
            return (), None  # LiteLLM's providers are not asked
        return asyncio.run(probe.list_models(target, LIST_S)), None
    except InvalidConfig as error:
        return (), str(error)
    except BackendProblem as error:
        return (), str(error)


async def visit(
    name: str,
    model: str | None,
    env: Mapping[str, str],
    base_url: str | None = None,
    fitted: Mapping[str, Any] | None = None,
) -> Probe:
    """Test a backend: reachable, models, streams, reports usage, round-trip time. `fitted`: further
    fields of a run, such as its headers and what it leaves out.

    Whatever is wrong stands in the probe's `problem`, as a sentence; nothing is raised.
    """
    try:
        config = _config(name, model, base_url, fitted)
        target = backends.target(config, env)
        if name != "embedded":
            return await probe.probe(target, config=config)
        async with engines.started(name) as engine:
            return await probe.probe(target.at(engine.base_url), config=config)
    except (BackendProblem, InvalidConfig, engines.EngineProblem) as error:
        return Probe(reachable=False, problem=str(error))


def _config(
    name: str, model: str | None, base_url: str | None, fitted: Mapping[str, Any] | None = None
) -> RunConfig:
    whom = {"backend": name, "model": model or "", "base_url": base_url}
    return parse({**(fitted or {}), **whom})


def _packaged() -> tuple[tuple[str, ...], str | None]:
    try:
        model_path()
    except FileNotFoundError as error:
        return (), str(error)
    return (MODEL_NAME,), None
