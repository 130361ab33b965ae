"""A study as flat texts, under the names that the API has: for a link, a form and a command line.

`model` is the engine's where Paceline starts one; else the run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask import link
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.servers.engines import EngineConfig
from services.studies.parallel import Parallel, read_parallel, write_parallel
from services.studies.presets import PRESETS
from services.studies.study_config import USUAL_REPEATS, StudyConfig, parse_study

AXES = ("batches", "input_lengths", "concurrencies")
MOST_DIGITS = 9  # of a number; Python itself refuses to read thousands of them
SPREAD = ("tp", "pp", "dp", "chunked_prefill")  # of an engine: what a study's axes say


def preset_config(preset: str, engine: EngineConfig | None = None) -> StudyConfig:
    """Return the study that a preset begins with; `engine`: the one that Paceline starts."""
    found = PRESETS[preset]
    wanted = (engine or EngineConfig()) if found.starts else engine
    return StudyConfig(
        preset=preset,
        engine=wanted and wanted.model_copy(update=dict(found.engine)),
        run=RunConfig(**{"repeats": USUAL_REPEATS, **dict(found.run)}),
        parallel=found.parallel,
        chunked=found.chunked,
        batches=found.batches,
        input_lengths=found.input_lengths,
        concurrencies=found.concurrencies,
    )


def with_defaults(data: Any) -> Any:
    """Return the fields of a study with what its preset begins with where nothing is said; what is
    no study is left as it is, to be refused."""
    preset = data.get("preset", "tensor") if isinstance(data, dict) else None
    if not isinstance(preset, str) or preset not in PRESETS:
        return data
    start, run = preset_config(preset), data.get("run", {})
    if isinstance(run, dict):  # which workload it is, what is given says
        run = {**start.run.model_dump(exclude_defaults=True), **run}
    return {**start.model_dump(), **data, "run": run}


def query(study: StudyConfig) -> dict[str, str]:
    """Return what differs from how the preset begins, each as a text."""
    start = preset_config(study.preset, study.engine and EngineConfig(engine=study.engine.engine))
    texts = {"preset": study.preset, "engine": study.engine.engine if study.engine else ""}
    for name in AXES:
        if (values := getattr(study, name)) != getattr(start, name):
            texts[name] = ",".join(map(str, values))
    if study.parallel != start.parallel:
        texts["parallel"] = write_parallel(study.parallel)
    if study.chunked != start.chunked:
        texts["chunked"] = ",".join("on" if one else "off" for one in study.chunked)
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


def read(texts: Mapping[str, str], start: StudyConfig | None = None) -> StudyConfig:
    """Return the study that `query` wrote, or a person typed; what is not said is as in `start`,
    or as its preset begins.

    Raises:
        InvalidConfig: with a sentence for each text that cannot be.
    """
    preset = texts.get("preset", start.preset if start else "tensor")
    if preset not in PRESETS:
        parse_study({"preset": preset})  # says which there are
    first = start or preset_config(preset, _engine(texts))
    values = first.model_dump()
    if texts.get("engine") == "":
        values |= {"engine": None, "parallel": (Parallel(),), "chunked": ()}
    problems: dict[str, str] = {}
    for name, text in texts.items():
        try:
            _take(values, name, text)
        except InvalidConfig as error:
            problems |= error.problems
    if problems:
        raise InvalidConfig(problems)
    return parse_study(values)


def _engine(texts: Mapping[str, str]) -> EngineConfig | None:
    name = texts.get("engine", "")
    return parse_study({"engine": {"engine": name}}).engine if name else None


def _take(values: dict[str, Any], name: str, text: str) -> None:
    """Put one text where it belongs. Raises InvalidConfig."""
    if name in ("preset", "engine"):
        return
    if name in AXES:
        values[name] = numbers(name, text)
    elif name == "parallel":
        values[name] = read_parallel(text)
    elif name == "chunked":
        values[name] = _switches(text)
    elif name == "usd_per_gpu_hour":
        values[name] = text or None
    elif name in EngineConfig.model_fields and values["engine"] is not None:
        values["engine"] = {**values["engine"], name: text if text != "" else None}
    else:
        values["run"] = {**values["run"], **link.change(name, text)}


def numbers(name: str, text: str) -> tuple[int, ...]:
    """Return the whole numbers that commas separate. Raises InvalidConfig."""
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    if any(not part.isdecimal() or len(part) > MOST_DIGITS for part in parts):
        raise InvalidConfig(
            {
                name: f"{name} must be whole numbers such as 1, 8, 32, of at most {MOST_DIGITS} "
                "digits each."
            }
        )
    return tuple(map(int, parts))


def _switches(text: str) -> tuple[bool, ...]:
    words = {"on": True, "off": False}
    parts = [part.strip().lower() for part in text.split(",") if part.strip()]
    if any(part not in words for part in parts):
        raise InvalidConfig({"chunked": "chunked must be on, off, or both (on, off)."})
    return tuple(words[part] for part in parts)
