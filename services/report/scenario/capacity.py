"""A capacity search as a scenario: the run of each probe, the search under `capacity`, and what the
other server changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.report.scenario import keys
from services.report.scenario.comparison import change_values, changes_of, others_of
from services.report.scenario.document import Document
from services.report.scenario.keys import CAPACITY, COMPARE, Keys
from services.report.scenario.run import (
    Reading,
    Values,
    Written,
    config_of,
    fields_of,
    run_values,
    values_of,
)
from services.studies.capacity_config import (
    CapacityConfig,
    parse_capacity,
    set_by_probes,
    without_probe_fields,
)


@dataclass(frozen=True, slots=True)
class CapacityScenario:
    """A search, and its name and note."""

    config: CapacityConfig
    keys: Keys


def read_capacity(
    document: Document, reading: Reading, instead: Sequence[Values] = ()
) -> CapacityScenario:
    """Return the search that a scenario describes. `instead`: servers given on the command line,
    which replace the file's.

    Raises:
        InvalidScenario: the file is invalid.
        InvalidConfig: the command line is.
    """
    own = keys.extras(document, Keys, reading.over)
    search = {} if document.value(CAPACITY) is None else document.mapping(CAPACITY)
    keys.check_known(document, search, keys.SEARCH, CAPACITY, CAPACITY)
    _check_free(document, document.values)
    values = values_of(document, fields_of(document.values), reading)
    first = config_of(document, values, reading)
    changes = list(instead) or (changes_of(document, reading) if COMPARE in document.values else [])
    for index, change in enumerate(changes):
        _check_free(document, change, *(() if instead else (COMPARE, index)))
    others = others_of(document, reading, values, changes, bool(instead))
    over = {name: value for name, value in (reading.over or {}).items() if name in keys.SEARCH}
    try:
        config = parse_capacity({**search, **over, "servers": (first, *others)})
    except InvalidConfig as error:
        raise keys.refused(document, error, over, CAPACITY) from None
    return CapacityScenario(config, own)


def _check_free(document: Document, values: Values, *location: str | int) -> None:
    """Check that the scenario does not contain fields that each probe sets. Raises
    InvalidScenario."""
    for name, sentence in set_by_probes(values).items():
        raise document.problem(sentence, *location, name)


def write_capacity(scenario: CapacityScenario, own_prompts: bool) -> Written:
    """Return a search as the keys of a scenario, and its comments."""
    first, *others = map(without_probe_fields, scenario.config.servers)
    values, comments = run_values(first, RunConfig(), own_prompts)
    changes = []
    for config in others:
        own, more = change_values(config, first, own_prompts)
        changes.append(own)
        comments = tuple(dict.fromkeys((*comments, *more)))
    usual, dumped = CapacityConfig(), scenario.config.model_dump(mode="json")
    search = {
        name: dumped[name]
        for name in keys.SEARCH
        if name == "objectives" or getattr(scenario.config, name) != getattr(usual, name)
    }
    compare: dict[str, Any] = {COMPARE: changes} if changes else {}
    return {**keys.first(scenario.keys), CAPACITY: search, **values, **compare}, comments
