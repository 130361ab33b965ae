"""Prompts share as much as is planned, and nothing with another repeat or run."""

from __future__ import annotations

from itertools import takewhile
from time import monotonic
from typing import Any

import pytest

from services.ask.config import RunConfig, parse
from services.ask.dialogue import all_text_of
from services.ask.plan import plan
from services.ask.plan_of_sessions import repeated
from services.ask.planned_hits import planned_hits
from services.ask.prefixes import hit_share, prefixes_of
from services.ask.problems import InvalidConfig
from services.ask.workloads import prompt


def shared(**fields: Any) -> RunConfig:
    usual = {"prefix_share": 0.5, "input_tokens": 400, "requests": 20, "text_style": "words"}
    return parse({**usual, **fields})


def texts(config: RunConfig, repeat: int = 0, nonce: str = "") -> list[str]:
    return [prompt(config, repeat, index, nonce) for index in range(config.requests)]


def common(first: str, second: str) -> int:
    """How many words two texts have in common at their beginning."""
    pairs = zip(first.split(), second.split(), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def test_hits_are_all_but_the_first_use_of_each_part() -> None:
    """10 prompts of 100 tokens, 2 documents: 9 times the system part, 8 times a document."""
    assert hit_share([100] * 10, 20, 30, 2) == pytest.approx((9 * 20 + 8 * 30) / 1000)
    assert hit_share([100] * 10, 0, 50, 1) == pytest.approx(9 * 50 / 1000)
    assert hit_share([100, 20, 100], 0, 50, 1) == pytest.approx((12 + 50) / 220)  # 8 are its own


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("count", "system"), [(1, 0), (4, 0), (4, 30)])
@pytest.mark.parametrize("distribution", ["fixed", "uniform"])
def test_cached_words_are_the_requested_share(
    share: float, count: int, system: int, distribution: str
) -> None:
    config = shared(
        prefix_share=share,
        prefix_count=count,
        prefix_system_tokens=system,
        input_distribution=distribution,
        input_spread=0.3,
        requests=60,
    )
    found = prefixes_of(config)
    assert found and found.planned == pytest.approx(share, abs=0.01)
    prompts = texts(config)
    hits = [
        max((common(text, old) for old in prompts[:i]), default=0) for i, text in enumerate(prompts)
    ]
    total = sum(len(text.split()) for text in prompts)
    assert sum(hits) / total == pytest.approx(share, abs=0.03)  # a nonce is one word, not 7


def test_prompts_of_other_repeats_and_runs_share_no_prefix() -> None:
    config = shared(prefix_count=3, prefix_system_tokens=40)
    first, *others = texts(config), texts(config, 1), texts(config, 0, "other"), texts(config, -1)
    for other in others:
        assert all(common(one, two) == 0 for one in first for two in other)
        assert [text.split()[1:20] for text in first] == [text.split()[1:20] for text in other]


def test_the_unique_part_of_a_request_begins_with_its_nonce() -> None:
    config = shared()
    prompts = texts(config)
    alike = common(prompts[0], prompts[1])
    assert len({text.split()[alike] for text in prompts}) == config.requests
    assert all(text.split()[alike].startswith("[") for text in prompts)


@pytest.mark.parametrize(
    ("fields", "wrong", "said"),
    [
        ({"prefix_share": 0.9, "requests": 5}, "prefix_share", "at most 0.784 is possible"),
        ({"prefix_count": 19}, "prefix_share", "at most 0.049 is possible"),
        (
            {"prefix_share": 0.1, "prefix_system_tokens": 200},
            "prefix_share",
            "at least 0.475",
        ),
        ({"prefix_system_tokens": 399}, "prefix_system_tokens", "must leave 8 of the 400"),
        ({"unique_prompts": False}, "prefix_share", "needs unique prompts"),
        ({"turns": 3, "prefix_share": 0.3}, "prefix_share", "the history of the sessions and the"),
        ({"turns": 4, "prefix_share": 0.95}, "prefix_share", "is possible here"),
    ],
)
def test_an_impossible_shared_prefix_is_refused_with_the_possible_range(
    fields: dict[str, Any], wrong: str, said: str
) -> None:
    with pytest.raises(InvalidConfig) as problem:
        shared(**fields)
    assert said in problem.value.problems[wrong]


@pytest.mark.parametrize("history", ["recorded", "answered"])
@pytest.mark.parametrize(("count", "system"), [(1, 0), (3, 40)])
def test_planned_hits_include_shared_prefixes_and_repeated_turns(
    history: str, count: int, system: int
) -> None:
    config = shared(
        prefix_share=0.58,
        prefix_count=count,
        prefix_system_tokens=system,
        turns=3,
        history=history,
        max_tokens=100,
        requests=60,
    )
    found = prefixes_of(config)
    assert found and found.planned == pytest.approx(0.58, abs=0.002) and found.in_sessions
    answers = [" ".join(["answer"] * 100)] * 2 if history == "answered" else None
    prompts, left = [], []
    for index in range(60):
        given = answers[: index % 3] if answers else None
        prompts.append(words(prompt(config, 0, index, "", given)))
        left.append(f"{prompts[-1]} {answers[0]}" if answers and index % 3 < 2 else prompts[-1])
    hits = [
        max((common(text, old) for old in left[:i]), default=0) for i, text in enumerate(prompts)
    ]
    total = sum(len(text.split()) for text in prompts)
    assert sum(hits) / total == pytest.approx(0.58, abs=0.02)  # a nonce is one word, not 7


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 2, 5])
@pytest.mark.parametrize(
    "length", [{"requests": None, "duration_s": 60}, {"requests": 1_000_000}], ids=["time", "count"]
)
def test_a_prefix_share_is_planned_for_runs_of_any_length(
    turns: int, length: dict[str, Any]
) -> None:
    """Also where the number of requests depends on the answers."""
    again = repeated(shared(prefix_share=0, turns=turns))
    share = again.share(0.5) if again else 0.5
    fields = {"prefix_share": share, "prefix_count": 3, "turns": turns, "concurrency": 4, **length}
    fields = {name: value for name, value in fields.items() if value is not None}
    found = prefixes_of(parse({"input_tokens": 400, **fields}))
    assert found and found.planned == pytest.approx(share, abs=0.002)


@pytest.mark.timed
def test_a_prompt_of_a_long_run_with_sessions_is_made_quickly() -> None:
    """The length that sessions repeat is needed for each prompt; adding it up each time took 70
    ms."""
    config = shared(prefix_share=0.5, turns=2, requests=1_000_000)
    prompt(config, 0, 0)
    began = monotonic()
    for index in range(100):
        prompt(config, 0, 2 * index)
    assert monotonic() - began < 1


def words(text: str) -> str:
    """The texts of a prompt, one after the other."""
    return " ".join(all_text_of(text).split())


def test_repeated_turns_of_a_session_count_as_planned_hits() -> None:
    """Prompts of 100, 250 and 400 tokens: of the second 100 are known, or 150; of the third 250, or
    300."""
    usual = {"prefix_share": 0, "input_tokens": 100, "max_tokens": 50, "turns": 3, "requests": 9}
    recorded, answered = (
        planned_hits(shared(**usual, history=history)) for history in ("recorded", "answered")
    )
    assert recorded and recorded.history and recorded.share == pytest.approx(350 / 750)
    assert answered and answered.share == pytest.approx(450 / 750)
    assert planned_hits(shared(**usual, unique_prompts=False)) is None
    cut = planned_hits(shared(**usual | {"requests": 8}))
    assert cut and cut.share == pytest.approx((350 * 2 + 100) / (750 * 2 + 350))


def test_the_plan_says_what_is_shared() -> None:
    sentence = plan(shared(prefix_count=2, prefix_system_tokens=50), None).sentence
    assert (
        "begins with one of 2 prefixes of 219 tokens, of which 50 are the same in all." in sentence
    )
    assert " % of the prompt tokens should come from the server's prefix cache." in sentence
    assert "cache" not in plan(shared(prefix_share=0, input_tokens=400), None).sentence
