"""What names a secret, by the kind of what is named."""

from __future__ import annotations

from typing import get_args

import pytest

from services.base.secret_patterns import Kind, begins_with_key, holds_key, names_secret

KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "Api-Key",
        "x.api.key",
        "apiKey",
        "X-ApiKey",
        "AWS_SECRET_ACCESS_KEY",
        "client_secret",
        "password",
        "ssl-keyfile-password",
        "passphrase",
        "credentials",
        "Authorization",
        "access_token",
        "bearer-token",
        "authToken",
        "token",
    ],
)
def test_some_words_name_a_secret_in_every_kind_of_name(name: str, kind: Kind) -> None:
    assert names_secret(name, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    ["max_tokens", "model", "api-version", "tokenizer", "keyboard", "author", ""],
)
def test_some_words_never_name_a_secret(name: str, kind: Kind) -> None:
    assert not names_secret(name, kind)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("stop_token", {"variable", "header", "parameter", "argument"}),
        ("eos_token_id", {"header", "parameter"}),
        ("prompt_cache_key", {"variable", "header", "parameter"}),
        ("key", {"variable", "header", "parameter"}),
        ("sig", {"header", "parameter"}),
        ("cookie", {"variable", "header", "parameter", "field"}),
        ("jwt", {"header", "parameter", "field"}),
        ("pat", {"variable"}),
        ("PACELINE_URL_HEADER_ROUTE", {"variable"}),
        ("--ssl-keyfile-p", {"argument"}),
        ("--ssl-keyfile", set()),
        ("private_key", {"variable", "header", "parameter", "argument"}),
    ],
)
def test_some_words_name_a_secret_only_in_some_kinds_of_names(name: str, of: set[Kind]) -> None:
    assert {kind for kind in KINDS if names_secret(name, kind)} == of


@pytest.mark.parametrize("name", ["sk-abcdefgh", "hf_abcdefgh01234567x", "gsk-a1b2c3d4e5f6g7h8i9"])
def test_a_key_is_recognised_in_a_text_and_in_a_path(name: str) -> None:
    assert holds_key(f"the key {name}.")
    assert begins_with_key(name)


def test_a_model_name_in_a_path_is_not_a_key() -> None:
    assert not begins_with_key("hf-inference")
