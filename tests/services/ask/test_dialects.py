"""A run is asked in the dialect that it chooses, or that its address or its backend has."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.ask import link
from services.ask.backends import BackendProblem, Target, stored_target, target
from services.ask.backends.dialects import DIALECTS, dialect_of
from services.ask.backends.wire_formats import bearer, body, chat_url, headers, hidden
from services.ask.config import DialectName, RunConfig, parse
from services.ask.dialogue import to_prompt
from services.ask.flag import command
from services.ask.problems import InvalidConfig
from services.servers.probe import probe
from tests.conftest import ReferenceServer
from tests.picky import Picky, serving
from tests.reference import KEY

ENV = {
    "VLLM_API_KEY": "vllm-key",
    "ANTHROPIC_API_KEY": "sk-ant-key",
    "OPENAI_API_KEY": "sk-openai",
    "LITELLM_MODEL": "mistral/small",
}
TURNS = to_prompt(
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
)


def aimed(**config: Any) -> Target:
    return target(parse({"model": "m", **config}), ENV)


VLLM, OLLAMA = "http://127.0.0.1:8000/v1", "http://127.0.0.1:11434"
ANTHROPIC = "https://api.anthropic.com/v1"


@pytest.mark.parametrize(
    ("backend", "base_url", "chosen", "dialect", "url"),
    [
        ("vllm", None, None, "chat", f"{VLLM}/chat/completions"),
        ("vllm", None, "chat", "chat", f"{VLLM}/chat/completions"),
        ("vllm", None, "completions", "completions", f"{VLLM}/completions"),
        ("vllm", None, "responses", "responses", f"{VLLM}/responses"),
        ("vllm", None, "anthropic", "anthropic", f"{VLLM}/messages"),
        ("anthropic", None, None, "anthropic", f"{ANTHROPIC}/messages"),
        ("anthropic", None, "chat", "chat", f"{ANTHROPIC}/chat/completions"),
        ("ollama", None, None, "ollama", f"{OLLAMA}/api/chat"),
        ("ollama", None, "responses", "responses", f"{OLLAMA}/v1/responses"),
        ("url", "http://h", "ollama", "ollama", "http://h/api/chat"),
        ("ollama", "http://h/api/chat", None, "ollama", "http://h/api/chat"),
        ("ollama", "http://h/proxy/api/", None, "ollama", "http://h/proxy/api/chat"),
        ("ollama", "http://h/api", "chat", "chat", "http://h/v1/chat/completions"),
        ("url", "http://h/api", "ollama", "ollama", "http://h/api/chat"),
        ("url", "http://h/api", None, "chat", "http://h/api/chat/completions"),
        ("url", "http://h/proxy/api/chat?a=b", None, "ollama", "http://h/proxy/api/chat?a=b"),
        ("url", "http://h/api/chat/completions", None, "chat", "http://h/api/chat/completions"),
        ("url", "http://h/v1/responses", None, "responses", "http://h/v1/responses"),
        ("url", "http://h/x/messages?a=b", None, "anthropic", "http://h/x/messages?a=b"),
        ("url", "http://h/completions", "completions", "completions", "http://h/completions"),
    ],
)
def test_an_address_determines_the_url_and_the_api_format(
    backend: str, base_url: str | None, chosen: str | None, dialect: DialectName, url: str
) -> None:
    config = {"backend": backend, "base_url": base_url, "dialect": chosen}
    resolved = aimed(**config)
    assert (resolved.dialect, chat_url(resolved)) == (dialect, url)
    assert dialect_of(parse(config)) == dialect
    assert stored_target.whole(stored_target.public(resolved), {}).dialect == dialect


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"backend": "url", "base_url": "http://h/v1/messages", "dialect": "chat"},
            "The address ends in /messages, but the API format is chat (/chat/completions). Leave "
            "out one of the two.",
        ),
        (
            {"backend": "embedded", "model": "", "dialect": "ollama"},
            "Embedded llama.cpp offers chat, completions, responses and anthropic, but not ollama.",
        ),
        (
            {"backend": "vllm", "client": "litellm", "dialect": "completions"},
            "LiteLLM only supports chat completions. Leave the API format empty, or measure with "
            "Paceline's own client.",
        ),
        (
            {"backend": "litellm", "model": "mistral/small", "dialect": "anthropic"},
            "LiteLLM only supports chat completions. Leave the API format empty, or measure with "
            "Paceline's own client.",
        ),
        (
            {"backend": "vllm", "dialect": "anthropic", "ignore_eos": True},
            "Anthropic Messages has no ignore_eos. Turn it off.",
        ),
        (
            {"backend": "anthropic", "omit": ["max_tokens"]},
            "Anthropic Messages requires max_tokens: do not omit it.",
        ),
    ],
)
def test_an_unusable_dialect_is_refused_with_the_reason(
    config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BackendProblem) as problem:
        aimed(**config)
    assert str(problem.value) == sentence


@pytest.mark.parametrize("client", ["wire", "litellm"])
def test_litellm_always_uses_chat_completions(client: str) -> None:
    dialect = aimed(backend="anthropic", client=client).dialect
    assert dialect == ("chat" if client == "litellm" else "anthropic")


BODIES: dict[DialectName, dict[str, Any]] = {
    "chat": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Bye"},
        ],
        "stream_options": {"include_usage": True},
        "max_tokens": 7,
        "temperature": 0.0,
        "seed": 1,
    },
    "completions": {
        "prompt": "Be brief.\n\nHi\n\nHello\n\nBye",
        "stream_options": {"include_usage": True},
        "max_tokens": 7,
        "temperature": 0.0,
        "seed": 1,
    },
    "responses": {
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Bye"},
        ],
        "store": False,
        "max_output_tokens": 7,
        "temperature": 0.0,
        "seed": 1,
    },
    "anthropic": {
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Bye"},
        ],
        "max_tokens": 7,
        "temperature": 0.0,
    },
    "ollama": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Bye"},
        ],
        "options": {"num_predict": 7, "temperature": 0.0, "seed": 1},
    },
}


@pytest.mark.parametrize("dialect", BODIES)
def test_a_request_is_written_in_its_dialect(dialect: DialectName) -> None:
    config = parse({"backend": "vllm", "dialect": dialect, "max_tokens": 7, "seed": 1})
    expected = {"model": "m", "stream": True, **BODIES[dialect]}
    assert body(config, target(config, ENV).with_model("m"), TURNS) == expected


def test_every_dialect_has_an_expected_request() -> None:
    assert BODIES.keys() == DIALECTS.keys()


def test_no_temperature_is_sent_to_anthropic_unless_it_is_set() -> None:
    """Its newest models reject any."""
    for given, sent in (({}, {}), ({"temperature": 0.5}, {"temperature": 0.5})):
        config = parse({"backend": "anthropic", "model": "m", **given})
        assert body(config, target(config, ENV), "Hi").keys() & {"temperature"} == sent.keys()


def test_anthropic_gets_the_key_in_its_own_header_only() -> None:
    resolved = aimed(backend="anthropic")
    assert bearer(resolved) is None
    assert headers(resolved) == (("anthropic-version", "2023-06-01"), ("x-api-key", "sk-ant-key"))
    assert "sk-ant-key" in hidden(resolved)
    assert "sk-ant-key" not in f"{resolved!r}{stored_target.public(resolved)}"


def test_other_servers_that_offer_messages_get_the_key_in_both_headers() -> None:
    resolved = aimed(backend="vllm", dialect="anthropic")
    assert bearer(resolved) == dict(headers(resolved))["x-api-key"] == "vllm-key"
    assert not headers(aimed(backend="vllm"))


def test_a_runs_own_headers_replace_those_of_the_dialect() -> None:
    own = {"Anthropic-Version": "2024-01-01", "X-Api-Key": "$ANTHROPIC_API_KEY"}
    sent = headers(aimed(backend="anthropic", headers=own))
    assert sent == (("Anthropic-Version", "2024-01-01"), ("X-Api-Key", "sk-ant-key"))


@pytest.mark.parametrize("name", ["input", "max_output_tokens"])
def test_the_fields_of_a_dialect_are_set_by_their_own_options(name: str) -> None:
    with pytest.raises(InvalidConfig, match=name):
        parse({"backend": "vllm", "extra_body": {name: 1}})


@pytest.mark.parametrize(
    ("backend", "name", "extra", "sent"),
    [
        (
            "ollama",
            "options",
            {"num_ctx": 8192},
            {"num_predict": 128, "temperature": 0.0, "num_ctx": 8192},
        ),
        (
            "vllm",
            "stream_options",
            {"continuous_usage_stats": True},
            {"include_usage": True, "continuous_usage_stats": True},
        ),
        ("vllm", "stream_options", None, None),
        ("vllm", "chat_template_kwargs", {"a": 1}, {"a": 1}),
    ],
)
def test_extra_fields_of_an_object_are_added_to_its_own(
    backend: str, name: str, extra: Any, sent: Any
) -> None:
    config = parse({"backend": backend, "model": "m", "extra_body": {name: extra}})
    assert body(config, target(config, ENV), "Hi")[name] == sent


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="dialect must be one of 'chat', 'completions'"):
        parse({"dialect": "grpc"})


def test_a_dialect_is_in_a_runs_link_and_command() -> None:
    config = parse({"backend": "vllm", "dialect": "responses"})
    assert "--dialect responses" in (command(config) or "")
    assert link.query({"dialect": "responses"}, RunConfig()) == {"dialect": "responses"}
    assert link.read({"dialect": "responses"}, RunConfig())[0].dialect == "responses"


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_server_is_tested_in_the_runs_dialect(
    reference: ReferenceServer, dialect: DialectName
) -> None:
    config = parse({"backend": "url", "base_url": reference.base_url, "dialect": dialect})
    model = "ref fault=needs-key tokens=3"
    env = {"PACELINE_URL": reference.base_url, "PACELINE_URL_API_KEY": KEY}
    result = asyncio.run(probe(target(config, env).with_model(model), config=config))
    assert (result.problem, result.streams, result.reports_usage) == (None, True, True)


def test_a_server_without_the_dialect_says_so() -> None:
    with serving(Picky()) as picky:
        config = RunConfig(backend="url", base_url=f"{picky.url}/v1", dialect="responses")
        result = asyncio.run(probe(target(config, {}).with_model("m"), config=config))
    host = picky.url.removeprefix("http://")
    assert result.problem == (
        f"{host} has no /v1/responses (HTTP 404): it does not offer the API format responses, or "
        "the path of the address is wrong."
    )
