"""Which variables are private, by their names and by what they hold."""

from __future__ import annotations

import pytest

from services.base.private_names import is_private, private, without_user


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "my_key",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AZURE_AD_TOKEN",
        "AZURE_CLIENT_SECRET",
        "AZURE_API_BASE",
        "REPLICATE_API_TOKEN",
        "WATSONX_APIKEY",
        "WATSONX_ZENAPIKEY",
        "WX_PROJECT_ID",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "VERTEXAI_PROJECT",
        "DB_PASSWORD",
        "PGPASSWORD",
        "GITHUB_TOKEN",
        "HF_TOKEN",
        "SENTRY_DSN",
        "SSH_AUTH_SOCK",
        "TOKEN",
        "VAULT_TOKEN_FILE",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    ],
)
def test_variables_with_names_of_secrets_are_private(name: str) -> None:
    assert is_private(name)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "PWD",
        "OLDPWD",
        "TOKENIZERS_PARALLELISM",
        "VLLM_MAX_TOKENS_PER_EXPERT",
        "SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK",
        "CUDA_VISIBLE_DEVICES",
        "NCCL_DEBUG",
        "VLLM_BASE_URL",
        "KEYBOARD",
        "LANG",
        "http_proxy",
        "OMP_NUM_THREADS",
    ],
)
def test_settings_of_engines_are_not_secrets(name: str) -> None:
    assert not is_private(name, "http://127.0.0.1:1/v1")


def test_an_address_with_a_user_is_private_whatever_it_is_called() -> None:
    assert is_private("ANYTHING", "postgresql://me:hush@db/name")
    assert not is_private("ANYTHING", "postgresql://db/name?of=me@home")


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("http://me:hush@proxy:3128", "http://proxy:3128"),
        ("me:hush@proxy:3128", "proxy:3128"),
        ("http://proxy:3128", "http://proxy:3128"),
        ("localhost,.example.org", "localhost,.example.org"),
    ],
)
def test_the_user_is_removed_from_the_address_of_a_proxy(address: str, bare: str) -> None:
    assert without_user(address) == bare


def test_variables_of_keys_for_litellm_and_of_proxies_are_private() -> None:
    env = {"ANTHROPIC_API_KEY": "a", "https_proxy": "http://p:1", "PATH": "/bin", "LANG": "C"}
    assert set(private(env)) == {"ANTHROPIC_API_KEY", "https_proxy"}
