"""An estimate of a run before it starts: requests, tokens, duration and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

from services.ask import lengths, modes, plan_of_sessions
from services.ask.answer_times import Pace, in_flight
from services.ask.config import MOST, RunConfig
from services.ask.modes import MODES, Schedule, schedule, simulate
from services.ask.plan_of_sessions import CHARACTERS_PER_TOKEN
from services.ask.planned_hits import planned_hits
from services.ask.prices import Hourly, Price
from services.ask.sessions import sessions_of
from services.ask.workloads import NONCE_TOKENS, WORKLOADS, parts, warmup_count
from services.base.units import many

CALIBRATED_ABOVE = 64  # requests in flight, unless the run says otherwise
CALIBRATION_S = 8.0  # about
MAX_DRAWN = 20_000  # requests whose times are computed one by one
UNKNOWN_AT_LOAD = " How many requests the warm-up at load adds is unknown."


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts include repeats and warm-up. Seconds and US dollars; None if unknown beforehand."""

    requests_total: int
    tokens_at_most: int  # of all answers
    prompt_tokens_about: int  # without what a chat template adds
    seconds_at_least: float | None
    seconds_about: float | None  # at the expected pace; it lies in `seconds_between`
    usd_at_most: float | None  # by estimated prompt lengths; for an hourly price, by time
    sentence: str
    hourly: bool = False  # the price is per hour, so there is no upper bound
    seconds_between: tuple[float, float] | None = None  # at the fastest and the slowest pace
    source: str = ""  # the source of the time, in words


def plan(config: RunConfig, price: Price | Hourly | None, pace: Pace | None = None) -> Plan:
    """Return the estimate for a config.

    `pace` is the expected speed of its requests; without it, only the schedule's own time is known,
    and none for a batch. All answers are assumed to have the maximum length.
    """
    each = _requests_expected(config, pace)
    if each is None:
        return _plan_without_pace(config)
    counted = config.model_copy(update={"duration_s": None, "requests": max(1, round(each))})
    total = counted.requests * config.repeats + warmup_count(config)
    output = sum(map(_output_tokens, parts(counted)))
    prompts = sum(map(_prompt_tokens, parts(counted)))
    warm = _requests_at_load(config, pace)
    share = 1 + config.repeats * (warm or 0) / total  # of the same lengths
    total, output, prompts = (round(number * share) for number in (total, output, prompts))
    at_least = config.repeats * _repeat_s(config, 0.0) or None
    about, between = None, None
    if pace is not None:
        together = in_flight(config, pace.usual)
        # A warm-up request is alone: as fast as the others or, if these share a fixed rate, faster.
        fast, about, slow = (
            _seconds(config, output / total / rate, times)
            for rate, times in (
                (pace.fast, together),
                (pace.usual, sqrt(together)),
                (pace.slow, 1),
            )
        )
        between = fast, slow
    usd = price.of(prompts, output, about) if price is not None and warm is not None else None
    hourly = isinstance(price, Hourly)
    what = f"Sends {_requests(config, counted)}{plan_of_sessions.how(config)}: at most "
    what += f"{many(output, 'output token')}, and about {many(prompts, 'prompt token')}."
    source = pace.source if pace else ""
    takes = _time_text(at_least, between, source, "there is no earlier run on this server")
    then = "; ".join(filter(None, [takes, _cost_text(usd, hourly)]))
    notes = f"{UNKNOWN_AT_LOAD * (warm is None)}{_extra_notes(config)}"
    sentence = f"{what}{_lengths(config)} {then[0].upper()}{then[1:]}.{notes}"
    return Plan(total, output, prompts, at_least, about, usd, sentence, hourly, between, source)


def _plan_without_pace(config: RunConfig) -> Plan:
    """The plan for users with a duration, on a server that has never been measured."""
    seconds = config.repeats * _repeat_s(config, 0.0)
    sent = f"{_duration_text(config)}{plan_of_sessions.in_sessions(config)}"
    sends = f"Sends {sent}{plan_of_sessions.how(config)}."
    unknown = "The number of requests is unknown, because there is no earlier run on this server."
    takes = f"Takes at least {duration(seconds)}."
    sentence = f"{sends} {unknown} {takes}{_extra_notes(config)}"
    return Plan(0, 0, 0, seconds, None, None, sentence)


def _lengths(config: RunConfig) -> str:
    """The lengths of prompts and answers if they vary, and what prompts share, as sentences."""
    of = {"Prompt": lengths.of_prompts(config), "Answer": lengths.of_answers(config)}
    if config.workload not in ("synthetic", "trace"):
        del of["Prompt"]
    sentences = [f"{what} lengths: {law.sentence}." for what, law in of.items() if law.sentence]
    if shared := planned_hits(config):
        sentences.append(shared.sentence)
    return "".join(f" {sentence}" for sentence in sentences)


def _extra_notes(config: RunConfig) -> str:
    short = modes.users_short(config)
    sentence = f" {short}." if short else ""
    if "max_tokens" in config.omit:
        sentence += " No limit is sent to the server, so answers may be longer."
    if calibrates(config):
        sentence += f" Then the client is calibrated for about {CALIBRATION_S:g} s."
    return sentence


def _requests_expected(config: RunConfig, pace: Pace | None) -> float | None:
    """Return about how many requests one repeat has; None if unknown."""
    if (known := modes.expected(config)) is not None:
        return known
    if pace is None:
        return None
    answer_s = lengths.of_answers(config).mean / pace.usual
    planned = schedule(config)
    bars = simulate(planned, answer_s, MAX_DRAWN)
    if len(bars) < MAX_DRAWN or config.duration_s is None:
        return len(bars) or 1
    drawn_s, whole_s = (_user_seconds(planned, at) for at in (bars[-1][2], config.duration_s))
    return min(MOST, len(bars) * max(1.0, whole_s / drawn_s))


def _requests_at_load(config: RunConfig, pace: Pace | None) -> float | None:
    """Return about how many requests warm up at load before each repeat; None if unknown."""
    if not config.load_warmup_s:
        return 0
    if MODES[config.mode].loop == "open":
        return len(schedule(config).warm_s) * modes.mean_turns(config)
    before = {"duration_s": config.load_warmup_s, "load_warmup_s": 0.0}
    return _requests_expected(config.model_copy(update=before), pace)


def _user_seconds(planned: Schedule, until: float) -> float:
    """Return for how long users send requests up to a time, added up, in seconds."""
    joins_s = planned.joins_s or (0.0,) * planned.users
    return sum(max(0.0, until - max(0.0, join - planned.lead_s)) for join in joins_s)


def combined(plans: Sequence[Plan], how: str) -> Plan:
    """Return the plan of several runs together; `how` is a sentence about their order.

    What is unknown for one of them is unknown for all.
    """
    output, prompts = (
        sum(plan.tokens_at_most for plan in plans),
        sum(plan.prompt_tokens_about for plan in plans),
    )
    at_least = sum(plan.seconds_at_least or 0.0 for plan in plans) or None
    about = _sum(plan.seconds_about for plan in plans)
    ranges = [plan.seconds_between for plan in plans if plan.seconds_between]
    between = None
    if len(ranges) == len(plans):
        between = sum(low for low, _ in ranges), sum(high for _, high in ranges)
    source = _sources(plan.source for plan in plans)
    usd, hourly = _sum(plan.usd_at_most for plan in plans), any(plan.hourly for plan in plans)
    all_known = all(plan.requests_total for plan in plans)
    what = f"{how} At most {many(output, 'output token')}, and about "
    what += many(prompts, "prompt token")
    if not all_known:
        what, output, prompts = f"{how} The number of requests is unknown", 0, 0
    none = "there is no earlier run to estimate it from"
    unknown = "not all of these runs have an earlier one to estimate from" if ranges else none
    takes = _time_text(at_least, between, source, unknown)
    then = "; ".join(filter(None, [takes, _cost_text(usd, hourly)]))
    sentence = f"{what}. {then[0].upper()}{then[1:]}."
    total = sum(plan.requests_total for plan in plans) if all_known else 0
    return Plan(total, output, prompts, at_least, about, usd, sentence, hourly, between, source)


def interleaved(config: RunConfig, repeats: int) -> RunConfig:
    """Return a config that sends as much as `config` in so many work items, each with a warm-up."""
    return config.model_copy(update={"repeats": repeats, "warmup": config.warmup * repeats})


def _sources(sources: Iterable[str]) -> str:
    """Return the distinct sources. One that extends another, such as "from 1 earlier run on this
    server, with 1 in flight", replaces it."""
    distinct = list(dict.fromkeys(sources))
    most_detailed = [
        source
        for source in distinct
        if not any(other.startswith(f"{source},") for other in distinct)
    ]
    return "; ".join(most_detailed)


def _sum(numbers: Iterable[float | None]) -> float | None:
    values = list(numbers)
    known = [number for number in values if number is not None]
    return sum(known) if len(known) == len(values) else None


def calibrates(config: RunConfig) -> bool:
    """Whether a run is calibrated: by default if many requests may be in flight at once."""
    if config.calibrate is not None:
        return config.calibrate
    return modes.at_once(config) > CALIBRATED_ABOVE


def _repeat_s(config: RunConfig, seconds_per_request: float) -> float:
    """Return the duration of one repeat in seconds, with the same time for every answer."""
    if config.duration_s is not None:
        drain = seconds_per_request
        if config.drain_s is not None:
            drain = min(drain, config.drain_s)
        sent_s = config.duration_s + drain
    else:
        sent_s = _end_s(schedule(config), seconds_per_request, config.requests)
    if config.stop_after_s is not None:
        sent_s = min(sent_s, config.stop_after_s)
    return config.load_warmup_s + sent_s


def _end_s(planned: Schedule, seconds_per_request: float, requests: int) -> float:
    """Return when the last answer ends, in seconds; perhaps only the first ones are drawn. In an
    open loop the last is as late as they are, or in proportion more if they wait for each other."""
    bars = simulate(planned, seconds_per_request, MAX_DRAWN)
    drawn_s, more = max(end for _, _, end in bars), max(1.0, requests / len(bars))
    if planned.users or more == 1:
        return drawn_s * more
    last = max(index for index, _, _ in bars)
    begun = last if planned.sessions is None else planned.sessions.locate(last)[0]
    late_s = drawn_s - planned.due_s[begun]
    return planned.due_s[-1] + late_s * (1 if planned.in_flight is None else more)


def _seconds(config: RunConfig, each: float, faster: float) -> float:
    """Return the duration of a run whose answers take `each` seconds; a warm-up request is `faster`
    than that by a factor."""
    return config.repeats * _repeat_s(config, each) + warmup_count(config) * each / faster


def _in_all_repeats(part: RunConfig, of_first: Callable[[int], int]) -> int:
    """Return the total of one class in all repeats, including its warm-up. `of_first`: the total of
    the first requests, which are the same in each repeat."""
    return part.repeats * of_first(part.requests) + of_first(part.warmup)


def _output_tokens(part: RunConfig) -> int:
    return _in_all_repeats(part, lengths.of_answers(part).total)


def _prompt_tokens(config: RunConfig) -> int:
    if sessions := sessions_of(config):
        return ceil(plan_of_sessions.prompt_tokens(config, sessions))
    spec = WORKLOADS[config.workload]
    if (tokens := spec.tokens) is not None:
        return _in_all_repeats(config, lambda count: tokens(config, count))
    texts = [plan_of_sessions.characters(text) for text in spec.prompts(config)]

    def first(count: int) -> int:
        return sum(texts) * (count // len(texts)) + sum(texts[: count % len(texts)])

    nonces = _in_all_repeats(config, lambda count: count * NONCE_TOKENS * config.unique_prompts)
    return ceil(_in_all_repeats(config, first) / CHARACTERS_PER_TOKEN) + nonces


def _requests(config: RunConfig, counted: RunConfig) -> str:
    count = many(counted.requests, "request")
    if config.duration_s is not None:
        about = "" if MODES[config.mode].exact else "about "
        each = " each time" if config.repeats > 1 else ""
        count = f"{_duration_text(config)} ({about}{counted.requests:,}{each})"
    elif config.repeats > 1:
        count = f"{config.repeats} times {count}"
    count += plan_of_sessions.in_sessions(config)
    warm = (
        [f"{duration(config.load_warmup_s)} of warm-up at the same load"]
        if config.load_warmup_s
        else []
    )
    if config.warmup:
        warm.append(many(warmup_count(config), "warm-up request"))
    return " plus ".join([count, *warm])


def _duration_text(config: RunConfig) -> str:
    times = f"{config.repeats} times " if config.repeats > 1 else ""
    return f"requests for {times}{duration(config.duration_s or 0.0)}"


def _time_text(
    at_least: float | None, between: tuple[float, float] | None, source: str, why_not: str
) -> str:
    if between is not None:
        return f"takes about {span(*between)}, {source}"
    unknown = f"is unknown, because {why_not}"
    if at_least is None:
        return f"how long it takes {unknown}"
    whole = floor(at_least / 60) * 60 if at_least >= 120 else at_least  # not rounded up
    return f"takes at least {duration(whole)}; how long the answers take {unknown}"


def _cost_text(usd: float | None, hourly: bool) -> str:
    if usd is None:
        return ""
    how = "about" if hourly else "at most"
    return f"costs {how} ${ceil(usd * 100) / 100:,.2f}" if usd > 0.01 else f"costs {how} a cent"


UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0}


def span(low: float, high: float) -> str:
    """Return a range of times as text: 2–4 min, 40 s to 3 min; one time if both have the same
    text."""
    (first, unit), (second, other) = duration(low).split(" "), duration(high).split(" ")
    if unit != other and low >= UNITS_S[other]:  # 101 s, 2 min: in the unit of both
        first, second = (f"{seconds / UNITS_S[other]:.2g}" for seconds in (low, high))
        unit = other
    if unit != other:
        return f"{first} {unit} to {second} {other}"
    return f"{first}–{second} {unit}" if first != second else f"{first} {unit}"


def duration(seconds: float) -> str:
    """Return a duration as text: 0.92 s, 45 s, 12 min, 3.5 h."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
