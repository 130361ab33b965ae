"""The result of a capacity search in sentences: how much a server sustains, how certain that is,
and whether another server sustains more."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.analysis.capacity import (
    FEW,
    QUEUE,
    CapacityRatio,
    Conclusion,
    Estimate,
    RatioBound,
    Recovery,
    label_of,
)
from services.ask.plan import duration
from services.base.units import dollars, letter, many, significant
from services.studies.capacity import Capacity
from services.studies.capacity_config import CapacityConfig, CapacitySearch

PROBE = 1.25  # windows that a probe takes, including the warm-up before it
WORDS = {
    "more": "{other} sustains {ratio} the load of {first}",
    "less": "{other} sustains {ratio} the load of {first}",
    "equivalent": "{other} and {first} sustain the same load within ±{margin} %: {ratio}",
    "inconclusive": "Inconclusive: {other} sustains {ratio} the load of {first}",
}


def headline(capacity: Capacity, server: int, name: str) -> str:
    """Return the result for one server, as a sentence."""
    step = capacity.next_step(server)
    objective = label_of(capacity.config.parsed_objectives)
    if not isinstance(step, Conclusion):
        return _so_far(capacity, server, name)
    if step.estimate is not None and step.estimate.low and step.estimate.high:
        return f"{name} sustains {with_interval(step.estimate, capacity.config)} at {objective}."
    return f"{name} {bounds_text(step, capacity.config)} at {objective}."


def short_answer(capacity: Capacity) -> str:
    """Return each server's capacity for a list: "34.9 requests/s (33.2–36.1)", or of several "A
    34.9 requests/s (33.2–36.1), B …"; "" as long as none is known."""
    each = [_short(capacity, server) for server in range(len(capacity.config.servers))]
    if len(each) == 1:
        return each[0]
    return ", ".join(f"{letter(i)} {text}" for i, text in enumerate(each) if text)


def _short(capacity: Capacity, server: int) -> str:
    step, config = capacity.next_step(server), capacity.config
    if isinstance(step, Conclusion):
        estimate, about, unknown = step.estimate, "", bounds_text(step, config)
    else:
        estimate, about, unknown = capacity.estimate_so_far(server), "about ", ""
    if estimate is None or not estimate.low or not estimate.high:
        return unknown
    if estimate.kind == "bracket":
        return with_interval(estimate, config)
    ends = f"{load_text(estimate.low, config)}–{load_text(estimate.high, config)}"
    return f"{about}{amount_text(estimate, config)} ({ends})"


def _so_far(capacity: Capacity, server: int, name: str) -> str:
    """Return the result of a search that goes on or was cut short: "The capacity of A is about 31.2
    requests/s (95 % interval 22.5–36.1) at TTFT p95 ≤ 500 ms so far, after 4 probes.", or that it
    is not known yet. A probe that was cut short is counted apart."""
    count = len(capacity.observations(server))
    probes = f"after {many(count, 'probe')}{_cut_short(capacity, server)}"
    found = capacity.estimate_so_far(server)
    if found is None or not found.low or not found.high:
        return f"The capacity of {name} is not known yet{f', {probes}' if count else ''}."
    objective = label_of(capacity.config.parsed_objectives)
    about = "" if found.kind == "bracket" else "about "
    level = f"{about}{with_interval(found, capacity.config)}"
    return f"The capacity of {name} is {level} at {objective} so far, {probes}."


def _cut_short(capacity: Capacity, server: int) -> str:
    """Return " and one cut short" if a probe of an ended search was not measured to its end, else
    ""."""
    begun = (probe for probe in capacity.probes if probe.server == server)
    cut = sum(probe.observation is None for probe in begun)
    if not cut or capacity.status == "running":
        return ""
    return f" and {'one' if cut == 1 else cut} cut short"


def with_interval(found: Estimate, config: CapacityConfig) -> str:
    """Return a capacity with its interval: "34.9 requests/s (95 % interval 33.2–36.1)"."""
    assert found.low is not None and found.high is not None
    if found.kind == "bracket":
        return f"{interval_text(found, config)} {config.unit}"
    return f"{load_text(found.value, config)} {config.unit} ({interval_text(found, config)})"


def amount_text(found: Estimate, config: CapacityConfig) -> str:
    """Return a capacity without its interval: "34.9 requests/s"; for a bracket, its two ends."""
    if found.kind == "bracket" and found.low is not None and found.high is not None:
        ends = f"{load_text(found.low, config)}–{load_text(found.high, config)}"
        return f"{ends} {config.unit}"
    return with_unit(found.value, config)


def confidence_text(found: Estimate, config: CapacityConfig) -> str:
    """Return the uncertainty of a capacity, in words."""
    if found.kind == "bracket":
        return "Sustained at the first, missed at the second"
    return interval_text(found, config)


def interval_text(found: Estimate, config: CapacityConfig) -> str:
    """Return the uncertainty of a capacity: "95 % interval 33.2–36.1", or "between 30
    and 33"."""
    assert found.low is not None and found.high is not None
    low, high = load_text(found.low, config), load_text(found.high, config)
    return f"between {low} and {high}" if found.kind == "bracket" else f"95 % interval {low}–{high}"


def load_text(load: float, config: CapacityConfig) -> str:
    """Return a load as text: users as a whole number, see `whole_users`."""
    return f"{whole_users(load):,}" if config.load == "users" else significant(load)


def whole_users(load: float) -> int:
    """Return the most users that a load allows: with a capacity of 12.7, 12 users are sustained and
    13 are not."""
    return math.floor(load + 1e-9)


def with_unit(load: float, config: CapacityConfig) -> str:
    """Return a load with its unit: "1 user", "34.9 requests/s"."""
    if config.load == "users":
        return many(whole_users(load), "user")
    return f"{load_text(load, config)} {config.unit}"


def bounds_text(step: Conclusion, config: CapacityConfig) -> str:
    """The known bounds, if there is no interval; "probably" if chance alone may explain them."""
    sustains = "sustains" if step.shown else "probably sustains"
    if step.why == "lowest" and step.at_most is not None:
        return f"{sustains} less than {with_unit(step.at_most, config)}, the lowest load"
    if step.why == "highest" and step.at_least is not None:
        load = with_unit(step.at_least, config)
        return f"{sustains} at least {load}, the highest load of the search"
    if step.why == "client" and step.at_most is None:
        if step.at_least is None:
            lowest = with_unit(config.search.lowest, config)
            return f"has no known capacity, because this client cannot offer {lowest}"
        return (
            f"{sustains} at least {with_unit(step.at_least, config)}; this client cannot offer "
            "more, so the capacity may be higher"
        )
    bounds = [
        (word, load)
        for word, load in (("at least", step.at_least), ("less than", step.at_most))
        if load is not None
    ]
    if not bounds:
        return "has an unknown capacity"
    *others, (word, last) = bounds
    parts = [f"{word} {load_text(load, config)}" for word, load in others]
    return f"{sustains} {' and '.join([*parts, f'{word} {with_unit(last, config)}'])}"


def why_ended(step: Conclusion, config: CapacityConfig) -> str:
    """Return why a search ended, and what limits its result."""
    stuck = step.why == "client" and step.at_most is not None
    text = (STUCK if stuck else REASONS[step.why]).format(
        precision=f"{100 * config.precision:g}", probes=many(config.probes, "probe")
    )
    if step.estimate is None:
        return text
    binding = step.estimate.binding
    if binding == QUEUE:
        return f"{text} Beyond it, the queue grows."
    (first,) = (
        objective.label for objective in config.parsed_objectives if objective.text == binding
    )
    text += f" The first objective to be missed: {first}."
    return text if step.estimate.settled else f"{text} {UNSETTLED}"


def after_overload(repeat: Recovery | None, config: CapacityConfig) -> str | None:
    """Return the result of repeating a lower load after an overload; None if that was not
    measured."""
    if repeat is None or repeat.after is None:
        return None
    load, over = (with_unit(each, config) for each in (repeat.load, repeat.overload.load))
    if not repeat.stays_slow and not repeat.met:
        return (
            f"After {over} it was not shown to sustain {load} again, although it did before. "
            "This may be chance: longer windows would tell whether it stays slow."
        )
    if not repeat.stays_slow:
        known = repeat.before.typical_s and repeat.after.typical_s  # medians with their intervals
        fast = ", about as fast as before" if known else ""
        return f"It recovers: after {over} it sustained {load} again{fast}."
    what = f"it sustained {load} before {over}, but not afterwards"
    if repeat.slower is not None and not repeat.missed:
        what = f"after {over}, answers at {load} take {significant(repeat.slower, 2)} times as long"
    return (
        f"It stays slow after an overload: {what}. The number is what it sustains after an "
        "overload; a fresh start may sustain more. To measure that, restart it and search below "
        f"{load_text(repeat.overload.load, config)}."
    )


def comparison(
    ratio: CapacityRatio,
    other: str,
    first: str,
    config: CapacityConfig,
    usd: tuple[float, float] | None = None,
) -> str:
    """Return a verdict, in words first: "B sustains 1.31× (95 % interval 1.24–1.38) the load of A
    at TTFT p95 ≤ 500 ms, for $0.42 against $0.55 per million output tokens.".
    `usd`: the costs of the other and of the first, if both are known."""
    low, high = significant(ratio.low), significant(ratio.high)
    text = WORDS[ratio.word].format(
        other=other,
        first=first,
        ratio=f"{significant(ratio.value)}× (95 % interval {low}–{high})",
        margin=f"{100 * config.margin:g}",
    )
    prices = f", for {' against '.join(map(dollars, usd))} per million output tokens" if usd else ""
    sentence = f"{text} at {label_of(config.parsed_objectives)}{prices}."
    if ratio.longer is not None and ratio.longer < 100:
        sentence += f" About {significant(ratio.longer, 2)} times as long a search would settle it."
    return sentence


def bounded_comparison(bound: RatioBound, other: str, first: str, config: CapacityConfig) -> str:
    """Return a verdict without a ratio: "B sustains at least 2.1× the load of A at …"."""
    how = {"more": "at least", "less": "at most"}[bound.word]
    objectives = label_of(config.parsed_objectives)
    times = f"{how} {significant(bound.value)}×"
    return f"{other} sustains {times} the load of {first} at {objectives}."


def plan(config: CapacityConfig) -> str:
    """Return how long a search takes, at most and usually, as text."""
    usual_s, most_s = (each * len(config.servers) for each in search_seconds(config))
    rate, where, more = FEW / config.window_s, "near the capacity", ""
    if config.load == "rate" and config.lowest < rate:
        where, more = f"{where} and below {with_unit(rate, config)}", " (more at such low rates)"
    of_each = " of each server" * (len(config.servers) > 1)
    return (
        f"Up to {many(config.probes, 'probe')}{of_each}, each a run of "
        f"{duration(PROBE * config.window_s)}, or up to five times as long {where}: "
        f"usually about {duration(usual_s)}{more}, at most {duration(most_s)}."
    )


def search_seconds(search: CapacitySearch) -> tuple[float, float]:
    """Return how long the search for one server's capacity takes, usually and at most, in
    seconds."""
    probe_s = PROBE * search.window_s
    return probe_s * 1.8 * 0.8 * search.probes, probe_s * 5 * search.probes


def server_labels(labels: Sequence[str]) -> list[str]:
    """Return the names of servers for sentences: the label of a single one, else "A (label)"."""
    if len(labels) == 1:
        return [labels[0]]
    return [f"{letter(index)} ({label})" for index, label in enumerate(labels)]


UNSETTLED = (
    "Near it, the queue takes longer to settle than one window, so the lower end follows from the "
    "most that the server completes."
)
STUCK = (
    "The search ended before the interval was within ±{precision} % of its middle, since this "
    "client could no longer offer the loads that it needs: close other programs on this machine "
    "and search again."
)
REASONS = {
    "precise": "The interval is within ±{precision} % of its middle, the precision that was set.",
    "most": (
        "All {probes} were used before the interval was within ±{precision} % of its middle: more "
        "probes or longer windows would narrow it."
    ),
    "highest": "No objective was missed up to the highest load.",
    "lowest": "Even the lowest load is not sustained.",
    "client": "The limit is this client, not the server.",
    "steps": "There is no number of users between those that were measured.",
}
