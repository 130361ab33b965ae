"""A capacity search as plain data, as text, and as tables for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.analysis.capacity import (
    QUEUE,
    CapacityRatio,
    Conclusion,
    Estimate,
    Objective,
    RatioBound,
    Recovery,
    sustained,
)
from services.analysis.compare.labels import labels_of_configs
from services.ask.config import RunConfig
from services.ask.own_prompts import without_prompts
from services.base.units import letter, listed, seconds, share, significant
from services.report.terminal import table
from services.studies.capacity import Capacity
from services.studies.capacity_curve import curve_sentences, knee, operating_points
from services.studies.capacity_price import Cost, cost
from services.studies.capacity_probe import Probe
from services.studies.capacity_wording import (
    after_overload,
    bounded_comparison,
    comparison,
    headline,
    load_text,
    server_labels,
    why_ended,
)


def server_names(capacity: Capacity) -> list[str]:
    """Return the names of the servers for sentences."""
    configs = capacity.config.servers
    differing = labels_of_configs(configs)
    return server_labels(
        [
            label or _server_document(config)
            for label, config in zip(differing, configs, strict=True)
        ]
    )


def _server_document(config: RunConfig) -> str:
    address = (config.base_url or config.backend).partition("://")[2] or config.backend
    return " · ".join(filter(None, (address.partition("/")[0], config.model)))


def sentences(capacity: Capacity) -> list[str]:
    """Return the findings of a search: a sentence for each comparison and each server."""
    return [*verdicts(capacity), *headlines(capacity)]


def verdicts(capacity: Capacity) -> list[str]:
    """Return a sentence on whether each other server sustains more than the first, if that is
    known."""
    called = server_names(capacity)
    costs = [cost(capacity, server) for server in range(len(called))]
    found: list[str] = []
    for ratio, bound, other, of_other in zip(
        capacity.ratios, capacity.ratio_bounds, called[1:], costs[1:], strict=True
    ):
        if ratio is not None:
            prices = _both_prices(of_other, costs[0])
            found.append(comparison(ratio, other, called[0], capacity.config, prices))
        elif bound is not None:
            found.append(bounded_comparison(bound, other, called[0], capacity.config))
    return found


def headlines(capacity: Capacity) -> list[str]:
    """Return a sentence on each server's capacity and, if it is known, its cost."""
    return [
        headline(capacity, server, name)
        + (f" That is {each}." if each and _has_interval(found) else "")
        for server, name in enumerate(server_names(capacity))
        for each, found in [(cost(capacity, server), capacity.final_estimate(server))]
    ]


def _has_interval(found: Estimate | None) -> bool:
    return found is not None and bool(found.low and found.high)


def _both_prices(other: Cost | None, first: Cost | None) -> tuple[float, float] | None:
    return (other.usd, first.usd) if other and first else None


def reasons(capacity: Capacity) -> list[str]:
    """Return why each server's search ended, if it has, and whether the server recovers from an
    overload. What is the same for several servers is one sentence: "A and B, each: …"."""
    several = len(capacity.config.servers) > 1
    servers: dict[str, list[str]] = {}
    for server in range(len(capacity.config.servers)):
        for text in _reasons(capacity, server):
            servers.setdefault(text, []).append(letter(server))
    return [
        f"{listed(names)}{', each' * (len(names) > 1)}: {text}" if several else text
        for text, names in servers.items()
    ]


def _reasons(capacity: Capacity, server: int) -> list[str]:
    ended = capacity.conclusions[server]
    after = after_overload(capacity.recovery(server), capacity.config)
    return [text for text in (ended and why_ended(ended, capacity.config), after) if text]


def rows(capacity: Capacity) -> list[list[str]]:
    """Return a row of text for each probe, in the order of measurement."""
    return [_row(capacity, probe) for probe in capacity.probes]


def titles(capacity: Capacity) -> list[str]:
    """Return the titles of `rows`."""
    objectives = [objective_title(objective) for objective in capacity.config.parsed_objectives]
    server = ["Server"] if len(capacity.config.servers) > 1 else []
    load = "Users" if capacity.config.load == "users" else "Requests/s"
    return [*server, load, "Completed/s", *objectives, "Sustained", "Window", "Run"]


def objective_title(objective: Objective) -> str:
    """Return the column title of an objective: "TTFT p95"."""
    return (
        objective.label.partition(" ≤")[0].capitalize()
        if objective.metric is None
        else (objective.label.partition(" ≤")[0])
    )


def _row(capacity: Capacity, probe: Probe) -> list[str]:
    observation = probe.observation
    server = [letter(probe.server)] if len(capacity.config.servers) > 1 else []
    load = load_text(probe.load, capacity.config)
    if observation is None:
        blank = ["–"] * (1 + len(capacity.config.parsed_objectives))
        outcome = sustained_text(capacity, probe)
        return [*server, load, *blank, outcome, seconds(probe.window_s), str(probe.run_id)]
    reached = [
        reached_text(value, objective)
        for value, objective in zip(
            observation.reached, capacity.config.parsed_objectives, strict=True
        )
    ]
    return [
        *server,
        load,
        significant(observation.served_per_s),
        *reached,
        sustained_text(capacity, probe),
        seconds(probe.window_s),
        str(probe.run_id),
    ]


def reached_text(value: float | None, objective: Objective) -> str:
    """Return the value that a probe reached for an objective, as text."""
    if value is None:
        return "failed"
    return share(value) if objective.metric is None else seconds(value)


def sustained_text(capacity: Capacity, probe: Probe) -> str:
    """Return whether a probe's load was sustained."""
    if probe.observation is None:
        return "being measured" if capacity.status == "running" else "cut short"
    if probe.observation.limited:
        return "client too slow"
    if probe.observation.growing:
        return "no, queue grows"
    return "yes" if sustained(probe.observation, capacity.config.parsed_objectives) else "no"


def curves(capacity: Capacity) -> list[str]:
    """Return at which load each server's throughput stops rising, and the reason for that."""
    several = len(capacity.config.servers) > 1
    return [
        f"{name}: {text}" if several else text
        for server, name in enumerate(server_names(capacity))
        for text in curve_sentences(capacity, server)
    ]


def capacity_text(capacity: Capacity) -> str:
    """Describe a search for a terminal."""
    text = "\n".join([*sentences(capacity), *reasons(capacity)])
    parts = [f"Capacity search {capacity.id} · {capacity.name}", text]
    if capacity.error:
        parts.append(capacity.error)
    if found := curves(capacity):
        parts.append("\n".join(found))
    if capacity.probes:
        parts.append(table(titles(capacity), rows(capacity)))
    return "\n\n".join(parts)


def capacity_document(capacity: Capacity) -> dict[str, Any]:
    """Return a search as JSON-ready data, without prompts. Loads are in `unit`."""
    config = capacity.config.model_dump(mode="json", exclude={"servers"})
    return {
        "id": capacity.id,
        "name": capacity.name,
        "note": capacity.note,
        "status": capacity.status,
        "error": capacity.error,
        "started_by": capacity.started_by,
        "created_at": capacity.created_at,
        "ended_at": capacity.ended_at,
        "unit": capacity.config.unit,
        "config": config | {"servers": list(map(without_prompts, capacity.config.servers))},
        "sentences": sentences(capacity),
        "servers": [
            _result_entry(name, conclusion, capacity.recovery(server))
            | {"usd_per_million_output": _cost(cost(capacity, server))}
            | _curve(capacity, server)
            for server, (name, conclusion) in enumerate(
                zip(server_names(capacity), capacity.conclusions, strict=True)
            )
        ],
        "ratios": [
            _ratio_entry(ratio, bound)
            for ratio, bound in zip(capacity.ratios, capacity.ratio_bounds, strict=True)
        ],
        "probes": [_probe(capacity, probe) for probe in capacity.probes],
        "page": f"/capacity?search={capacity.id}",
    }


def _ratio_entry(ratio: CapacityRatio | None, bound: RatioBound | None) -> dict[str, Any] | None:
    if ratio is not None:
        numbers = {"ratio": ratio.value, "low": ratio.low, "high": ratio.high}
        return {**numbers, "verdict": ratio.word}
    if bound is None:
        return None
    end = {"more": "low", "less": "high"}[bound.word]
    return {"ratio": None, "low": None, "high": None, end: bound.value, "verdict": bound.word}


def _result_entry(name: str, ended: Conclusion | None, repeat: Recovery | None) -> dict[str, Any]:
    estimate: Estimate | None = ended.estimate if ended else None
    return {
        "name": name,
        "ended": ended and ended.why,
        "capacity": estimate and estimate.value,
        "low": estimate and estimate.low,
        "high": estimate and estimate.high,
        "kind": estimate and estimate.kind,
        "binding": estimate and ("queue" if estimate.binding == QUEUE else estimate.binding),
        "at_least": ended and ended.at_least,
        "at_most": ended and ended.at_most,
        "beyond_chance": ended and ended.shown,  # at_least and at_most
        "stays_slow": repeat.stays_slow if repeat and repeat.after else None,
    }


def _cost(found: Cost | None) -> dict[str, float | None] | None:
    return None if found is None else {"value": found.usd, "low": found.low, "high": found.high}


def _curve(capacity: Capacity, server: int) -> dict[str, Any]:
    found = knee(operating_points(capacity, server), capacity.config.load == "users")
    return {
        "knee": found and found.load,
        "most_per_s": found and found.most_per_s,
        "curve": curve_sentences(capacity, server),
    }


def _probe(capacity: Capacity, probe: Probe) -> dict[str, Any]:
    observation = probe.observation
    objectives: Sequence[Objective] = capacity.config.parsed_objectives
    measured = observation and {
        "requests": observation.misses[0].n,
        "completed_per_s": observation.served_per_s,
        "objectives": [
            {"objective": objective.text, "missed": misses.count, "reached": reached}
            for objective, misses, reached in zip(
                objectives, observation.misses, observation.reached, strict=True
            )
        ],
        "queue_grows": observation.growing,
        "client_too_slow": observation.limited,
        "sustained": None if observation.limited else sustained(observation, objectives),
    }
    return {
        "server": probe.server,
        "load": probe.load,
        "window_s": probe.window_s,
        "run": probe.run_id,
        "measured": measured,
        "point": probe.point and asdict(probe.point),
    }
