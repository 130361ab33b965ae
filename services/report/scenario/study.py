"""A study as a scenario: its preset, what is varied, its engine and the run of each cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.ask.problems import InvalidConfig
from services.report.scenario import keys
from services.report.scenario.document import Document, InvalidScenario
from services.report.scenario.keys import PRESET, Keys
from services.report.scenario.run import (
    Reading,
    Values,
    Written,
    apply_overrides,
    config_of,
    run_values,
    values_of,
)
from services.servers.engines import EngineConfig
from services.studies.configuration import PARALLEL
from services.studies.parallel import Parallel
from services.studies.presets import PRESETS
from services.studies.study_config import StudyConfig, parse_study
from services.studies.study_link import preset_config

PARTS: Mapping[str, tuple[str, ...]] = {
    "run": keys.RUN,
    "engine": tuple(name for name in EngineConfig.model_fields if name not in PARALLEL),
}
NO_ENGINE = {"engine": None, "parallel": (Parallel(),), "chunked": ()}  # an existing server


@dataclass(frozen=True, slots=True)
class StudyScenario:
    """A study and its name."""

    config: StudyConfig
    keys: Keys


def read_study(document: Document, reading: Reading) -> StudyScenario:
    """Return the study that a scenario describes; omitted fields are those of its preset. Raises
    InvalidScenario, InvalidConfig."""
    own = keys.extras(document, Keys, reading.over)
    for part, known in PARTS.items():
        if document.values.get(part) is not None:
            keys.check_known(document, document.mapping(part), known, part, part)
    values = {n: v for n, v in document.values.items() if n in StudyConfig.model_fields}
    start = _preset_study(document, values)
    run = values_of(document, values.get("run") or {}, reading, "run")
    config = config_of(document, apply_overrides(_preset_changes(start), run), reading, "run")
    engine = start.engine and {**start.engine.model_dump(), **(values.get("engine") or {})}
    try:
        study = parse_study({**start.model_dump(), **values, "run": config, "engine": engine})
    except InvalidConfig as error:
        raise _with_line_numbers(document, error) from None
    return StudyScenario(study, own)


def _preset_study(document: Document, values: Values) -> StudyConfig:
    """Return the study of the preset, for the engine in the scenario."""
    preset = values[PRESET]
    if not isinstance(preset, str) or preset not in PRESETS:
        raise document.problem(f"preset must be one of {', '.join(PRESETS)}.", PRESET)
    engine = values.get("engine")
    name = None if engine is None else engine.get("engine", "vllm")
    try:
        of_engine = parse_study({"engine": {"engine": name}}).engine if name else None
    except InvalidConfig as error:
        raise document.problems(error.problems, "engine") from None
    start = preset_config(preset, of_engine)
    if "engine" in values and engine is None:
        start = start.model_copy(update=NO_ENGINE)
    return start


def _preset_changes(start: StudyConfig) -> dict[str, Any]:
    """The fields of the run that the preset changes. Defaults are left out, so that the given
    fields decide which workload it is."""
    return start.run.model_dump(exclude_defaults=True)


def _with_line_numbers(document: Document, error: InvalidConfig) -> Exception:
    """Return the error with the line of each field, including those of the engine."""
    sentences = []
    for name, text in error.problems.items():
        locations = ((name,), ("engine", name), ("run", name))
        location = next((location for location in locations if location in document.lines), (name,))
        sentences.append(document.of_field(text, *location))
    return InvalidScenario("\n".join(sentences))


def write_study(scenario: StudyScenario, own_prompts: bool) -> Written:
    """Return a study as the keys of a scenario, and its comments."""
    study = scenario.config
    name = study.engine.engine if study.engine else None
    start = preset_config(study.preset, EngineConfig(engine=name) if name else None)
    values: dict[str, Any] = {PRESET: study.preset}
    if study.engine is None and start.engine is not None:
        start = start.model_copy(update=NO_ENGINE)
        values["engine"] = None
    if study.engine is not None and start.engine is not None:
        values["engine"] = {"engine": name, **_engine(study.engine, start.engine)}
    dumped = study.model_dump(mode="json")
    for axis in type(study).model_fields:
        if axis not in (PRESET, *PARTS) and getattr(study, axis) != getattr(start, axis):
            values[axis] = dumped[axis]
    if study.parallel != start.parallel:
        values["parallel"] = list(map(_sizes, study.parallel))
    run, comments = run_values(study.run, start.run, own_prompts)
    return {**keys.first(scenario.keys), **values, **({"run": run} if run else {})}, comments


def _engine(engine: EngineConfig, start: EngineConfig) -> dict[str, Any]:
    dumped = engine.model_dump(mode="json")
    return {
        name: dumped[name]
        for name in PARTS["engine"]
        if name != "engine" and getattr(engine, name) != getattr(start, name)
    }


def _sizes(parallel: Parallel) -> dict[str, int]:
    sizes = {name: size for name, size in parallel._asdict().items() if size > 1}
    return sizes or {"tp": 1}
