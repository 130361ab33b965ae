"""A scenario as a JSON Schema, for editors: keys that complete, with their help.

`python -m services.report.scenario.shape docs/schema` writes it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from services.ask.config import RunConfig
from services.report.scenario import keys
from services.report.scenario.keys import (
    CAPACITY,
    COMPARE,
    PRESET,
    PROMPTS_FILE,
    TRACE_FILE,
    VERSION,
)
from services.report.scenario.prompts_shape import MESSAGES
from services.report.scenario.study import PARTS
from services.servers.engines import EngineConfig
from services.studies.capacity_config import CapacityConfig
from services.studies.configuration import PARALLEL
from services.studies.presets import PRESETS
from services.studies.study_config import StudyCapacity, StudyConfig

NAME = f"scenario-{VERSION}.json"
# The version of JSON Schema that editors support best.
DRAFT = "http://json-schema.org/draft-07/schema#"
TEXT = {"type": "string"}
ROW = {  # of a trace: seconds, tokens of the prompt, tokens of the answer, ids of its blocks
    "type": "array",
    "items": {"type": ["number", "array"]},
    "minItems": 3,
    "maxItems": 4,
}


def schema_text() -> str:
    """Return the schema of a scenario as JSON."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """Return the schema of a scenario; a key decides which of the four kinds it is."""
    return {
        "$schema": DRAFT,
        "title": "Paceline scenario",
        "description": "A run, a comparison (with `compare`), a study (with `preset`) or a "
        "capacity search (with `capacity`)",
        "type": "object",
        "required": ["version"],
        **_one_of(((CAPACITY, "capacity"), (COMPARE, "comparison"), (PRESET, "study")), "run"),
        "definitions": _definitions(),
    }


def _one_of(kinds: Sequence[tuple[str, str]], otherwise: str) -> dict[str, Any]:
    """The definition that applies, by the first of the keys that is present."""
    if not kinds:
        return {"$ref": f"#/definitions/{otherwise}"}
    (key, name), *others = kinds
    then = {"$ref": f"#/definitions/{name}"}
    return {"if": {"required": [key]}, "then": then, "else": _one_of(others, otherwise)}


def _definitions() -> dict[str, Any]:
    fields = _run()
    run = {name: {"$ref": f"#/definitions/fields/properties/{name}"} for name in fields}
    candidate = _only({name: run[name] for name in run if name in keys.CANDIDATE})
    candidates = {
        "type": "array",
        "title": "Candidates",
        "description": "What each other candidate changes; {} for an A/A check",
        "items": {"anyOf": [candidate, {"type": "null"}]},
    }
    return {
        "fields": _only(fields),
        "run": _only(_properties(keys.RunKeys) | run),
        "comparison": _only(_properties(keys.ComparisonKeys) | run | {COMPARE: candidates}),
        "capacity": _only(_of_keys(keys.CAPACITY, run) | _search() | {COMPARE: candidates}),
        "study": _only(_properties(keys.Keys) | _study(run)),
    }


def _of_keys(kind: str, run: dict[str, Any]) -> dict[str, Any]:
    """The keys of every scenario and of a run, if this kind has them."""
    known = _properties(keys.Keys) | run
    return {name: each for name, each in known.items() if name in keys.KNOWN[kind]}


def _search() -> dict[str, Any]:
    own = _properties(CapacityConfig)
    search = _only({name: own[name] for name in keys.SEARCH})
    what = {"title": "Capacity", "description": "The search for the highest load"}
    return {CAPACITY: what | {"anyOf": [search, {"type": "null"}]}}


def _run() -> dict[str, Any]:
    prompts = {"anyOf": [TEXT, MESSAGES]}
    own = _properties(RunConfig)
    return own | {
        "prompts": {**own["prompts"], "items": prompts},
        "trace": {**own["trace"], "items": ROW},
        PROMPTS_FILE: _file("Prompts file", "File workload"),
        TRACE_FILE: _file("Trace file", "Trace"),
    }


def _file(title: str, of: str) -> dict[str, Any]:
    return {
        "type": "string",
        "title": title,
        "description": f"{of}: a file in the folder of the scenario or below it",
    }


def _study(run: dict[str, Any]) -> dict[str, Any]:
    own = _properties(StudyConfig)
    sizes = {name: {"type": "integer", "minimum": 1} for name in PARALLEL}
    engine = {n: each for n, each in _properties(EngineConfig).items() if n in PARTS["engine"]}
    search = {"title": "Search", "description": own["search"]["description"]}
    return own | {
        "search": search | {"anyOf": [_only(_properties(StudyCapacity)), {"type": "null"}]},
        PRESET: {**own[PRESET], "enum": [*PRESETS]},
        "run": _described(own["run"], _only(run)),
        "engine": _described(own["engine"], {"anyOf": [_only(engine), {"type": "null"}]}),
        "parallel": {**own["parallel"], "items": _only(sizes)},
    }


def _described(own: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    return {name: own[name] for name in ("title", "description")} | shape


def _properties(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of a config's fields, without defaults, which depend on the context."""
    properties = kind.model_json_schema(mode="validation")["properties"].items()
    return {name: {n: v for n, v in each.items() if n != "default"} for name, each in properties}


def _only(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


if __name__ == "__main__":
    Path(sys.argv[1], NAME).write_text(schema_text(), encoding="utf-8")
