"""A run as a scenario. Its fields are also those of a comparison and of each cell of a study."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from services.ask import link
from services.ask.backends import BackendProblem
from services.ask.config import READERS, RunConfig, parse, readers
from services.ask.config.traces import TraceRow
from services.ask.problems import InvalidConfig
from services.report.scenario import keys, prompts
from services.report.scenario.document import Document
from services.report.scenario.keys import RunKeys
from services.report.scenario.prompts import PRIVATE, ReadFile
from services.report.scenario.yaml_text import MAX_EVENTS

Values = Mapping[str, Any]
Written = tuple[dict[str, Any], tuple[str, ...]]
Expand = Callable[[Values], dict[str, Any]]  # replaces a saved server's name by its fields
AROUND = 50_000  # YAML events of a scenario besides a trace
INFERRED = "builtin"  # the workload that is not written, unless fields of another one are


@dataclass(frozen=True, slots=True)
class Reading:
    """What is needed to read a scenario. `expand` and `read` look up saved servers and files;
    `over`: keys from a command line, which override the file's; `needs_prompts`: False for a form,
    which asks for missing prompts."""

    expand: Expand = dict
    read: ReadFile | None = None
    over: Values | None = None
    needs_prompts: bool = True


@dataclass(frozen=True, slots=True)
class RunScenario:
    """A run with its name, and the thresholds that it must meet."""

    config: RunConfig
    keys: RunKeys


def read_run(document: Document, reading: Reading) -> RunScenario:
    """Return the run that a scenario describes. Raises InvalidScenario, InvalidConfig."""
    own = keys.extras(document, RunKeys, reading.over)
    values = values_of(document, fields_of(document.values), reading)
    return RunScenario(config_of(document, values, reading), own)


def fields_of(values: Values) -> dict[str, Any]:
    """Return the values that are fields of a run."""
    return {name: value for name, value in values.items() if name in keys.RUN}


def values_of(
    document: Document, values: Values, reading: Reading, *location: str | int
) -> dict[str, Any]:
    """Return the fields of a run in a scenario, with its prompts and the fields of a saved server;
    those of the command line take precedence.

    Raises:
        InvalidScenario: prompts cannot be read, or a server is not saved.
    """
    over = fields_of(reading.over or {})
    filled = prompts.filled(document, values, reading.read, *location)
    if "backend" in over:  # the server that the file names need not be saved then
        filled.pop("backend", None)
    backend = filled.get("backend", "")
    if isinstance(backend, str) and "://" in backend:  # not quoted: it may contain a password
        raise document.problem(
            "backend is a name. Write `backend: url`, and the address as base_url.",
            *location,
            "backend",
        )
    try:
        return apply_overrides(reading.expand(filled), over)
    except BackendProblem as error:
        raise document.problem(str(error), *location, "backend") from None


def apply_overrides(values: Values, over: Values) -> dict[str, Any]:
    """Return values with some replaced. A change of the backend resets its address, one of the
    workload its prompts."""
    kept = dict(values)
    if "backend" in over:
        kept.pop("base_url", None)
    texts = [name for name in READERS if name in over]
    chosen = (over["workload"],) if "workload" in over else readers(texts) if texts else ()
    if chosen and _workload(kept) not in chosen:
        kept = {n: v for n, v in kept.items() if n not in READERS and n != "workload"}
    return {**kept, **over}


def _workload(values: Values) -> str:
    texts = [name for name in READERS if values.get(name) is not None]
    inferred = readers(texts) if texts else ()
    return str(values.get("workload") or next(iter(inferred), INFERRED))


def config_of(
    document: Document, values: Values, reading: Reading, *location: str | int
) -> RunConfig:
    """Return the config of a run whose fields are at a location.

    Raises:
        InvalidScenario: fields of the file are invalid.
        InvalidConfig: fields of the command line are.
    """
    workload = values.get("workload")
    if not reading.needs_prompts and workload in _workloads_without_prompts(values):
        config = _parse(document, {**values, "workload": INFERRED}, reading, *location)
        return config.model_copy(update={"workload": workload})
    return _parse(document, values, reading, *location)


def _workloads_without_prompts(values: Values) -> Collection[str]:
    """Return the workloads whose prompts are left out."""
    return [READERS[name][0] for name in PRIVATE if not values.get(name)]


def _parse(document: Document, values: Values, reading: Reading, *location: str | int) -> RunConfig:
    try:
        return parse(values)
    except InvalidConfig as error:
        raise keys.refused(document, error, reading.over, *location) from None


def run_values(config: RunConfig, start: RunConfig, own_prompts: bool) -> Written:
    """Return the fields of a run that differ from `start`, ready for YAML, and a comment for each
    field that is left out: possible secrets and, unless wanted, custom prompts."""
    if config.duration_s is not None:  # a number beside it would be refused
        config = config.model_copy(update={"requests": RunConfig().requests})
    dumped = config.model_dump(mode="json")
    changed = [n for n in type(config).model_fields if getattr(config, n) != getattr(start, n)]
    values, comments = {}, []
    for name in changed:
        value = getattr(config, name)
        if name == "prompt_max_tokens" and not own_prompts:
            continue  # they belong to prompts that are left out
        if name in PRIVATE and not own_prompts:
            comments += [prompts.left_out(config)] if value and name in _read(config) else []
        elif name == "trace" and _events(value) > MAX_EVENTS - AROUND:
            comments.append(f"Left out: a trace of {len(value):,} requests. Add a trace_file.")
        elif link.is_refused(name, value):
            comments.append(f"Left out: {name}, which may hold a key.")
        else:
            values[name] = prompts.prompt_values(value) if name == "prompts" else dumped[name]
    if config.workload == INFERRED and any(name in values for name in (*READERS, "trace")):
        values = {"workload": INFERRED, **values}
    if "trace" in values:
        values = {"mode": config.mode, **values}  # otherwise it would be replayed
    return values, tuple(comments)


def _events(trace: Collection[TraceRow]) -> int:
    """The number of YAML events of a trace."""
    return sum(7 + len(row.blocks) for row in trace)


def _read(config: RunConfig) -> Collection[str]:
    return [name for name in PRIVATE if config.workload in READERS[name]]


def write_run(scenario: RunScenario, own_prompts: bool) -> Written:
    """Return a run as the keys of a scenario, and its comments."""
    values, comments = run_values(scenario.config, RunConfig(), own_prompts)
    return {**keys.first(scenario.keys), **values, **keys.last(scenario.keys)}, comments
