"""Where a run is sent: resolved on submission, stored without secrets, restored for the worker.

The environment of whoever submits a run decides what is sent. Secrets wait in the supervisor's
memory under the run's ticket (see `keys.py`); if they are lost, the supervisor's own environment is
tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from jobs.supervisor_lock import machine_id
from services.ask import backends
from services.ask.address import is_loopback
from services.ask.backends import NO_KEYS, BackendProblem, KeyProblem, Target, TypedKeys
from services.ask.backends.stored_target import private, public, whole
from services.ask.clusters import check_cluster
from services.ask.config import RunConfig
from services.base import private_names, settings

LOST = (
    "The API key of this run was held only in the memory of a process that has ended. Submit the "
    "run again, or put the key in .env first."
)

KEYLESS = (
    "This was measured with an API key, which is not stored, and there is no key for {} now. Put "
    "it in .env with that address, or type it on the page Run for that address."
)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a run is sent. `stored` goes into the database; `secrets` into the supervisor's memory,
    under `ticket`. Without secrets there is no ticket. `machine`: the only one that can reach it,
    since the address is local to it; None: any."""

    lane: str
    model: str
    stored: dict[str, Any]
    secrets: dict[str, Any] = field(default_factory=dict, repr=False)
    ticket: str | None = None
    machine: str | None = None

    @property
    def stored_as(self) -> tuple[dict[str, Any], str | None]:
        """Return what the database stores of it."""
        return self.stored, self.ticket


def resolve(
    config: RunConfig, typed: TypedKeys, earlier: Mapping[str, Any] | None = None
) -> Destination:
    """Return where a run is sent, from this process's environment and the typed keys. `earlier`:
    the stored destination of a run that is measured again, which stays the same. A key is sent only
    to the address it belongs to. A run that was measured with a key is not measured again without
    one, since its further repeats would only be refused.

    Raises:
        BackendProblem: the backend does not exist, has no key, or is on a cluster that cannot be
            used.
        InvalidSettings: .env cannot be read.
    """
    env = settings.environment()
    check_cluster(config, env)
    target = _target(config, env, typed, earlier)
    secrets = {
        "target": private(target),
        "env": _variables(target, env),
    }
    names = {part: sorted(secrets[part]) for part in secrets}
    stored = {"target": public(target), "kept": names}
    lane, ticket = backends.lane(config, env), None
    if any(secrets.values()):
        ticket = f"{machine_id()}-{token_hex(16)}"
    here = machine_id() if is_loopback(target.base_url) else None
    return Destination(lane, target.model, stored, secrets, ticket, here)


def restore(
    config: RunConfig, stored: Mapping[str, Any] | None, secrets: Mapping[str, Any] | None
) -> tuple[Target, dict[str, str]]:
    """Return the target of a stored run, and the environment variables that LiteLLM reads itself.

    `secrets`: those handed over for it; None: there were none, or they are lost.

    Raises:
        BackendProblem: a key that it needs is lost, or it was stored by an older version and is
            unusable.
        InvalidSettings: .env cannot be read.
    """
    if stored is None:  # stored by an older version: use this process's environment
        env = settings.environment()
        target = backends.target(config, env)
        return target, _variables(target, env)
    if secrets is None and any(stored["kept"].values()):
        secrets = _recover(config, stored)
    secrets = secrets or {"target": {}, "env": {}}
    target = whole(stored["target"], secrets["target"])
    return (target.with_model(config.model) if config.model else target), dict(secrets["env"])


def _recover(config: RunConfig, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Read the lost secrets of a run from this process's environment again."""
    env = settings.environment()
    try:
        target = _target(config, env, NO_KEYS, stored)
    except BackendProblem:
        raise BackendProblem(LOST) from None
    available: dict[str, dict[str, Any]] = {
        "target": private(target),
        "env": _variables(target, env),
    }
    names = stored["kept"]
    if any(name not in available[part] for part in names for name in names[part]):
        raise BackendProblem(LOST)
    return {part: {name: available[part][name] for name in names[part]} for part in names}


def _target(
    config: RunConfig, env: Mapping[str, str], typed: TypedKeys, earlier: Mapping[str, Any] | None
) -> Target:
    if earlier is None:
        return backends.target(config, env, typed)
    before = earlier["target"]
    overrides = {"base_url": before["base_url"], "model": config.model or before["model"]}
    target = backends.target(config.model_copy(update=overrides), env, typed)
    if "key" in earlier["kept"]["target"] and not target.key:
        raise KeyProblem(KEYLESS.format(target.netloc))
    return whole(before, private(target)).with_model(overrides["model"])


def _variables(target: Target, env: Mapping[str, str]) -> dict[str, str]:
    return private_names.private(env) if target.client == "litellm" else {}
