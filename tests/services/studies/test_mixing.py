"""Whether short requests wait for long ones is judged by repeats, each class against itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.analysis.compare import Candidate
from services.ask.config import RunConfig, parse
from services.ask.measurement import Measurement
from services.ask.workloads.mixed import CLASSES, LONG, SHORT, class_of
from services.studies.mixing import InvalidMixing, Mixing, alone, chunking, mixing, sentence, table
from tests.values import candidate, failed, measured

MIX = parse({"workload": "mixed", "requests": 8, "mode": "batch", "model": "tiny"})
STEADY = (1.00, 1.01, 0.99)
WILD = (0.5, 1.0, 2.5)


def requests(
    config: RunConfig, times: dict[str, float], vary: Sequence[float]
) -> list[Measurement]:
    """Return requests whose TTFT and E2E are these seconds times 1 and 4, by class."""

    def one(index: int, repeat: int, seconds: float) -> Measurement:
        return measured(index, repeat=repeat, ttft=seconds, e2e=4 * seconds)

    def of(index: int) -> str:
        return class_of(config, index) if config.workload == "mixed" else next(iter(times))

    return [one(i, r, times[of(i)] * f) for r, f in enumerate(vary) for i in range(config.requests)]


def stored(config: RunConfig, measurements: list[Measurement], **of_run: Any) -> Candidate:
    return candidate(measurements, **{**config.model_dump(), **of_run})


def mixed(
    short: float = 1.0, long: float = 1.0, vary: Sequence[float] = STEADY, **of_run: Any
) -> Mixing:
    """Return a mix in which short requests take `short` seconds, and long ones 2 · `long`."""
    parts = {
        name: stored(alone(MIX, name), requests(alone(MIX, name), {name: at}, STEADY), run_id=n)
        for n, (name, at) in enumerate({SHORT: 1.0, LONG: 2.0}.items(), 2)
    }
    whole = stored(MIX, requests(MIX, {SHORT: short, LONG: 2 * long}, vary), **of_run)
    return mixing(parts[SHORT], parts[LONG], whole)


@pytest.mark.parametrize(
    ("of", "begins", "holds"),
    [
        (
            {"short": 3.2},
            "Short requests wait for long ones: their TTFT is 3.20× as long as alone (3.1",
            "Also: E2E latency of short requests 3.20× as long (3.1",
        ),
        ({"short": 3.2}, "Short", "TTFT of long requests equivalent within ±5 %, 1.00× (0."),
        (
            {},
            "Short requests do not wait for long ones, within ±5 %: their TTFT is the ",
            "same as alone, 1.00×",
        ),
        ({"short": 0.5}, "Short requests do not wait for long ones, but are faster", "50 % sh"),
        (
            {"vary": WILD},
            "Whether short requests wait for long ones is inconclusive: their TTFT",
            " % or more. Also:",
        ),
        (
            {"short": 3.2, "vary": STEADY[:2]},
            "Whether short requests wait for long ones: no verdict"
            ". Their TTFT is 3.22× as long as alone. A verdict needs 3 or more "
            "repeats of each run (2 now).",
            "Jain's index of tokens/s is",
        ),
        (
            {"status": "cancelled"},
            "Whether short requests wait for long ones: no verdict, because this run was cancelled",
            "before it finished. Jain",
        ),
    ],
)
def test_a_sentence_says_whether_short_requests_wait(
    of: dict[str, Any], begins: str, holds: str
) -> None:
    text = sentence(mixed(**of))
    assert text.startswith(begins)
    assert holds in text


def test_slowdowns_are_of_each_class_by_itself() -> None:
    findings = mixed(short=3.0, long=1.5).slowdowns.findings
    ratios = [finding.ratio.value for finding in findings if finding.ratio]
    assert ratios == pytest.approx([3.0, 3.0, 1.5, 1.5])
    assert [finding.word for finding in findings] == ["slower"] * 4


def test_a_slowdown_s_interval_holds_it_and_is_that_of_the_repeats() -> None:
    first = mixed(short=3.0).slowdowns.findings[0].ratio
    assert first and first.low and first.high
    assert first.low < 3.0 < first.high < 3.3
    assert (first.n_reference, first.n_other) == (3, 3)


def test_the_table_has_both_classes_and_jain_s_index() -> None:
    result = table(mixed(short=3.0))
    assert result.rows[0][:3] == ("TTFT of short requests", "1.00 s", "3.00 s")
    assert result.rows[0][3].startswith("3.00× (2.") and result.rows[0][4] == "slower"
    assert len(result.rows) == 2 * len(CLASSES) + 1
    assert result.rows[-1][0].startswith("Fairness")


def test_jain_s_index_is_that_of_the_mix_by_hand() -> None:
    # E2E 12 s and 8 s for 5 tokens each: the rates are as 2 to 3, half of them each
    assert mixed(short=3.0).fairness == pytest.approx(5**2 / (2 * (2**2 + 3**2)))


def test_an_answer_in_one_piece_is_judged_by_its_end() -> None:
    def unstreamed(candidate: Candidate) -> Candidate:
        config = candidate.run.config
        some = [m.__class__(**{**_fields(m), "t_first": None}) for m in candidate.measurements]
        return stored(config, some, run_id=candidate.run.id)

    result = mixed(short=3.0)
    again = mixing(*map(unstreamed, (result.alone[SHORT], result.alone[LONG], result.mix)))
    assert sentence(again).startswith(
        "Short requests wait for long ones: their E2E latency is 3.00"
    )


def _fields(m: Measurement) -> dict[str, Any]:
    return {name: getattr(m, name) for name in m.__slots__}


def test_failures_of_one_class_forbid_a_verdict() -> None:
    result = mixed(short=3.0)
    worse = [
        m if class_of(MIX, m.index) == LONG else failed(m.index, repeat=m.repeat)
        for m in result.mix.measurements
        if m.index
    ]
    broken = stored(MIX, worse)
    text = sentence(mixing(result.alone[SHORT], result.alone[LONG], broken))
    assert "no verdict, because the error rates are 0 % and 100 %" in text


@pytest.mark.parametrize(
    ("on", "off", "begins"),
    [
        (1.2, 3.6, "Chunked prefill helps short requests next to long ones: their TTFT is 67 %"),
        (3.6, 1.2, "Chunked prefill makes short requests next to long ones slower: their TTFT"),
        (2.0, 2.0, "Chunked prefill makes no difference to short requests, within ±5 %: their"),
    ],
)
def test_chunked_prefill_is_judged_in_the_mix(on: float, off: float, begins: str) -> None:
    text = chunking(mixed(short=on, long=1.4), mixed(short=off, run_id=9))
    assert text.startswith(begins) and " without it" in text
    assert "TTFT of long requests 40 % longer, 1.40× (1.3" in text


def test_runs_that_are_not_a_mix_and_its_classes_are_refused() -> None:
    result = mixed()
    short, long = result.alone[SHORT], result.alone[LONG]
    with pytest.raises(InvalidMixing, match="not a mix of short and long"):
        mixing(short, long, short)
    with pytest.raises(InvalidMixing, match="its input_tokens is 2048, not 512"):
        mixing(long, short, result.mix)
