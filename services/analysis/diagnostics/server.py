"""Diagnostics of the server, from metrics sampled while requests were measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.samples import during, gpus, increase, mean, values
from services.analysis.summary import Summary
from services.ask import modes
from services.ask.measurement import Run, Sample
from services.ask.workloads import uses_prefix_cache
from services.base import units

SLOWED_DOWN = "Other programs slowed the engine down"
UNEVEN_SHARE = 0.1  # allowed difference between the engine's GPUs, of the highest value
IN_USE_SHARE = 0.05  # of a GPU's memory; with less in use, the engine does not use this GPU
CACHED_SHARE = 0.05  # of the prompt tokens
WAITED_SHARE = 0.2  # of the time in which the engine could have computed
MIN_OTHER_CORES = 0.5  # used by other programs; with less, engine threads waited for each other
MIN_ENGINE_CORES = 0.1  # used or waited for; with less, the engine had no work
BUSY_SHARE = 0.9  # of the machine's cores
ENGINE_SHARE = 0.5  # of the busy cores; with less, the engine had to share them
MIN_SAMPLES = 5  # of instantaneous values, which are noisy
MIN_COUNTER_SAMPLES = 2  # of counters, which miss nothing between samples
LATEST = 10  # samples, one per second, that are used while a run is measured

Check = Callable[[Run, Sequence[Sample], Summary], Diagnostic | None]


def diagnostics(
    run: Run, samples: Sequence[Sample], summary: Summary, cache_known: bool = False
) -> list[Diagnostic]:
    """Return the diagnostics of a run. `cache_known`: the answers report cached tokens, so the
    server's count is not needed."""
    measured = during(run, samples)
    checks = [check for check in CHECKS if not (cache_known and check is _prefix_cache_hits)]
    results = (check(run, measured, summary) for check in checks)
    return [diagnostic for diagnostic in results if diagnostic is not None]


def so_far(run: Run, samples: Sequence[Sample]) -> list[Diagnostic]:
    """Return the diagnostics of a run that is being measured, from its latest samples."""
    diagnostic = _cpu_contention(run, during(run, samples)[-LATEST:])
    return [] if diagnostic is None else [diagnostic]


def _uneven_gpus(run: Run, measured: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    """A parallel engine waits for its slowest GPU, so it should load all of them evenly."""
    memory = {i: mean(measured, f"gpu{i}_memory_bytes") for i in gpus(measured)}
    total = {i: mean(measured, f"gpu{i}_memory_total_bytes") for i in memory}
    engine_gpus = [
        i for i, used in memory.items() if used and used > IN_USE_SHARE * (total[i] or 0.0)
    ]
    count = len(engine_gpus)
    if count < 2 or len(measured) < MIN_SAMPLES or count > _ranks(run, count):
        return None
    parts = [
        text
        for what, ending, unit in (
            ("memory in use", "memory_bytes", "bytes"),
            ("use", "use_share", "share"),
        )
        if (text := _unevenness(measured, engine_gpus, what, ending, unit))
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
    """The number of GPUs that the engine reports, or `otherwise`. If more are in use, some are used
    by other programs."""
    parallel = [run.environment.get(f"{kind}_parallel") for kind in ("tensor", "pipeline", "data")]
    sizes = [size for size in parallel if isinstance(size, int)]
    ranks = 1
    for size in sizes:
        ranks *= size
    return ranks if sizes else otherwise


def _unevenness(
    measured: Sequence[Sample], devices: Sequence[int], what: str, ending: str, unit: str
) -> str:
    """A phrase for how much the GPUs differ; "" if they differ little."""
    means = {i: mean(measured, f"gpu{i}_{ending}") for i in devices}
    known_means = {i: value for i, value in means.items() if value is not None}
    low, high = (pick(known_means, key=lambda i: known_means[i], default=-1) for pick in (min, max))
    if (
        len(known_means) < 2
        or known_means[high] - known_means[low] <= UNEVEN_SHARE * known_means[high]
    ):
        return ""
    return (
        f"{what[0].upper()}{what[1:]}: {units.show(known_means[low], unit)} on GPU {low}, "
        f"{units.show(known_means[high], unit)} on GPU {high}, on average"
    )


def _preemptions(run: Run, measured: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    count = increase(measured, "preemptions")
    if not count:
        return None
    return Diagnostic(
        "warning",
        f"The server preempted requests ({units.many(count, 'time')})",
        "Its KV cache was full, so it interrupted running requests and resumed them later; their "
        "latency includes that. Give the KV cache more memory, or send fewer or shorter requests "
        "at once.",
    )


def _queueing(run: Run, measured: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    """Only with a limit on concurrency; without one, queueing is what the run measures."""
    waiting = values(measured, "waiting")
    limit = modes.in_flight_limit(run.config)
    if limit is None or len(waiting) < MIN_SAMPLES or not median(waiting):
        return None
    return Diagnostic(
        "note",
        "Requests waited in the server's queue",
        f"Up to {units.count(max(waiting))} of the {limit:,} requests in flight had not started: "
        "the server processes fewer requests at once than were sent, and TTFT includes the wait. "
        "Raise the server's limit on concurrent requests, or compare at a lower concurrency.",
    )


def _other_traffic(run: Run, measured: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    in_flight = [
        s.values["running"] + s.values.get("waiting", 0.0)
        for s in measured
        if "running" in s.values
    ]
    own_peak = summary.peak_in_flight
    if not own_peak or len(in_flight) < MIN_SAMPLES or median(in_flight) <= own_peak:
        return None
    return Diagnostic(
        "warning",
        "The server had other traffic",
        f"It processed {units.count(median(in_flight))} requests at once (median), but this run "
        f"had at most {own_peak:,} in flight. Measure again when the server is idle.",
    )


def _prefix_cache_hits(run: Run, measured: Sequence[Sample], summary: Summary) -> Diagnostic | None:
    shares = values(measured, "prefix_hit_share")
    if not shares or shares[-1] <= CACHED_SHARE or uses_prefix_cache(run.config):
        return None
    return Diagnostic(
        "warning",
        f"The server found {units.share(shares[-1])} of the prompt tokens in its prefix cache",
        "Each prompt begins with a unique nonce, so little should be cached: TTFT may be shorter "
        "than for new prompts. With short prompts this can be the fixed beginning of the "
        "chat template; or another client sends this server the same prompts repeatedly.",
    )


def _cpu_contention(
    run: Run, measured: Sequence[Sample], summary: Summary | None = None
) -> Diagnostic | None:
    """Check whether an engine on this machine waited for cores that other programs used."""
    samples = [s for s in measured if {"engine_cores", "machine_cores"} <= s.values.keys()]
    if len(samples) < MIN_COUNTER_SAMPLES:
        return None
    engine_cores = fmean(values(samples, "engine_cores"))
    machine_cores = fmean(values(samples, "machine_cores"))
    waiting_cores = mean(samples, "engine_waiting_cores")
    if waiting_cores is None:
        enough = len(samples) >= MIN_SAMPLES
        return _probable_cpu_contention(run, engine_cores, machine_cores) if enough else None
    wanted_cores, other_cores = engine_cores + waiting_cores, machine_cores - engine_cores
    if wanted_cores < MIN_ENGINE_CORES or other_cores < MIN_OTHER_CORES:
        return None
    waited_share = waiting_cores / wanted_cores
    if waited_share < WAITED_SHARE:
        return None
    return _slowed_down(
        f"The engine waited for a core {units.share(waited_share)} of the time it could have "
        f"computed: other programs used {units.significant(other_cores)} cores on average."
    )


def _probable_cpu_contention(
    run: Run, engine_cores: float, machine_cores: float
) -> Diagnostic | None:
    """`_cpu_contention` where the system does not report waiting times: the machine was busy, and
    the embedded engine, which would use every core, got only a few. Only for the embedded engine:
    other servers may not have needed more."""
    cores = run.environment.get("cores")
    if run.config.backend != "embedded" or not isinstance(cores, int):
        return None
    if machine_cores < BUSY_SHARE * cores or engine_cores >= ENGINE_SHARE * machine_cores:
        return None
    return _slowed_down(
        f"The engine had {units.significant(engine_cores)} of {units.significant(machine_cores)} "
        "busy cores on average."
    )


def _slowed_down(evidence: str) -> Diagnostic:
    return Diagnostic(
        "warning",
        SLOWED_DOWN,
        f"The engine was measured at a fraction of its speed. {evidence} Close other programs on "
        "this machine, and measure again.",
    )


CHECKS: tuple[Check, ...] = (
    _cpu_contention,
    _other_traffic,
    _uneven_gpus,
    _preemptions,
    _prefix_cache_hits,
    _queueing,
)
