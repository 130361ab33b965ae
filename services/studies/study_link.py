"""A study as flat texts by field name, for links, forms and the command line.

`model` is the engine's model where Paceline starts one, else the run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask import link
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.servers.engines import EngineConfig
from services.studies.axis import split_axes
from services.studies.parallel import Parallel, format_parallel, parse_parallel
from services.studies.presets import PRESETS
from services.studies.study_config import (
    DEFAULT_REPEATS,
    StudyCapacity,
    StudyConfig,
    parse_study,
)

AXES = ("batches", "input_lengths", "concurrencies")
MAX_DIGITS = 9  # of a number; Python refuses to parse thousands of digits
SPREAD = ("tp", "pp", "dp", "chunked_prefill")  # fields of an engine that the axes set


def preset_config(preset: str, engine: EngineConfig | None = None) -> StudyConfig:
    """Return a preset's default study. `engine` is the one that Paceline starts."""
    entry = PRESETS[preset]
    usual = EngineConfig(engine=entry.usual_engine) if entry.starts_engines else None
    base = engine or usual
    return StudyConfig(
        preset=preset,
        engine=base and base.model_copy(update=dict(entry.engine)),
        run=RunConfig(**{"repeats": DEFAULT_REPEATS, **dict(entry.run)}),
        parallel=entry.parallel,
        chunked=entry.chunked,
        batches=entry.batches,
        input_lengths=entry.input_lengths,
        concurrencies=entry.concurrencies,
        search=StudyCapacity() if entry.capacity else None,
    )


def with_defaults(data: Any) -> Any:
    """Fill in omitted fields of a study with its preset's defaults. Data without a valid preset is
    returned unchanged, so that validation reports it."""
    preset = data.get("preset", "tensor") if isinstance(data, dict) else None
    if not isinstance(preset, str) or preset not in PRESETS:
        return data
    start, run = preset_config(preset), data.get("run", {})
    if isinstance(run, dict):  # without defaults: the fields given decide which workload it is
        replay = run.get("mode") == "replay"  # whose rows are the requests
        own = start.run.model_dump(exclude_defaults=True, exclude={"requests"} if replay else None)
        run = {**own, **run}
    return {**start.model_dump(), **data, "run": run}


def query(study: StudyConfig) -> dict[str, str]:
    """Return the fields that differ from the preset's defaults, each as a text."""
    start = preset_config(study.preset, study.engine and EngineConfig(engine=study.engine.engine))
    texts = {"preset": study.preset, "engine": study.engine.engine if study.engine else ""}
    for name in AXES:
        if (values := getattr(study, name)) != getattr(start, name):
            texts[name] = ",".join(map(str, values))
    if study.parallel != start.parallel:
        texts["parallel"] = format_parallel(study.parallel)
    if study.chunked != start.chunked:
        texts["chunked"] = ",".join("on" if switch else "off" for switch in study.chunked)
    if study.axes:
        texts["axes"] = "; ".join(study.axes)
    if study.search is not None:
        texts |= _capacity_texts(study.search)
    if study.usd_per_gpu_hour is not None:
        texts["usd_per_gpu_hour"] = f"{study.usd_per_gpu_hour:g}"
    run = link.query(study.run.model_dump(), start.run)
    if study.engine is None:
        return texts | run
    own = study.engine.model_dump(exclude={"engine"})
    changed = {name: value for name, value in own.items() if value != getattr(start.engine, name)}
    return (
        texts
        | {n: t for n, t in run.items() if n != "model"}
        | {name: link.text_of(value) for name, value in changed.items() if name not in SPREAD}
    )


def _capacity_texts(capacity: StudyCapacity) -> dict[str, str]:
    usual = StudyCapacity()
    changed = [n for n in StudyCapacity.model_fields if getattr(capacity, n) != getattr(usual, n)]
    texts = {name: link.text_of(getattr(capacity, name)) for name in changed}
    return texts | ({"objectives": ";".join(capacity.objectives)} if "objectives" in texts else {})


def read(texts: Mapping[str, str], start: StudyConfig | None = None) -> StudyConfig:
    """Parse the texts of `query`, or of a command line. Omitted fields are those of `start`, or the
    preset's defaults.

    Raises:
        InvalidConfig: with a sentence for each invalid text.
    """
    preset = texts.get("preset", start.preset if start else "tensor")
    if preset not in PRESETS:
        parse_study({"preset": preset})  # raises, listing the presets
    first = start or preset_config(preset, _default_engine(texts))
    values = first.model_dump()
    if texts.get("engine") == "" and not PRESETS[preset].capacity:  # a preset that needs one
        values |= {"engine": None, "parallel": (Parallel(),), "chunked": ()}
    problems: dict[str, str] = {}
    for name, text in texts.items():
        try:
            _set_field(values, name, text)
        except InvalidConfig as error:
            problems |= error.problems
    if problems:
        raise InvalidConfig(problems)
    return parse_study(values)


def _default_engine(texts: Mapping[str, str]) -> EngineConfig | None:
    name = texts.get("engine", "")
    return parse_study({"engine": {"engine": name}}).engine if name else None


def _set_field(values: dict[str, Any], name: str, text: str) -> None:
    """Parse `text` into the field `name` of the study, engine or run. Raises InvalidConfig."""
    if name in ("preset", "engine"):  # set before the others
        return
    if name in AXES:
        values[name] = numbers(name, text)
    elif name == "parallel":
        values[name] = parse_parallel(text)
    elif name == "chunked":
        values[name] = _parse_switches(text)
    elif name == "axes":
        values[name] = split_axes(text)
    elif name == "objectives" and values["search"] is not None:
        values["search"] = {**values["search"], name: split_axes(text)}
    elif name in StudyCapacity.model_fields and values["search"] is not None:
        values["search"] = {**values["search"], name: text}
    elif name == "usd_per_gpu_hour":
        values[name] = text or None
    elif name in EngineConfig.model_fields and values["engine"] is not None:
        values["engine"] = {**values["engine"], name: text if text != "" else None}
    else:
        values["run"] = {**values["run"], **link.change(name, text)}


def numbers(name: str, text: str) -> tuple[int, ...]:
    """Parse whole numbers separated by commas. Raises InvalidConfig."""
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    if any(not part.isdecimal() or len(part) > MAX_DIGITS for part in parts):
        raise InvalidConfig(
            {
                name: f"{name} must be whole numbers such as 1, 8, 32, of at most {MAX_DIGITS} "
                "digits each."
            }
        )
    return tuple(map(int, parts))


def _parse_switches(text: str) -> tuple[bool, ...]:
    switches = {"on": True, "off": False}
    parts = [part.strip().lower() for part in text.split(",") if part.strip()]
    if any(part not in switches for part in parts):
        raise InvalidConfig({"chunked": "chunked must be on, off, or both (on, off)."})
    return tuple(switches[part] for part in parts)
