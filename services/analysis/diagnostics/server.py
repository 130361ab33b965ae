"""Reasons to doubt a run that lie with the server, as it was seen from outside the client while
requests were measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.samples import during, gpus, grown, mean, values
from services.analysis.summary import Summary
from services.ask import modes
from services.ask.measurement import Run, Sample
from services.base import units

UNEVEN = 0.1  # of the highest: how far the engine's GPUs may lie apart
HELD = 0.05  # of its memory: a GPU that holds less is not the engine's
CACHED_SHARE = 0.05  # of the prompt tokens
WAITED_SHARE = 0.2  # of the time in which an engine could have computed
OTHERS_CORES = 0.5  # used by others: with less, its own threads waited for each other
LEAST_CORES = 0.1  # wanted by an engine that has something to do
CROWDED = 0.9  # of the machine's cores
STARVED = 0.5  # of the busy cores: a server that has fewer of them had to share
FEWEST = 5  # samples, below which a moment may be chance
FEW = 2  # samples of what is counted without a gap
LATEST = 10  # samples, of one second each, by which a run is judged while it is measured

Check = Callable[[Run, Sequence[Sample], Summary], Diagnostic | None]


def diagnostics(
    run: Run, samples: Sequence[Sample], summary: Summary, cache_known: bool = False
) -> list[Diagnostic]:
    """Return the reasons to doubt a run by what was sampled while requests were measured;
    `cache_known`: the answers themselves say what came from a cache."""
    seen = during(run, samples)
    checks = [check for check in CHECKS if not (cache_known and check is _cached)]
    results = (check(run, seen, summary) for check in checks)
    return [diagnostic for diagnostic in results if diagnostic is not None]


def so_far(run: Run, samples: Sequence[Sample]) -> list[Diagnostic]:
    """Return the reasons to doubt a run that show while it is measured, by its latest samples."""
    diagnostic = _crowded(run, during(run, samples)[-LATEST:])
    return [] if diagnostic is None else [diagnostic]


def _uneven(run: Run, seen: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    """An engine that is parallel loads its GPUs alike; one that does not waits for the slowest."""
    memory = {i: mean(seen, f"gpu{i}_memory_bytes") for i in gpus(seen)}
    total = {i: mean(seen, f"gpu{i}_memory_total_bytes") for i in memory}
    theirs = [i for i, used in memory.items() if used and used > HELD * (total[i] or 0.0)]
    if len(theirs) < 2 or len(seen) < FEWEST or len(theirs) > _ranks(run, len(theirs)):
        return None
    parts = [
        text
        for what, ending, unit in (
            ("memory in use", "memory_bytes", "bytes"),
            ("use", "use_share", "share"),
        )
        if (text := _apart(seen, theirs, what, ending, unit))
    ]
    if not parts:
        return None
    return Diagnostic(
        "warning",
        "The GPUs are unevenly loaded",
        f"{'; '.join(parts)}. The slowest GPU holds the others back. Check whether another program "
        "uses one of them, and whether the engine splits the model evenly.",
    )


def _ranks(run: Run, otherwise: int) -> int:
    """How many GPUs the engine says it is on, where it does: more than those are not all its."""
    parallel = [run.environment.get(f"{kind}_parallel") for kind in ("tensor", "pipeline", "data")]
    sizes = [size for size in parallel if isinstance(size, int)]
    ranks = 1
    for size in sizes:
        ranks *= size
    return ranks if sizes else otherwise


def _apart(
    seen: Sequence[Sample], devices: Sequence[int], what: str, ending: str, unit: str
) -> str:
    """Say how far the GPUs lie apart, where that is too far."""
    means = {i: mean(seen, f"gpu{i}_{ending}") for i in devices}
    known = {i: value for i, value in means.items() if value is not None}
    low, high = (pick(known, key=lambda i: known[i], default=-1) for pick in (min, max))
    if len(known) < 2 or known[high] - known[low] <= UNEVEN * known[high]:
        return ""
    return (
        f"{what[0].upper()}{what[1:]}: {units.show(known[low], unit)} on GPU {low}, "
        f"{units.show(known[high], unit)} on GPU {high}, on average"
    )


def _preempted(run: Run, seen: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    count = grown(seen, "preemptions")
    if not count:
        return None
    return Diagnostic(
        "warning",
        f"The server preempted requests ({units.many(count, 'time')})",
        "Its KV cache was full, so it interrupted running requests and resumed them later; their "
        "latency includes that. Give the KV cache more memory, or send fewer or shorter requests "
        "at once.",
    )


def _queued(run: Run, seen: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    """Only where so many at once were asked for: without a limit, waiting is what is measured."""
    waiting = values(seen, "waiting")
    limit = modes.schedule(run.config).in_flight
    if limit is None or len(waiting) < FEWEST or not median(waiting):
        return None
    return Diagnostic(
        "note",
        "Requests waited in the server's queue",
        f"Up to {units.count(max(waiting))} of the {limit:,} requests in flight had not started: "
        "the server processes fewer at once than were sent, and TTFT includes the wait. Raise the "
        "server's limit on concurrent requests, or compare at a lower concurrency.",
    )


def _others(run: Run, seen: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    there = [
        s.values["running"] + s.values.get("waiting", 0.0) for s in seen if "running" in s.values
    ]
    most = summary.peak_in_flight
    if not most or len(there) < FEWEST or median(there) <= most:
        return None
    return Diagnostic(
        "warning",
        "The server had other traffic",
        f"It processed {units.count(median(there))} requests at once (median), but this run had at "
        f"most {most:,} in flight. Measure again when the server is idle.",
    )


def _cached(run: Run, seen: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    shares = values(seen, "prefix_hit_share")
    if not shares or shares[-1] <= CACHED_SHARE or not run.config.unique_prompts:
        return None
    return Diagnostic(
        "warning",
        f"The server found {units.share(shares[-1])} of the prompt tokens in its prefix cache",
        "Each prompt begins with a unique nonce, so little should be cached: TTFT may be shorter "
        "than for new prompts. With short prompts this can be the fixed beginning of the "
        "chat template; or another client sends this server the same prompts repeatedly.",
    )


def _crowded(run: Run, seen: Sequence[Sample], summary: Summary | None = None) -> Diagnostic | None:
    """An engine on this machine that could have run and had no core, because others had it."""
    both = [
        (s.values["engine_cores"], s.values["machine_cores"], s.values.get("engine_waiting_cores"))
        for s in seen
        if {"engine_cores", "machine_cores"} <= s.values.keys()
    ]
    if len(both) < FEW:
        return None
    engine, machine = (fmean(values) for values in list(zip(*both, strict=True))[:2])
    waited = [cores for _, _, cores in both if cores is not None]
    others = machine - engine
    if not waited:
        return _crowded_by_guess(run, engine, machine) if len(both) >= FEWEST else None
    share = fmean(waited) / (engine + fmean(waited) or 1.0)
    if engine + fmean(waited) < LEAST_CORES or others < OTHERS_CORES or share < WAITED_SHARE:
        return None
    return _busy_machine(
        f"The engine waited for a core {units.share(share)} of the time it could have computed: "
        f"other programs used {units.significant(others)} cores on average."
    )


def _crowded_by_guess(run: Run, engine: float, machine: float) -> Diagnostic | None:
    """Where the system does not say who waited: the embedded engine would have used more cores.
    Of another server nobody knows how many it would have used."""
    cores = run.environment.get("cores")
    if run.config.backend != "embedded" or not isinstance(cores, int):
        return None
    if machine < CROWDED * cores or engine >= STARVED * machine:
        return None
    return _busy_machine(
        f"The engine had {units.significant(engine)} of {units.significant(machine)} busy cores on "
        "average."
    )


def _busy_machine(what: str) -> Diagnostic:
    return Diagnostic(
        "warning",
        "Other programs slowed the engine down",
        f"{what} The engine was measured at a fraction of its speed. Close other programs on this "
        "machine, and measure again.",
    )


CHECKS: tuple[Check, ...] = (_crowded, _others, _uneven, _preempted, _cached, _queued)
