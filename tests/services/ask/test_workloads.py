"""Prompts are the same every time, and no two requests share their first characters."""

from __future__ import annotations

import re
from random import Random
from typing import Any, get_args

import pytest

from services.ask.config import RunConfig, Workload, parse, stored
from services.ask.workloads import BUILTIN, WORKLOADS, prompt, prose, synthetic


def test_the_built_in_set_begins_with_the_essay_on_spring_and_is_varied() -> None:
    assert BUILTIN[0] == "Write a long essay on the topic of spring."
    assert len(set(BUILTIN)) == len(BUILTIN) == 16
    assert max(map(len, BUILTIN)) > 8 * min(map(len, BUILTIN))


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({"workload": "builtin"}, [BUILTIN[0], BUILTIN[1], BUILTIN[15], BUILTIN[0]]),
        ({"workload": "text", "prompt": "Hi"}, ["Hi"] * 4),
        ({"workload": "file", "prompts": ("a", "b")}, ["a", "b", "b", "a"]),
    ],
)
def test_prompts_are_used_in_order_and_start_over(fields: dict[str, Any], texts: list[str]) -> None:
    config = RunConfig(**fields, unique_prompts=False)
    assert [prompt(config, 0, index) for index in (0, 1, 15, 16)] == texts


def test_a_nonce_comes_first_and_the_rest_is_the_prompt() -> None:
    config = RunConfig(workload="text", prompt="Write.")
    mark, _, rest = prompt(config, 0, 0).partition(" ")
    assert rest == "Write."
    assert mark[0] == "[" and mark[-1] == "]" and mark[1:-1].isalnum() and len(mark) == 10


def test_five_thousand_requests_of_two_repeats_and_the_warm_up_have_distinct_nonces() -> None:
    config = RunConfig(workload="text", prompt="Write.", requests=5000)
    prompts = [prompt(config, repeat, index) for repeat in (-1, 0, 1) for index in range(5000)]
    assert len({text[:10] for text in prompts}) == len(prompts)


def test_a_prompt_is_the_same_every_time() -> None:
    config = RunConfig(seed=7, requests=2, workload="synthetic")
    assert prompt(config, 1, 1) == prompt(RunConfig(**config.model_dump()), 1, 1)
    assert prompt(RunConfig(), 0, 0) == "[qjuc7t45] Write a long essay on the topic of spring."


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, 0, ""), (0, 1, "")), ((0, 0, ""), (1, 0, "")), ((0, 0, "run 1"), (0, 0, "run 2"))],
)
def test_request_repeat_and_run_each_change_the_nonce(first: Any, second: Any) -> None:
    config = RunConfig(workload="text", prompt="Write.")
    assert prompt(config, *first)[:10] != prompt(config, *second)[:10]


def test_repeats_differ_only_in_their_nonces() -> None:
    config = RunConfig(workload="synthetic", requests=3)
    first, other = prompt(config, 0, 2), prompt(config, 4, 2)
    assert first[:10] != other[:10] and first[10:] == other[10:]


@pytest.mark.parametrize(("tokens", "count"), [(1, 1), (7, 1), (8, 1), (512, 505), (2048, 2041)])
def test_a_synthetic_prompt_has_a_word_per_token_beside_its_nonce(tokens: int, count: int) -> None:
    config = RunConfig(workload="synthetic", text_style="words", input_tokens=tokens)
    assert len(prompt(config, 0, 0).split()) == 1 + count


@pytest.mark.parametrize("style", ["prose", "words"])
def test_a_synthetic_text_depends_on_its_key_from_its_start(style: synthetic.Style) -> None:
    texts = [synthetic.text(f"7/{key}", 40, style) for key in range(50)]
    assert texts == [synthetic.text(f"7/{key}", 40, style) for key in range(50)]
    assert len({text[:20] for text in texts}) == 50


@pytest.mark.parametrize("tokens", [1, 5, 64, 512, 131_072])
def test_prose_has_the_requested_number_of_tokens(tokens: int) -> None:
    """Counted as words and punctuation, which is about 6 % less than tokenizers count here."""
    text = synthetic.text("a", tokens)
    assert len(re.findall(r"\w+|[^\w\s]", text)) == pytest.approx(tokens / 1.06, rel=0.1, abs=2)


def test_prose_follows_the_order_of_the_book_and_starts_over() -> None:
    sentences, ends = prose._sentences()
    whole = prose.passage(Random(0), 2 * ends[-1])
    assert whole.count(sentences[0]) == whole.count(sentences[-1]) == 2
    assert f"{sentences[-1]} {sentences[0]} {sentences[1]}" in whole


def test_a_stored_run_without_a_style_sent_words_and_a_new_one_sends_prose() -> None:
    fields = {"workload": "synthetic", "input_tokens": 16, "unique_prompts": False}
    before = "water name health story friend level reason job year state student parent point life"
    assert prompt(stored(fields), 0, 0) == f"{before} research art"
    assert prompt(stored(fields), 0, 0) == prompt(parse({**fields, "text_style": "words"}), 0, 0)
    assert ": " in prompt(parse(fields), 0, 0)


def test_synthetic_prompts_differ_by_index_and_seed_without_a_nonce() -> None:
    fields = {"workload": "synthetic", "unique_prompts": False, "text_style": "words"}
    first = RunConfig(**fields, input_tokens=64)
    second = first.model_copy(update={"seed": 1})
    texts = [prompt(config, 0, index) for config in (first, second) for index in range(5)]
    assert len(set(texts)) == 10
    assert all(len(text.split()) == 64 for text in texts)


def test_synthetic_prompts_are_made_only_when_needed() -> None:
    config = RunConfig(workload="synthetic", input_tokens=131_072, requests=5000)
    prompts = WORKLOADS["synthetic"].prompts(config)
    assert len(prompts) == 5000
    assert prompts[-1] == prompts[4999] == prompts[4990:][-1]
    with pytest.raises(IndexError):
        prompts[5000]


def test_every_workload_of_a_config_is_in_the_table_and_names_real_fields() -> None:
    assert tuple(WORKLOADS) == get_args(Workload)
    for name, spec in WORKLOADS.items():
        assert spec.name == name
        assert set(spec.parameters) <= set(RunConfig.model_fields)
