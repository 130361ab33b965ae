"""Checks of whether runs are comparable: same work, under the same conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.analysis.compare import same_work
from services.analysis.compare.candidate import Candidate, labels_of
from services.analysis.compare.differences import environment_facts
from services.analysis.compare.same_work import by_name, unequal
from services.analysis.compare.verdicts import errors_differ
from services.analysis.diagnostics import client, sending
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.diagnostics.whole_run import CACHED_SHARE
from services.analysis.summary.cached import cached_share
from services.analysis.summary.repeats import successes
from services.analysis.turns import first_turns
from services.ask import modes
from services.ask.measurement import ACTIVE, Run
from services.ask.modes import client_wait
from services.ask.planned_hits import planned_hits
from services.base import units

MACHINE = ("system", "cpu", "cores", "gpu")

Check = Callable[[Sequence[Candidate]], Diagnostic | None]


def warnings(candidates: Sequence[Candidate]) -> tuple[Diagnostic, ...]:
    """Return the reasons why these runs may not be comparable, warnings first."""
    diagnostics = [diagnostic for check in CHECKS if (diagnostic := check(candidates)) is not None]
    return tuple(sorted(diagnostics, key=lambda diagnostic: diagnostic.level != "warning"))


def _unfinished(candidates: Sequence[Candidate]) -> Diagnostic | None:
    numbered = zip(labels_of(candidates), [c.run for c in candidates], strict=True)
    unfinished = {number: run for number, run in numbered if run.status != "done"}
    if not unfinished:
        return None
    ended = by_name({number: _status_text(run) for number, run in unfinished.items()})
    todo = (
        "An incomplete repeat is not comparable with a complete one: run it again before relying on"
    )
    if all(run.status in ACTIVE for run in unfinished.values()):
        todo = "More repeats will follow and change the ratios: wait before relying on"
    return Diagnostic(
        "warning",
        "Not every run finished",
        f"{ended}. {todo} the ratios.",
    )


def _status_text(run: Run) -> str:
    why = (run.error or "").rstrip(".")
    return f"{run.status} ({why})" if why else run.status


def _cached_prompts(candidates: Sequence[Candidate]) -> Diagnostic | None:
    plans = [planned_hits(c.run.config) for c in candidates]
    if all(plan and not plan.history for plan in plans):  # else each has its own warning
        return None
    good = [first_turns(successes(c.measurements), c.run.config) for c in candidates]
    shares = [cached_share(each) for each in good]
    known = [share for share in shares if share is not None]
    if not known or max(known) <= CACHED_SHARE:
        return None
    numbered = zip(labels_of(candidates), shares, strict=True)
    texts = {
        number: "unknown" if share is None else units.share(share) for number, share in numbered
    }
    return Diagnostic(
        "warning",
        "Prompts came from a cache",
        f"Share of the prompt tokens: {by_name(texts)}. A server skips prompt tokens that it has "
        "cached, so TTFT is shorter. Use unique prompts, and the same cache settings.",
    )


def _error_rates_differ(candidates: Sequence[Candidate]) -> Diagnostic | None:
    if not any(errors_differ(candidates[0], other) for other in candidates[1:]):
        return None
    rates = [c.summary.error_rate for c in candidates]
    shown = ["not known" if rate is None else units.share(rate) for rate in rates]
    by_run = by_name(dict(zip(labels_of(candidates), shown, strict=True)))
    return Diagnostic(
        "warning",
        "Different error rates",
        f"{by_run}. Only successful requests "
        "have latencies, and those that failed may have been the slow ones: there is no verdict if "
        "the rates differ by more than one percentage point. Fix the failures first.",
    )


def _machines_differ(candidates: Sequence[Candidate]) -> Diagnostic | None:
    machines = [environment_facts(c.run.environment) for c in candidates]
    known = [
        {name: value for name, value in facts.items() if any(part in name for part in MACHINE)}
        for facts in machines
    ]
    known_machines = [facts for facts in known if facts]
    if all(facts == known_machines[0] for facts in known_machines):
        return None
    return Diagnostic(
        "warning",
        "Different machines",
        "The runs were measured on different machines (see what differs), which affects this "
        "client and any server on them. Measure all runs on one machine.",
    )


def _client_of(candidate: Candidate) -> str:
    if candidate.run.source is not None:
        return str(candidate.run.source.get("tool"))
    return "LiteLLM" if candidate.run.config.via_litellm else "Paceline"


def _client(candidates: Sequence[Candidate]) -> Diagnostic | None:
    return unequal(
        candidates,
        _client_of,
        "Measured by different clients",
        "Each client adds its own overhead to the times it measures, and tools define metrics of "
        "the same name differently. Measure all runs with the same client.",
    )


def _client_health(candidates: Sequence[Candidate]) -> Diagnostic | None:
    past = {}
    for name, c in zip(labels_of(candidates), candidates, strict=True):
        diagnostics = client.past_limits(c.run, c.measurements, c.summary)
        apart = (sending.RATE_MISSED, client.TOGETHER)  # each has its own warning
        titles = [diagnostic.title for diagnostic in diagnostics if diagnostic.title not in apart]
        if titles:
            past[name] = "; ".join(titles)
    if not past:
        return None
    return Diagnostic(
        "warning",
        "A client exceeded its limits",
        f"{by_name(past)}. The difference may come from the client, not the server: see that run's "
        "result for what to do, then measure it again.",
    )


def _chunks_together(candidates: Sequence[Candidate]) -> Diagnostic | None:
    shares = {}
    for name, c in zip(labels_of(candidates), candidates, strict=True):
        diagnostics = client.past_limits(c.run, c.measurements, c.summary)
        if any(diagnostic.title == client.TOGETHER for diagnostic in diagnostics):
            shares[name] = units.share(client.together_share(c.measurements) or 0.0)
    if not shares:
        return None
    return Diagnostic(
        "warning",
        client.TOGETHER,
        f"Share of all chunks: {by_name(shares)}. {client.TOGETHER_MEANS}",
    )


def _rate_missed(candidates: Sequence[Candidate]) -> Diagnostic | None:
    gaps = {}
    for name, c in zip(labels_of(candidates), candidates, strict=True):
        wanted, achieved = sending.intervals_s(c.measurements) or (0.0, 0.0)
        diagnostics = client.past_limits(c.run, c.measurements, c.summary)
        if any(diagnostic.title == sending.RATE_MISSED for diagnostic in diagnostics):
            gaps[name] = f"{units.seconds(achieved)} instead of {units.seconds(wanted)}"
    if not gaps:
        return None
    return Diagnostic(
        "warning",
        "The requested rate was not reached",
        f"Interval between requests: {by_name(gaps)}. The server got less load than configured, "
        "and less than in runs that reached their rate: measure again on an idle machine.",
    )


def _loads_differ(candidates: Sequence[Candidate]) -> Diagnostic | None:
    loads = [modes.load(c.run.config) for c in candidates if c.run.knows("mode")]
    if all(load == loads[0] for load in loads):
        return None
    sent = by_name(
        {
            number: f"{c.run.config.mode}, {modes.amount(c.run.config)}"
            for number, c in zip(labels_of(candidates), candidates, strict=True)
            if c.run.knows("mode")
        }
    )
    waits = {
        number: client_wait(c.run.config) or "none"
        for number, c in zip(labels_of(candidates), candidates, strict=True)
    }
    counted = len(set(waits.values())) > 1
    waiting_note = (
        f" Throughput and requests/s include the client's own waiting ({by_name(waits)}): compare "
        "the speed of each request."
    )
    return Diagnostic(
        "warning" if counted else "note",
        "Different load",
        f"The runs sent this: {sent}. The ratios reflect the load, too: more requests at once give "
        f"higher throughput and longer latencies.{waiting_note if counted else ''}",
    )


def _objectives_differ(candidates: Sequence[Candidate]) -> Diagnostic | None:
    attainments = [c.summary.attainment for c in candidates]
    limits = [attainment.objectives.label if attainment else None for attainment in attainments]
    if len(set(limits)) < 2:
        return None
    texts = dict(zip(labels_of(candidates), (limit or "none" for limit in limits), strict=True))
    return Diagnostic(
        "warning",
        "Different objectives",
        f"{by_name(texts)}. Goodput and SLO attainment are measured against different limits: set "
        "the same limits for all runs under Objectives and price.",
    )


CHECKS: tuple[Check, ...] = (
    _unfinished,
    *same_work.CHECKS,
    _cached_prompts,
    _error_rates_differ,
    _machines_differ,
    _client,
    _client_health,
    _chunks_together,
    _rate_missed,
    _loads_differ,
    _objectives_differ,
)
