"""The contents of a capacity search's page, in the same parts as a run's."""

from __future__ import annotations

from collections.abc import Iterator

from services.analysis.capacity import label_of
from services.ask import about
from services.base.table import Table
from services.base.units import NOTHING, many
from services.report.capacity import curves, reasons, sentences, server_names
from services.report.capacity_points import measured_table, operating_points_table
from services.report.export.contents import Contents, Finding
from services.report.export.tiles import Line, Tile
from services.report.fact_text import fact_text
from services.report.run_facts import config_texts, measured_sentence
from services.studies.capacity import Capacity
from services.studies.capacity_config import SET_BY_PROBES, CapacitySearch
from services.studies.capacity_price import cost
from services.studies.capacity_wording import interval_text, load_text


def capacity_contents(capacity: Capacity) -> Contents:
    """Return the contents of a search's page."""
    probes = [probe for probe in capacity.probes if probe.observation is not None]
    lasted = measured_sentence((probe.window_s for probe in probes), capacity.created_at)
    return Contents(
        title=capacity.name or "Capacity",
        lead=f"{many(len(probes), 'probe')}; {label_of(capacity.config.parsed_objectives)}. "
        f"{lasted}".strip(),
        findings=tuple(Finding(sentence) for sentence in sentences(capacity)),
        tiles=tuple(_tiles(capacity)),
        sentences=(*reasons(capacity), *curves(capacity)),
        diagnostics=(),
        results=(operating_points_table(capacity), measured_table(capacity)),
        circumstances=tuple(_fact_tables(capacity)),
        notes=(("Note", capacity.note),) if capacity.note else (),
    )


def _tiles(capacity: Capacity) -> Iterator[Tile]:
    called = server_names(capacity)
    estimates = [
        (server, name, estimate)
        for server, name in enumerate(called)
        if (estimate := capacity.final_estimate(server)) is not None
        and estimate.low
        and estimate.high
    ]
    loads = [
        Line(
            None,
            load_text(estimate.value, capacity.config),
            (name, interval_text(estimate, capacity.config)),
        )
        for _, name, estimate in estimates
    ]
    if loads:
        yield Tile(f"Capacity, {capacity.config.unit}", tuple(loads), "more is better")
    costs = [(name, cost(capacity, server)) for server, name, _ in estimates]
    if prices := [Line(None, price.text, (name,)) for name, price in costs if price is not None]:
        yield Tile("Per million output tokens at capacity", tuple(prices), "less is better")


def _fact_tables(capacity: Capacity) -> Iterator[Table]:
    yield search_table(capacity.config)
    configs = [config_texts(config, SET_BY_PROBES) for config in capacity.config.servers]
    names = dict.fromkeys(name for config in configs for name in config)
    facts = [(name, *(config.get(name, NOTHING) for config in configs)) for name in names]
    yield Table("Configuration", ("", *server_names(capacity)), tuple(facts))


def search_table(search: CapacitySearch) -> Table:
    """Return a table of the search's settings."""
    known, values = about.fields(type(search)), search.model_dump(mode="json", exclude={"servers"})
    rows = [(known[name].label, fact_text(value)) for name, value in values.items()]
    return Table("Search", ("", "Setting"), tuple(rows))
