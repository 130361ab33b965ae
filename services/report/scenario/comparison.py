"""A comparison as a scenario: the baseline's fields, the changes of each other candidate, and the
design of the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.analysis.candidates import changed
from services.analysis.comparison_design import (
    DEFAULT_MAX_REPEATS,
    DEFAULT_REPEATS,
    ComparisonDesign,
    InvalidComparison,
    check,
)
from services.ask.config import RunConfig
from services.report.scenario import keys
from services.report.scenario.document import Document
from services.report.scenario.keys import COMPARE, ComparisonKeys
from services.report.scenario.run import (
    Reading,
    Values,
    Written,
    config_of,
    fields_of,
    run_values,
    values_of,
)


@dataclass(frozen=True, slots=True)
class ComparisonScenario:
    """The candidates, the baseline first; `changes` are those of the others."""

    configs: tuple[RunConfig, ...]
    changes: tuple[Values, ...]
    design: ComparisonDesign
    keys: ComparisonKeys


def read_comparison(
    document: Document, reading: Reading, instead: Sequence[Values] = ()
) -> ComparisonScenario:
    """Return the comparison that a scenario describes. `instead`: candidates given on the command
    line, which replace the file's.

    Raises:
        InvalidScenario: the file is invalid.
        InvalidConfig: the command line is.
    """
    own = keys.extras(document, ComparisonKeys, reading.over)
    values = values_of(document, fields_of(document.values), reading)
    baseline = config_of(document, values, reading)
    changes = list(instead) or changes_of(document, reading)
    others = others_of(document, reading, values, changes, bool(instead))
    design = design_of(own, baseline.repeats if "repeats" in values else DEFAULT_REPEATS)
    each = {"repeats": design.repeats}
    configs = tuple(config.model_copy(update=each) for config in (baseline, *others))
    try:
        check(design, configs)
    except InvalidComparison as error:
        raise document.problem(str(error), COMPARE) from None
    return ComparisonScenario(configs, tuple(changes), design, own)


def changes_of(document: Document, reading: Reading) -> list[Values]:
    """Return the changes of each other candidate in the file. Raises InvalidScenario."""
    of_file = replace(reading, over=None)
    return [_changes(document, index, of_file) for index in range(_count(document))]


def others_of(
    document: Document,
    reading: Reading,
    values: Values,
    changes: Sequence[Values],
    given: bool,
) -> list[RunConfig]:
    """Return the configs of the other candidates, which change `values`. `given`: the changes are
    from the command line, not the file. Raises InvalidScenario, InvalidConfig."""
    of_file = replace(reading, over=None)
    return [
        config_of(
            document,
            changed(values, change),
            replace(of_file, over=change) if given else of_file,
            *(COMPARE, index),
        )
        for index, change in enumerate(changes)
    ]


def _count(document: Document) -> int:
    entries = document.values.get(COMPARE)
    if not isinstance(entries, list):
        raise document.problem(
            f"{COMPARE} must be a list of what the other candidates change, such as "
            "`- concurrency: 8`.",
            COMPARE,
        )
    return len(entries)


def _changes(document: Document, index: int, reading: Reading) -> dict[str, Any]:
    location = (COMPARE, index)
    entry = document.values[COMPARE][index]
    values = {} if entry is None else document.mapping(*location)
    if "repeats" in values:
        raise document.problem(
            "repeats are the same for all candidates: write them next to compare.",
            *location,
            "repeats",
        )
    keys.check_known(document, values, keys.CANDIDATE, "run", *location)
    return values_of(document, values, reading, *location)


def design_of(own: ComparisonKeys, repeats: int) -> ComparisonDesign:
    """Return the design of the comparison: how the candidates are interleaved."""
    usual = _default_most(repeats, own.target)
    most = usual if own.most is None else own.most
    return ComparisonDesign(own.order_seed, repeats, most, own.target, own.margin)


def _default_most(repeats: int, target: float | None) -> int:
    return repeats if target is None else max(repeats, DEFAULT_MAX_REPEATS)


def keys_of(design: ComparisonDesign, **called: Any) -> ComparisonKeys:
    """Return a design as the keys of a scenario; `called` holds its name, tags and note."""
    usual = _default_most(design.repeats, design.target)
    return ComparisonKeys(
        version=keys.VERSION,
        most=None if design.most == usual else design.most,
        target=design.target,
        margin=design.margin,
        order_seed=design.seed,
        **called,
    )


def write_comparison(scenario: ComparisonScenario, own_prompts: bool) -> Written:
    """Return a comparison as the keys of a scenario, and its comments."""
    usual = RunConfig(repeats=DEFAULT_REPEATS)
    baseline, *others = (
        config.model_copy(update={"repeats": scenario.design.repeats})
        for config in scenario.configs
    )
    values, comments = run_values(baseline, usual, own_prompts)
    changes = []
    for config in others:
        own, more = change_values(config, baseline, own_prompts)
        changes.append(own)
        comments = tuple(dict.fromkeys((*comments, *more)))
    of_all = {**keys.first(scenario.keys), **values}
    return {**of_all, COMPARE: changes, **keys.last(scenario.keys)}, comments


def change_values(config: RunConfig, baseline: RunConfig, own_prompts: bool) -> Written:
    """Return what another candidate changes, and its comments. A change of the backend resets the
    address, which is then written even if both have the same."""
    if config.backend != baseline.backend:
        baseline = baseline.model_copy(update={"base_url": None})
    return run_values(config, baseline, own_prompts)
