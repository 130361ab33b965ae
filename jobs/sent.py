"""To whom a run goes: found where it is submitted, stored without its secrets, made whole again.

Who submits a run decides what is sent. What may not be stored waits in the supervisor's memory
under the run's ticket (see `keys.py`), and is looked for in the supervisor's own environment where
it is there no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from jobs.place import machine
from services.ask import backends
from services.ask.backends import NO_KEYS, BackendProblem, KeyProblem, Target, TypedKeys
from services.ask.backends.stored_target import private, public, whole
from services.ask.config import RunConfig
from services.base import private_names, settings

LOST = (
    "The key of this run was held in memory by a process that has ended, and is stored nowhere. "
    "Submit the run again, or put the key into .env first."
)

KEYLESS = (
    "This was measured with a key, which is stored nowhere, and there is none for {} now. Put it "
    "into .env beside that address, or type it on the page Run for that address."
)


@dataclass(frozen=True, slots=True)
class Sent:
    """To whom a run goes. `stored` is all that the database keeps of it; `kept`, what goes into the
    supervisor's memory under `ticket`. Without secrets there is no ticket."""

    lane: str
    model: str
    stored: dict[str, Any]
    kept: dict[str, Any] = field(default_factory=dict, repr=False)
    ticket: str | None = None

    @property
    def stored_as(self) -> tuple[dict[str, Any], str | None]:
        """Return what the database keeps of it."""
        return self.stored, self.ticket


def sent(config: RunConfig, typed: TypedKeys, to: Mapping[str, Any] | None = None) -> Sent:
    """Find out to whom a run goes, by this process's environment and the keys that were typed.

    `to`: what was stored of it when it was measured before, and stays so. A key goes along where
    it belongs to that address; what was measured with one is not measured again without: its
    further repeats would be refusals.

    Raises:
        BackendProblem: there is nobody, or there is no key.
        InvalidSettings: .env cannot be read.
    """
    env = settings.environment()
    target = _target(config, env, typed, to)
    kept = {"target": private(target), "env": _variables(target, env)}
    stored = {"target": public(target), "kept": {half: sorted(kept[half]) for half in kept}}
    lane, ticket = backends.lane(config, env), None
    if any(kept.values()):
        ticket = f"{machine()}-{token_hex(16)}"
    return Sent(lane, target.model, stored, kept, ticket)


def found(
    config: RunConfig, stored: Mapping[str, Any] | None, kept: Mapping[str, Any] | None
) -> tuple[Target, dict[str, str]]:
    """Return to whom a stored run goes, and the variables that LiteLLM looks for by itself.

    `kept`: what was handed over for it; None: nothing was, or it is lost.

    Raises:
        BackendProblem: a key that it needs is lost, or what an older Paceline stored leads nowhere.
        InvalidSettings: .env cannot be read.
    """
    if stored is None:  # by an older Paceline: this process's environment says it
        env = settings.environment()
        target = backends.target(config, env)
        return target, _variables(target, env)
    if kept is None and any(stored["kept"].values()):
        kept = _own(config, stored)
    kept = kept or {"target": {}, "env": {}}
    target = whole(stored["target"], kept["target"])
    return (target.with_model(config.model) if config.model else target), dict(kept["env"])


def _own(config: RunConfig, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Look in this process's environment for what was handed over and is lost."""
    env = settings.environment()
    try:
        target = _target(config, env, NO_KEYS, stored)
    except BackendProblem:
        raise BackendProblem(LOST) from None
    there: dict[str, dict[str, Any]] = {"target": private(target), "env": _variables(target, env)}
    kept = stored["kept"]
    if any(name not in there[half] for half in kept for name in kept[half]):
        raise BackendProblem(LOST)
    return {half: {name: there[half][name] for name in kept[half]} for half in kept}


def _target(
    config: RunConfig, env: Mapping[str, str], typed: TypedKeys, to: Mapping[str, Any] | None
) -> Target:
    if to is None:
        return backends.target(config, env, typed)
    before = to["target"]
    asked = {"base_url": before["base_url"], "model": config.model or before["model"]}
    target = backends.target(config.model_copy(update=asked), env, typed)
    if "key" in to["kept"]["target"] and not target.key:
        raise KeyProblem(KEYLESS.format(target.netloc))
    return whole(before, private(target)).with_model(asked["model"])


def _variables(target: Target, env: Mapping[str, str]) -> dict[str, str]:
    return private_names.private(env) if target.client == "litellm" else {}
