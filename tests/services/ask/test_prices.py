"""Prices come from LiteLLM's file, without LiteLLM, and are not guessed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from services.ask.prices import KEYS, MAP, Price, price


def test_a_cost_by_hand() -> None:
    assert Price(1e-6, 3e-6, "").cost(2_000, 500) == pytest.approx(0.0035)


@pytest.mark.parametrize(
    ("backend", "model", "key"),
    [
        ("openai", "gpt-4o-mini", "gpt-4o-mini"),
        ("anthropic", "claude-haiku-4-5", "claude-haiku-4-5"),
        ("groq", "openai/gpt-oss-20b", "groq/openai/gpt-oss-20b"),
        ("litellm", "groq/openai/gpt-oss-20b", "groq/openai/gpt-oss-20b"),
        ("litellm", "openai/gpt-4o-mini", "gpt-4o-mini"),
        ("litellm", "anthropic/claude-haiku-4-5", "claude-haiku-4-5"),
        ("litellm", "cohere/command-r-08-2024", "command-r-08-2024"),
        ("litellm", "mistral/mistral-large-latest", "mistral/mistral-large-latest"),
        ("openai", "gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct"),
    ],
)
def test_a_price_is_the_one_in_the_map(backend: str, model: str, key: str) -> None:
    spec = find_spec("litellm")
    assert spec is not None and spec.origin is not None
    entry = json.loads(Path(spec.origin).with_name(MAP).read_bytes())[key]
    model_price = price(backend, model)
    assert model_price is not None
    assert model_price.usd_per_prompt_token == entry["input_cost_per_token"]
    assert model_price.usd_per_output_token == entry["output_cost_per_token"]
    assert key in model_price.source


@pytest.mark.parametrize("backend", ["embedded", "sglang", "vllm", "ollama", "url", "unheard-of"])
def test_own_hardware_has_no_price_even_for_a_model_with_one(backend: str) -> None:
    assert price(backend, "gpt-4o-mini") is None


@pytest.mark.parametrize(
    ("backend", "model"),
    [("openai", "claude-haiku-4-5"), ("litellm", "openai/claude-haiku-4-5"), ("anthropic", "o3")],
)
def test_a_model_of_another_provider_has_no_price(backend: str, model: str) -> None:
    assert price(backend, model) is None


@pytest.mark.parametrize("backend", sorted(KEYS))
@pytest.mark.parametrize("model", ["", "no-such-model", "{model}", "sample_spec"])
def test_an_unknown_model_has_no_price(backend: str, model: str) -> None:
    assert price(backend, model) is None


@pytest.mark.parametrize("model", ["dall-e-3", "ollama/llama2"])
def test_a_model_that_is_not_sold_by_the_token_has_no_price(model: str) -> None:
    assert price("litellm", model) is None


@pytest.mark.slow
def test_looking_a_price_up_does_not_import_litellm() -> None:
    code = (
        "import sys; from services.ask.prices import price; assert price('openai', 'gpt-4o-mini');"
        "print('litellm' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.strip() == "False"
