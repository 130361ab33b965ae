"""Differences between the configs and environments of runs, as short texts for a table.

Custom prompts are never shown, only their length.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.analysis.compare.candidate import Candidate
from services.ask import about
from services.ask.backends.dialects import dialect_of
from services.ask.config import RunConfig
from services.ask.measurement import Run
from services.base.units import many

NOT_READ = "–"  # a field that the run's mode or workload does not use, or an unknown fact
NOT_SET = "not set"
LONGEST = 60  # characters of a value
AFTERWARDS = ("check", "judgement")  # roles of fields that do not change the work


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs between candidates; `values` in the order of the candidates."""

    field: str
    label: str
    values: tuple[str, ...]


def differences(candidates: Sequence[Candidate]) -> tuple[Difference, ...]:
    """Return every config field, and every fact in `environment_facts`, that is not equal in all
    candidates. A fact that is known for only some of the runs counts as different."""
    configs = [_known_fields(c.run) for c in candidates]
    facts = [environment_facts(c.run.environment) for c in candidates]
    known_fields = about.fields(type(candidates[0].run.config))
    fields = [name for name in known_fields if _differ(configs, name)]
    known = list(dict.fromkeys(name for run_facts in facts for name in run_facts))
    return (
        *(_difference(name, [config.get(name, NOT_READ) for config in configs]) for name in fields),
        *(
            _difference(name, [run_facts.get(name, NOT_READ) for run_facts in facts])
            for name in known
            if _differ(facts, name)
        ),
    )


def environment_facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about the engine, versions and machine."""
    return {
        name: value
        for name, value in flat(environment).items()
        if isinstance(value, str | int | float | bool) and any(word in name for word in FACTS)
    }


def flat(facts: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Flatten nested facts: `engine.version`."""
    flattened: dict[str, Any] = {}
    for key, value in facts.items():
        name = f"{above}{key}"
        flattened |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flattened


def read_fields(config: RunConfig) -> dict[str, Any]:
    """Return the config fields that its mode and workload use."""
    read = {
        name: getattr(config, name)
        for name, known in about.fields(type(config)).items()
        if known.role not in AFTERWARDS and config.reads(name)
    }
    sent = {"temperature": config.sent_temperature, "top_p": _top_p(config)}
    return read | {"dialect": dialect_of(config), **sent}


def _top_p(config: RunConfig) -> float | None:
    """The top-p sent, or None if decoding is greedy: older versions always sent 1."""
    return None if config.greedy else config.sent_top_p


def _known_fields(run: Run) -> dict[str, Any]:
    """`read_fields` of a stored run; for an imported one, only what its file contains."""
    return {name: value for name, value in read_fields(run.config).items() if run.knows(name)}


def _differ(configs: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(config.get(name, NOT_READ) != configs[0].get(name, NOT_READ) for config in configs)


def _difference(name: str, values: Sequence[Any]) -> Difference:
    label = name.replace(".", ", ").removesuffix("_s").replace("_", " ")
    return Difference(name, label, _disambiguated(values, [_value_text(name, v) for v in values]))


def _value_text(name: str, value: Any) -> str:
    if value is None or value == NOT_READ:
        return NOT_SET if value is None else NOT_READ
    if name in SPECIAL:
        return SPECIAL[name](value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.12g}" if isinstance(value, float) else " ".join(str(value).split())
    if name.endswith("_s"):
        text += " s"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _disambiguated(values: Sequence[Any], shown: Sequence[str]) -> tuple[str, ...]:
    """Add a number to different values that have the same text."""
    alike: dict[str, list[Any]] = {text: [] for text in shown}
    for value, text in zip(values, shown, strict=True):
        if value not in alike[text]:
            alike[text].append(value)
    return tuple(
        f"{text} (no. {alike[text].index(value) + 1})" if len(alike[text]) > 1 else text
        for value, text in zip(values, shown, strict=True)
    )


def _own_prompts(prompts: Sequence[str]) -> str:
    return f"{many(len(prompts), 'own prompt')}, {many(sum(map(len, prompts)), 'character')}"


def _collection_text(value: Any) -> str:
    """A list as its items, an object as JSON, without brackets."""
    if isinstance(value, Mapping):
        text = json.dumps(value, ensure_ascii=False)[1:-1] or NOT_SET
    else:
        text = ", ".join(value) or NOT_SET
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


SPECIAL: dict[str, Callable[[Any], str]] = {
    "omit": _collection_text,
    "prompt_max_tokens": lambda limits: many(len(limits), "limit"),
    "extra_body": _collection_text,
    "headers": _collection_text,
    "prompt": lambda text: f"own text, {many(len(text), 'character')}",
    "prompts": _own_prompts,
    "trace": lambda rows: many(len(rows), "request"),
}
# Facts whose name contains one of these are compared; others change from run to run.
FACTS = ("engine", "server", "version", "python", "system", "cpu", "cores", "gpu", "slots")
