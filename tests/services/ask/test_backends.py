"""A backend is resolved or names what is missing; a key goes to its own address only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.destination import Destination
from services.ask.address import origin, origin_url
from services.ask.backends import (
    BACKENDS,
    BackendProblem,
    KeyProblem,
    Target,
    address,
    has_key,
    lane,
    server_text,
    target,
)
from services.ask.backends.wire_formats import body
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.ask.work_item import WorkItem
from services.load.session import Session
from services.report.spans.settings import VARIABLES
from services.servers.engines import ENGINES

KEYS = {
    "GROQ_API_KEY": "gsk_groq",
    "OPENAI_API_KEY": "sk-openai",
    "ANTHROPIC_API_KEY": "sk-ant-anthropic",
    "SGLANG_API_KEY": "sglang-key",
    "VLLM_API_KEY": "vllm-key",
    "PACELINE_URL": "https://llm.example.org/v1",
    "PACELINE_URL_API_KEY": "url-key",
    "LITELLM_MODEL": "mistral/small",
    "LITELLM_API_KEY": "litellm-key",
}


def target_of(env: dict[str, str], **config: Any) -> Target:
    return target(RunConfig(**config), env)


@pytest.mark.parametrize(
    ("backend", "base_url", "key"),
    [
        ("embedded", None, None),
        ("sglang", "http://127.0.0.1:30010/v1", "sglang-key"),
        ("vllm", "http://127.0.0.1:8000/v1", "vllm-key"),
        ("groq", "https://api.groq.com/openai/v1", "gsk_groq"),
        ("openai", "https://api.openai.com/v1", "sk-openai"),
        ("anthropic", "https://api.anthropic.com/v1", "sk-ant-anthropic"),
        ("ollama", "http://127.0.0.1:11434/v1", None),
        ("url", "https://llm.example.org/v1", "url-key"),
        ("litellm", None, "litellm-key"),
    ],
)
def test_every_backend_has_its_address_and_its_key(
    backend: str, base_url: str | None, key: str | None
) -> None:
    resolved = target_of(KEYS, backend=backend)
    assert (resolved.backend, resolved.base_url, resolved.key) == (backend, base_url, key)
    assert resolved.client == ("litellm" if backend == "litellm" else "wire")


def test_the_table_has_the_backends_of_the_form() -> None:
    names = ["embedded", "sglang", "vllm", "groq", "openai", "anthropic", "ollama", "url"]
    assert list(BACKENDS) == [*names, "litellm"]
    assert all(BACKENDS[name].name == name for name in names)


def test_a_run_overrides_address_and_model_of_the_environment() -> None:
    env = {"VLLM_BASE_URL": "http://gpu-7:9000/", "VLLM_MODEL": "phi"}
    assert target_of(env, backend="vllm") == Target("vllm", "http://gpu-7:9000/v1", "phi")
    resolved = target_of(env, backend="vllm", base_url="http://gpu-8:9001/api", model=" qwen ")
    assert resolved == Target("vllm", "http://gpu-8:9001/api", "qwen")


def test_a_blank_variable_counts_as_unset() -> None:
    env = {"VLLM_BASE_URL": " ", "VLLM_API_KEY": "", "VLLM_MODEL": ""}
    assert target_of(env, backend="vllm") == Target("vllm", "http://127.0.0.1:8000/v1")


# --- keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base_url",
    [
        "https://evil.example/v1",
        "http://api.openai.com/v1",  # the same name, in the clear
        "https://api.openai.com:8443/v1",
        "https://api.openai.com.evil.example/v1",
        "http://127.0.0.1:30010/v1",
    ],
)
@pytest.mark.parametrize("backend", ["openai", "groq"])
def test_the_key_of_a_cloud_is_never_sent_to_another_address(backend: str, base_url: str) -> None:
    with pytest.raises(BackendProblem, match=r"_API_KEY is not sent to .*choose the backend url"):
        target_of(KEYS, backend=backend, base_url=base_url)


def test_one_cloud_does_not_get_the_key_of_another() -> None:
    with pytest.raises(BackendProblem, match=r"OPENAI_API_KEY is not sent to api\.groq\.com"):
        target_of(KEYS, backend="openai", base_url="https://api.groq.com/openai/v1")


@pytest.mark.parametrize("backend", ["sglang", "vllm", "url"])
def test_the_key_of_an_own_server_is_not_sent_to_an_address_of_a_run(backend: str) -> None:
    assert target_of(KEYS, backend=backend, base_url="http://10.0.0.9:8000").key is None


def test_a_key_without_an_address_of_its_own_is_sent_nowhere() -> None:
    env = {"PACELINE_URL_API_KEY": "url-key"}
    assert target_of(env, backend="url", base_url="http://10.0.0.9:8000").key is None


@pytest.mark.parametrize(
    ("backend", "base_url"),
    [
        ("openai", "https://API.openai.com:443"),
        ("openai", "https://api.openai.com/v1/chat/completions?version=2"),
        ("groq", "https://api.groq.com/openai/v1/"),
        ("url", "https://llm.example.org/other"),
    ],
)
def test_a_key_is_sent_to_its_own_host_however_that_is_written(backend: str, base_url: str) -> None:
    assert target_of(KEYS, backend=backend, base_url=base_url).key is not None


@pytest.mark.parametrize("backend", ["openai", "groq", "vllm", "sglang", "url"])
@pytest.mark.parametrize(
    ("base_url", "goes"),
    [
        ("https://llm.example", True),
        ("https://LLM.example:443/other/path?version=2", True),
        ("http://llm.example", False),
        ("https://llm.example:8443", False),
        ("https://llm.example.evil.example", False),
    ],
)
def test_a_typed_key_goes_to_the_origin_that_it_was_typed_for(
    backend: str, base_url: str, goes: bool
) -> None:
    config = RunConfig(backend=backend, base_url=base_url)
    typed = {("https", "llm.example", 443): "typed-key"}
    if goes:
        assert target(config, KEYS, typed).key == "typed-key"
    elif BACKENDS[backend].needs_key:
        with pytest.raises(KeyProblem, match="is not sent to"):
            target(config, KEYS, typed)
    else:
        assert target(config, {}, typed).key is None


def test_a_typed_key_overrides_that_of_the_environment_under_the_same_name() -> None:
    typed = {("https", "api.openai.com", 443): "typed-key"}
    assert target(RunConfig(backend="openai"), KEYS, typed).key == "typed-key"
    assert target(RunConfig(backend="groq"), KEYS, typed).key == KEYS["GROQ_API_KEY"]
    named = RunConfig(
        backend="url",
        base_url="https://api.openai.com",
        headers={"api-key": "$PACELINE_URL_API_KEY"},
    )
    resolved = target(named, {}, typed)
    assert (resolved.key, resolved.headers) == (None, (("api-key", "typed-key"),))
    other = named.model_copy(update={"headers": {"X": "$PACELINE_URL_HEADER_X"}})
    with pytest.raises(BackendProblem, match="PACELINE_URL_HEADER_X is not sent to"):
        target(other, {"PACELINE_URL_HEADER_X": "secret"}, typed)


PROD = {"PROD_API_KEY": "sk-prod", "PROD_BASE_URL": "https://prod.example/v1"}


@pytest.mark.parametrize("backend", ["url", "vllm", "sglang", "groq", "openai"])
def test_a_key_of_a_named_variable_goes_to_the_address_beside_it(backend: str) -> None:
    config = {"backend": backend, "model": "m", "key_env": "PROD_API_KEY"}
    sent = target_of(KEYS | PROD, base_url="https://prod.example/other", **config)
    assert sent.key == "sk-prod"
    for elsewhere in ("https://evil.example/v1", "http://prod.example/v1", None):
        with pytest.raises(BackendProblem, match=r"PROD_API_KEY is not sent to .*PROD_BASE_URL"):
            target_of(KEYS | PROD, base_url=elsewhere, **config)


def test_a_backends_key_is_not_sent_to_another_address() -> None:
    with pytest.raises(BackendProblem, match=r"OPENAI_API_KEY is not sent to evil\.example"):
        target_of(KEYS, backend="url", base_url="https://evil.example/v1", key_env="OPENAI_API_KEY")
    env = KEYS | {"SECRET_API_KEY": "x"}
    with pytest.raises(BackendProblem, match="goes to the address in SECRET_BASE_URL only"):
        target_of(env, backend="url", key_env="SECRET_API_KEY")
    at_home = target_of(
        KEYS, backend="url", base_url="https://api.openai.com/v1", key_env="OPENAI_API_KEY"
    )
    assert at_home.key == "sk-openai"


def test_a_key_variable_without_a_key_is_reported() -> None:
    env = {"PROD_BASE_URL": "https://prod.example/v1"}
    with pytest.raises(KeyProblem, match="PROD_API_KEY is not set"):
        target_of(env, backend="url", base_url="https://prod.example", key_env="PROD_API_KEY")


@pytest.mark.parametrize("backend", ["embedded", "ollama", "litellm"])
def test_a_backend_without_a_key_takes_no_key_variable(backend: str) -> None:
    with pytest.raises(BackendProblem, match=r"Leave (key_env|it) empty"):
        target_of(KEYS | PROD, backend=backend, model="", key_env="PROD_API_KEY")


def test_an_invalid_typed_key_is_not_repeated_in_the_message() -> None:
    typed = {("https", "llm.example", 443): "two words"}
    with pytest.raises(
        BackendProblem, match=r"^The key for llm\.example contains a space"
    ) as raised:
        target(RunConfig(backend="url", base_url="https://llm.example"), {}, typed)
    assert "two words" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["https://llm.example", "http://10.0.0.9:8000", "http://[::1]:8000", "http://h:443"]
)
def test_an_origin_is_written_as_it_is_read(url: str) -> None:
    assert origin_url(origin(f"{url}/v1")) == url


def test_the_environment_can_send_a_key_to_another_address() -> None:
    env = {**KEYS, "OPENAI_BASE_URL": "http://gateway:4000"}
    assert target_of(env, backend="openai").key == "sk-openai"
    with pytest.raises(BackendProblem, match=r"not sent to api\.openai\.com"):
        target_of(env, backend="openai", base_url="https://api.openai.com/v1")


def test_litellm_takes_no_address_from_a_run_in_either_field() -> None:
    with pytest.raises(BackendProblem, match="Leave the address empty"):
        target_of(KEYS, backend="litellm", base_url="https://evil.example")
    with pytest.raises(BackendProblem, match="needs a model prefixed with its provider"):
        target_of(KEYS, backend="litellm", model="huggingface/https://evil.example")


def test_the_litellm_key_goes_to_the_provider_of_the_litellm_model_only() -> None:
    assert target_of(KEYS, backend="litellm", model="mistral/large").key == "litellm-key"
    assert target_of(KEYS, backend="litellm", model="anthropic/claude").key is None


def test_no_repr_contains_a_key() -> None:
    for backend in BACKENDS:
        resolved = target_of(KEYS, backend=backend)
        work_item = WorkItem(RunConfig(), target=resolved, env=KEYS)
        session = Session(work_item, KEYS, print, 0, secrets=resolved.secrets)
        sent = Destination("", "", {}, {"target": KEYS})
        text = f"{resolved} {resolved!r} {work_item!r} {session!r} {sent!r}"
        assert not [name for name, key in KEYS.items() if name.endswith("_KEY") and key in text]


def test_whether_a_key_is_set_is_shown_without_the_key() -> None:
    assert has_key(BACKENDS["groq"], KEYS) is True
    assert has_key(BACKENDS["groq"], {"GROQ_API_KEY": " "}) is False
    assert has_key(BACKENDS["ollama"], KEYS) is None


# --- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "config", "sentence"),
    [
        (
            {},
            {"backend": "groq"},
            "Groq needs a key: put GROQ_API_KEY=… in .env.",
        ),
        (
            {},
            {"backend": "openai"},
            "OpenAI needs a key: put OPENAI_API_KEY=… in .env.",
        ),
        (
            {},
            {"backend": "url"},
            "Enter the server's address (OpenAI-compatible URL), or put PACELINE_URL=… in .env.",
        ),
        (
            {},
            {"backend": "nope"},
            "There is no backend 'nope'. Choose one of embedded, sglang, vllm, groq, openai, "
            "anthropic, ollama, url and litellm.",
        ),
        (
            {},
            {"backend": "litellm", "model": "gpt-4o"},
            'LiteLLM needs a model prefixed with its provider, such as "anthropic/claude-…": enter '
            "one, or put LITELLM_MODEL=… in .env.",
        ),
        (
            {},
            {"base_url": "http://127.0.0.1:8000"},
            "The embedded backend has no address: Paceline starts it. For an existing server, "
            "choose the backend url.",
        ),
        (
            {},
            {"model": "gpt-4o"},
            "The embedded backend only serves smollm2-135m-instruct. Leave model empty.",
        ),
        (
            {"VLLM_BASE_URL": "127.0.0.1:8000"},
            {"backend": "vllm"},
            "VLLM_BASE_URL is not an address: it must start with http:// or https:// and name a "
            "host.",
        ),
        (
            {"VLLM_BASE_URL": "http://user:secret@host"},
            {"backend": "vllm"},
            "VLLM_BASE_URL must not contain a user, password or fragment: put the key into "
            ".env instead, into the backend's variable, such as PACELINE_URL_API_KEY.",
        ),
        (
            {"GROQ_API_KEY": "gsk_x\r\nX-Evil: 1"},
            {"backend": "groq"},
            "GROQ_API_KEY contains a space or another character that is not allowed in a key.",
        ),
        (
            {"VLLM_BASE_URL": "http://a..b"},
            {"backend": "vllm"},
            "VLLM_BASE_URL contains an invalid host name or path.",
        ),
    ],
)
def test_a_missing_setting_of_a_backend_is_named(
    env: dict[str, str], config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BackendProblem) as caught:
        target(RunConfig(**config), env)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("backend", BACKENDS)
def test_ignore_eos_is_sent_only_to_backends_that_support_it(backend: str) -> None:
    config = RunConfig(backend=backend, ignore_eos=True)
    if BACKENDS[backend].supports_ignore_eos:
        assert body(config, target(config, KEYS), "Hi")["ignore_eos"] is True
    else:
        with pytest.raises(BackendProblem, match="does not support ignore_eos"):
            target(config, KEYS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_min_tokens_is_sent_only_to_backends_that_support_it(backend: str) -> None:
    config = RunConfig(backend=backend, min_tokens=100, max_tokens=60)
    if backend in ("sglang", "vllm", "url"):
        assert body(config, target(config, KEYS), "Hi")["min_tokens"] == 60
        with pytest.raises(BackendProblem, match="Anthropic Messages has no min_tokens"):
            target(config.model_copy(update={"dialect": "anthropic"}), KEYS)
    else:
        with pytest.raises(BackendProblem, match="does not support min_tokens"):
            target(config, KEYS)


def test_the_engines_and_the_url_backend_support_ignore_eos() -> None:
    supporting = {name for name, backend in BACKENDS.items() if backend.supports_ignore_eos}
    assert supporting == {"embedded", "sglang", "vllm", "url"}


# --- the rest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "embedded"),
        ({"backend": "sglang"}, "127.0.0.1:30010"),
        ({"backend": "groq"}, "api.groq.com:443"),
        ({"backend": "litellm", "model": "anthropic/claude"}, "litellm anthropic"),
        ({"backend": "litellm"}, "litellm mistral"),
        ({"backend": "vllm", "base_url": "http://LOCALHOST:30010/other"}, "127.0.0.1:30010"),
        ({"backend": "url", "base_url": "http://[::1]:30010"}, "127.0.0.1:30010"),
        ({"backend": "url", "base_url": "http://gpu-7"}, "gpu-7:80"),
    ],
)
def test_runs_of_the_same_server_share_a_lane(config: dict[str, Any], expected: str) -> None:
    assert lane(RunConfig(**config), KEYS) == expected


def test_a_run_without_an_address_has_no_lane() -> None:
    with pytest.raises(BackendProblem, match="Enter the server's address"):
        lane(RunConfig(backend="url"), {})


def test_the_default_address_of_a_backend_is_shown() -> None:
    assert address(BACKENDS["openai"], {}) == "https://api.openai.com/v1"


def test_an_embedded_target_gets_address_and_model_when_its_engine_runs() -> None:
    resolved = target_of({}).at("http://127.0.0.1:4242/v1").with_model("other")
    assert resolved == Target("embedded", "http://127.0.0.1:4242/v1", "other")
    assert resolved.netloc == "127.0.0.1:4242"


def test_a_request_asks_for_a_stream_with_usage_and_says_how_to_sample() -> None:
    config = RunConfig(backend="vllm", model="m", max_tokens=9, top_p=0.5, seed=0)
    assert body(config, target(config, {}), "Hi") == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 0,
    }


def test_openai_gets_its_own_field_names_and_not_its_own_defaults() -> None:
    config = RunConfig(backend="openai", model="m", max_tokens=9, temperature=1)
    request = body(config, target(config, KEYS), "Hi")
    assert request["max_completion_tokens"] == 9
    assert not {"max_tokens", "temperature", "top_p", "seed", "ignore_eos"} & set(request)


def test_an_address_in_a_config_is_valid_or_reported() -> None:
    for written in ("http://a\tb", "http://h:0", "http://ü.de", "http://h/a b", "http://[::1]:8"):
        try:
            config = parse({"backend": "url", "base_url": written})
            assert target(config, {}).base_url == "http://[::1]:8/v1"
        except (InvalidConfig, BackendProblem) as problem:
            assert str(problem).endswith(".")


def test_the_example_of_an_env_file_lists_every_variable_with_its_default() -> None:
    lines = (Path(__file__).parents[3] / ".env.example").read_text().splitlines()
    listed = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    own = (
        "DATABASE_URL",
        "ALLOWED_HOSTS",
        "ALLOW_ANYONE",
        "ENGINES",
        "DEBUG",
        "LOG",
        "TOKEN_TIMES_DAYS",
    )
    own += ("SIGN_IN", "ADMINS", "RUNNERS", "VIEWERS", "RAY_CLUSTERS")
    own += ("MAX_CONCURRENT_REQUESTS", "KEEP_TASKS_DAYS")
    read: dict[str, str] = {f"PACELINE_{name}": "" for name in own}
    for backend in BACKENDS.values():
        named = (backend.url_env, backend.key_env, backend.model_env)
        read |= {name: "" for name in named if name}
        if backend.url_env:
            read[backend.url_env] = backend.base_url or ""
    read |= {engine.python[0]: "" for engine in ENGINES.values() if engine.python}
    read |= dict.fromkeys(VARIABLES, "")
    assert listed == read


@pytest.mark.parametrize(
    ("backend", "where", "text"),
    [
        ("vllm", "http://10.0.0.5:8000/v1", "vllm"),
        ("url", "http://10.0.0.5:8000/v1", "10.0.0.5:8000"),
        ("url", "[::1]:8000", "[::1]:8000"),
        ("url", None, ""),
        ("import", None, ""),
    ],
)
def test_any_server_is_named_by_its_address(backend: str, where: str | None, text: str) -> None:
    assert server_text(backend, where) == text
