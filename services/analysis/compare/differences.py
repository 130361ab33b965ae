"""What differs between the configs and surroundings of runs, as short texts to put side by side.

A person's own prompts never appear: how long they are does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.analysis.compare.rows import Candidate
from services.ask import about
from services.ask.config import RunConfig
from services.ask.measurement import Run
from services.base.units import many

NOT_READ = "–"  # a field that this run's mode or workload does not look at, or a fact not known
NOT_SET = "not set"
LONGEST = 60  # characters of a value
AFTERWARDS = ("check", "judgement")  # roles: what comes after the requests is no other work


@dataclass(frozen=True, slots=True)
class Difference:
    """A field whose value is not the same in all candidates; `values` in their order."""

    field: str
    label: str
    values: tuple[str, ...]


def differences(candidates: Sequence[Candidate]) -> tuple[Difference, ...]:
    """Return every field of the config, and every selected fact of the environment, that is not
    equal in all candidates. Facts that only some of the runs know differ, too."""
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
    """Return the facts about engine, versions and machine."""
    return {
        name: value
        for name, value in flat(environment).items()
        if isinstance(value, str | int | float | bool) and any(word in name for word in FACTS)
    }


def flat(facts: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested facts on one level: `engine.version`."""
    flattened: dict[str, Any] = {}
    for key, value in facts.items():
        name = f"{above}{key}"
        flattened |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flattened


def read_fields(config: RunConfig) -> dict[str, Any]:
    """Return the config without the fields that only other modes and workloads read."""
    read = {
        name: getattr(config, name)
        for name, known in about.fields(type(config)).items()
        if known.role not in AFTERWARDS and known.is_read(config.mode, config.workload)
    }
    return read | {"temperature": config.sent_temperature, "top_p": _top_p(config)}


def _top_p(config: RunConfig) -> float | None:
    """What was sent, where it changes an answer: an earlier Paceline always sent a 1."""
    return None if config.greedy else config.sent_top_p


def _known_fields(run: Run) -> dict[str, Any]:
    """The same of a stored run: of an imported one, what its file says."""
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
    """Number the values that are shown alike and are not."""
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
    """A list by its words, an object as JSON, without the marks around it."""
    if isinstance(value, Mapping):
        text = json.dumps(value, ensure_ascii=False)[1:-1] or NOT_SET
    else:
        text = ", ".join(value) or NOT_SET
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


SPECIAL: dict[str, Callable[[Any], str]] = {
    "omit": _collection_text,
    "extra_body": _collection_text,
    "headers": _collection_text,
    "prompt": lambda text: f"own text, {many(len(text), 'character')}",
    "prompts": _own_prompts,
}
# Words in the names of the facts that are compared; the others change from run to run.
FACTS = ("engine", "server", "version", "python", "system", "cpu", "cores", "gpu", "slots")
