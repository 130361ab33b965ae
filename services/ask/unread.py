"""Fields that were given for a run but have no effect in it, as sentences that say why.

One rule for every interface: a flag that was typed, and a field of a request body or a scenario
that differs from its default, must be read by at least one of the runs that it was given for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.ask import about
from services.ask.config import RunConfig
from services.ask.modes import MODES
from services.ask.problems import InvalidConfig
from services.ask.sessions import sessions_of
from services.base.units import listed

EMPTY: tuple[Any, ...] = (None, "", (), [], {})
OF_SESSIONS = ("turn_by_turn", "history", "turn_delay_s", "turn_delay_scale")


def given(values: Mapping[str, Any], configs: Sequence[RunConfig]) -> tuple[str, ...]:
    """Return the fields whose values are neither empty nor their defaults: an export may contain
    all fields. It also contains the number of requests of a replay, which is not given then."""
    usual, replays = RunConfig(), [each.requests for each in configs if each.mode == "replay"]
    return tuple(
        name
        for name, value in values.items()
        if name in RunConfig.model_fields and value not in (*EMPTY, getattr(usual, name))
        if not (name == "requests" and value in replays)
    )


def check(names: Iterable[str], configs: Sequence[RunConfig]) -> None:
    """Check that each of these fields has an effect in one of the runs.

    Raises:
        InvalidConfig: with a sentence for each that has none.
    """
    if found := problems(names, configs):
        raise InvalidConfig(found)


def problems(names: Iterable[str], configs: Sequence[RunConfig]) -> dict[str, str]:
    """Map each of these fields that has no effect in any of the runs to a sentence."""
    found = {}
    for name in names:
        reasons = [_why_unread(name, config) for config in configs]
        if all(reasons):
            found[name] = f"{name} has no effect {listed(dict.fromkeys(reasons), 'or')}."
            found[name] += _readers(name, configs)
    return found


def _why_unread(name: str, config: RunConfig) -> str:
    """Why a field has no effect, such as "with mode batch"; "" if it has."""
    known = about.fields(RunConfig)[name]
    if not known.is_read(config.mode, config.workload):
        modes, workloads = _split(known.read_by)
        kinds = [f"mode {config.mode}"] * bool(modes)
        return f"with {' and '.join([*kinds, *[f'workload {config.workload}'] * bool(workloads)])}"
    if name == "requests" and config.mode == "replay":
        return "in a trace replay, which sends each row once"
    if name in OF_SESSIONS and sessions_of(config) is None:
        return "without sessions of several turns"
    return known.why_ignored(config)


def _readers(name: str, configs: Sequence[RunConfig]) -> str:
    """The modes and workloads that read a field, if none of the runs has one of them."""
    known = about.fields(RunConfig)[name]
    if any(known.is_read(config.mode, config.workload) for config in configs):
        return ""
    kinds = zip(("mode", "workload"), _split(known.read_by), strict=True)
    needed = [f"{kind} {listed(names, 'or')}" for kind, names in kinds if names]
    return f" It requires {', or '.join(needed)}."


def _split(read_by: Sequence[str]) -> tuple[list[str], list[str]]:
    """The modes and the workloads among readers."""
    modes = [name for name in read_by if name in MODES]
    return modes, [name for name in read_by if name not in MODES]
