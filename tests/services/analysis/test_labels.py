"""What runs are called side by side: by what distinguishes them, each otherwise, none cut."""

from __future__ import annotations

from typing import Any

import pytest

from services.analysis.compare import compare
from services.analysis.compare.labels import (
    LONGEST,
    distinguishing,
    labelled,
    labels,
    labels_of_configs,
)
from services.ask.config import RunConfig
from tests.values import candidate, measured, run

ONE, OTHER = "http://127.0.0.1:8001/v1", "http://127.0.0.1:8002/v1"
LONG = "vllm.example.internal:8000 · Qwen3-8B · {} · 8 requests"
LLAMA, QWEN, DEEPSEEK = (
    "meta-llama/Llama-3.1-8B-Instruct-FP8-dynamic",
    "Qwen/Qwen2.5-7B-Instruct-AWQ",
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B-Instruct-FP8-dynamic",
)
AIPERF: dict[str, Any] = {"backend": "import", "source": {"tool": "aiperf", "known": ["model"]}}


def called(*of_runs: dict[str, Any]) -> tuple[str, ...]:
    return labels([made(place, of_run) for place, of_run in enumerate(of_runs, 1)])


def made(run_id: int, of_run: dict[str, Any]) -> Any:
    from dataclasses import replace

    beside = {name: of_run[name] for name in ("source", "engine_id") if name in of_run}
    config = {name: value for name, value in of_run.items() if name not in beside}
    return replace(run(run_id, **config), **beside)


@pytest.mark.parametrize(
    ("of_runs", "wanted"),
    [
        ([{"mode": "sequential"}, {"concurrency": 8, "requests": 64}], ("sequential", "batch 8")),
        ([{"requests": 8}, {"requests": 64}], ("batch 8", "batch 64")),
        (
            [{"requests": 64, "concurrency": n} for n in (8, 32)],
            ("concurrency 8", "concurrency 32"),
        ),
        (
            [{"requests": 64, "concurrency": 8}, {"requests": 64}],
            ("concurrency 8", "concurrency 64"),
        ),
        ([{"backend": "vllm"}, {"backend": "sglang"}], ("vLLM", "SGLang")),
        (
            [{"backend": "vllm", "base_url": at} for at in (ONE, OTHER)],
            ("127.0.0.1:8001", "127.0.0.1:8002"),
        ),
        (
            [{"backend": "vllm"}, {"backend": "sglang", "requests": 8}],
            ("vLLM · batch 5", "SGLang · batch 8"),
        ),
        (
            [{"model": name} for name in (LLAMA, QWEN, DEEPSEEK)],
            ("Llama-3.1-8B-Instruct", "Qwen2.5-7B-Instruct-AWQ", "DeepSeek-R1-Distill"),
        ),
        (
            [{"model": f"org/Llama-3.1-8B-Instruct{variant}"} for variant in ("", "-w4a16")],
            ("Llama-3.1-8B-Instruct", "Llama-3.1-8B-Instruct-w4a16"),
        ),
        (
            [
                {"model": "Llama-3.1-8B-Instruct", "backend": "vllm"},
                {"model": "Llama-3.1-8B-Instruct-quantized.w4a16", "backend": "sglang"},
            ],
            ("vLLM · Instruct", "SGLang · Instruct-quantized.w4a16"),
        ),
        ([{"max_tokens": 16}, {"max_tokens": 64}], ("max tokens 16", "max tokens 64")),
        (
            [{"mode": "staggered", "interval_s": s} for s in (0.5, 0.25)],
            ("interval 0.5 s", "interval 0.25 s"),
        ),
        ([{"dialect": "anthropic"}, {}], ("anthropic", "chat")),
        ([{"client": "litellm"}, {}], ("via LiteLLM", "Paceline's client")),
        ([{"name": "before"}, {"name": "after"}], ("before", "after")),
        ([{"name": "before"}, {"name": "after", "requests": 8}], ("before", "after")),
        (
            [{"name": "before"}, {"name": "tiny · batch · 8 requests", "requests": 8}],
            ("batch 5", "batch 8"),
        ),
        ([{"name": "before"}, {"name": "y" * 41, "requests": 8}], ("batch 5", "batch 8")),
        (
            [{"name": "ours"}, {"name": "theirs", "client": "litellm"}],
            ("ours", "theirs · via LiteLLM"),
        ),
        (
            [{"name": LONG.format(m)} for m in ("one server", "another")],
            ("one server", "another"),
        ),
        ([{"name": "x"}, {"name": "x"}], ("run 1", "run 2")),
        ([{"name": "x" * 199 + n} for n in "ab"], ("run 1", "run 2")),
        (
            [{"requests": 8}, {"mode": "sequential"}, {"mode": "sequential"}],
            ("batch 8", "sequential (run 2)", "sequential (run 3)"),
        ),
        ([AIPERF | {"model": "m"}, {"model": "m"}], ("imported from aiperf", "Paceline's client")),
        ([AIPERF | {"model": name} for name in "ab"], ("a", "b")),
        (
            [{"engine_id": n, "name": f"vLLM · TP {n} · batch {n}", "requests": n} for n in (1, 2)],
            ("TP 1 · batch 1", "TP 2 · batch 2"),
        ),
    ],
)
def test_a_label_shows_what_distinguishes_a_run(
    of_runs: list[dict[str, Any]], wanted: tuple[str, ...]
) -> None:
    assert called(*of_runs) == wanted


@pytest.mark.parametrize("name", ["", "x", "long " * 40, LONG, "…" * 60])
@pytest.mark.parametrize("model", ["m", DEEPSEEK, "m" * 300])
@pytest.mark.parametrize("differs", [{}, {"requests": 9}, {"model": "n" * 299}, {"name": "y" * 99}])
def test_labels_are_unique_and_never_cut(name: str, model: str, differs: dict[str, Any]) -> None:
    one = {"name": name, "model": model}
    found = called(one, one | differs, one, one | {"client": "litellm"})
    assert len(set(found)) == 4 and all(0 < len(text) <= LONGEST for text in found)
    assert not any(text.endswith("…") for text in found)


def test_a_single_run_is_labelled_by_its_number() -> None:
    assert called({"name": "a name"}) == ("Run 1",)
    assert called({"client": "litellm"}) == ("Run 1 · via LiteLLM",)
    assert called() == ()


def test_different_prompts_and_headers_are_numbered() -> None:
    texts = [{"workload": "text", "prompt": text} for text in ("my diary", "a secret")]
    assert called(*texts) == ("prompt 1", "prompt 2")
    assert called(*[{"headers": {"X-Test": n}} for n in "ab"]) == ("headers 1", "headers 2")


def test_configs_that_are_alike_have_no_label() -> None:
    assert labels_of_configs([RunConfig(), RunConfig()]) == ["", ""]
    both = [RunConfig(mode="batch", requests=8), RunConfig(mode="sequential")]
    assert labels_of_configs(both) == ["batch 8", "sequential"]


def test_long_texts_lose_what_they_have_in_common_by_whole_words() -> None:
    assert distinguishing(["short-a", "short-b"]) == ["short-a", "short-b"]
    sizes = [f"Meta-Llama-3.1-{n}B-Instruct" for n in (8, 70)]
    assert distinguishing(sizes) == ["8B", "70B"]
    assert distinguishing(["x" * 30, "x" * 30 + "-1"]) == ["x" * 30, "x" * 30 + "-1"]


def test_a_comparison_uses_the_same_labels_everywhere() -> None:
    repeats = [measured(i, repeat=r) for r in range(3) for i in range(3)]
    pair = [
        candidate(repeats, run_id=1, name=LONG.format("x"), mode="sequential"),
        candidate(repeats, run_id=2, name=LONG.format("y"), requests=8),
    ]
    found = compare(pair)
    assert (found.baseline.label, found.others[0].label) == ("sequential", "batch 8")
    assert found.verdicts[0].headline.startswith("Batch 8 ")
    assert "sequential" in found.verdicts[0].headline
    assert [one.label for one in labelled(labelled(pair))] == ["sequential", "batch 8"]
