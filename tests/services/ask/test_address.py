"""An address is what a client can use, or a sentence."""

from __future__ import annotations

import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ask.address import (
    Address,
    InvalidAddress,
    as_written,
    machine,
    normal_url,
    origin,
    parse_address,
)

ENDED = re.compile("/(chat/)?completions$")

NO_ADDRESS = "X is not an address: it must start with http:// or https:// and name a host."
NO_USER = (
    "X must not contain a user, password or fragment: put the key into .env instead, into the "
    "backend's variable, such as PACELINE_URL_API_KEY."
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://127.0.0.1:30010", "http://127.0.0.1:30010/v1"),
        ("http://127.0.0.1:30010/", "http://127.0.0.1:30010/v1"),
        (" http://host/v1/ ", "http://host/v1"),
        ("https://API.Groq.com/openai/v1", "https://api.groq.com/openai/v1"),
        ("http://host/v1/chat/completions", "http://host/v1"),
        ("http://host/v1/models/", "http://host/v1"),
        ("http://host/models", "http://host/v1"),
        ("http://my_service.local.:80/api", "http://my_service.local.:80/api"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
        ("http://host/?a=b", "http://host/v1"),
        ("http://host/api/paas/v4", "http://host/api/paas/v4"),
    ],
)
def test_an_address_becomes_a_base_url(written: str, expected: str) -> None:
    assert normal_url(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://h/chat/completions", Address("http://h", "/chat/completions")),
        ("http://h/v1/chat/completions/", Address("http://h/v1", "/v1/chat/completions")),
        ("http://h/v1/completions", Address("http://h/v1", "/v1/completions")),
        ("http://h/api/chat", Address("http://h/v1", "/api/chat")),
        ("http://h/v1?api-version=2", Address("http://h/v1", "", "api-version=2")),
        (
            "https://X.openai.azure.com/openai/deployments/D/chat/completions?api-version=2024-10",
            Address(
                "https://x.openai.azure.com/openai/deployments/D",
                "/openai/deployments/D/chat/completions",
                "api-version=2024-10",
            ),
        ),
    ],
)
def test_an_endpoint_and_a_query_are_kept_as_given(written: str, expected: Address) -> None:
    assert parse_address(written) == expected


@pytest.mark.parametrize(
    ("rest", "part"),
    [
        ("v1;key=sk-abc123456789/x", "parameter 'key'"),
        ("v1;TOKEN=hunter2", "parameter 'TOKEN'"),
        ("v1/api-key=hunter2/x", "parameter 'api-key'"),
        ("v1?a=1;key=hunter2", "parameter 'key'"),
        ("v1;a=1;sk-abc123456789/x", "path"),
        ("sk-abcdef1234567890/v1", "path"),
        ("%73k-abcdef1234567890/v1", "path"),
        ("hf_abcdEFGH0123456789ab/v1", "path"),
        ("v1?sk-abcdef1234567890", "query"),
        ("v1?sk-abcdef1234567890=x", "query"),
    ],
)
def test_a_key_is_refused_anywhere_in_an_address(rest: str, part: str) -> None:
    for check in (parse_address, as_written):
        with pytest.raises(
            ValueError, match=f"must not contain a key: its {part} looks like one"
        ) as one:
            check(f"http://host/{rest}")
        assert "hunter2" not in str(one.value) and "abcdef" not in str(one.value)


@pytest.mark.parametrize(
    "path",
    [
        *("hf-inference/v1", "hf-mixtral-8x22b-instruct/v1", "sk/v1", "v1;version=2/x"),
        *("token/v1", "v1/accounts/0123456789abcdef0123456789abcdef/ai/v1"),
    ],
)
def test_harmless_parts_of_a_path_are_kept(path: str) -> None:
    assert parse_address(f"https://host/{path}").base_url == as_written(f"https://host/{path}")


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("", NO_ADDRESS),
        (
            "host:8000",
            NO_ADDRESS,
        ),
        (
            "ftp://host",
            NO_ADDRESS,
        ),
        ("http://", NO_ADDRESS),
        (
            "http://:80",
            NO_ADDRESS,
        ),
        ("http://h:99999", "X is not an address: its host or port is invalid."),
        ("http://h:0", "X has port 0, which no server can use."),
        (
            "http://me:pw@host",
            NO_USER,
        ),
        (
            "http://@host",
            NO_USER,
        ),
        (
            "http://host/#v1",
            NO_USER,
        ),
        (
            "http://host/?a=b&api-key=1",
            "X must not contain a key: its parameter 'api-key' looks like one. Put the key into "
            ".env, into the backend's variable, such as PACELINE_URL_API_KEY, or send it as a "
            "header that names a variable.",
        ),
        ("http://host/?a=<b>", "X contains a query that cannot be sent."),
        (
            "http://::1:8000",
            "X is not an address: put an IPv6 host in brackets, http://[::1]:8000.",
        ),
        (
            "http://fe80::1/v1",
            "X is not an address: put an IPv6 host in brackets, http://[::1]:8000.",
        ),
        ("http://host/\r\nX-Evil: 1", "X contains a character that is not allowed in an address."),
        ("http://bücher.de", "X contains a character that is not allowed in an address."),
        ("http://a b/", "X contains an invalid host name or path."),
        ("http://host/a b", "X contains an invalid host name or path."),
        ('http://a"b', "X contains an invalid host name or path."),
        ("http://[::1]a:80", "X contains an invalid host name or path."),
        ("http://a[::1]:80", "X contains an invalid host name or path."),
        ("http://a..b", "X contains an invalid host name or path."),
        ("http://999.1.1.1", "X contains an invalid host name or path."),
        ("http://-a", "X contains an invalid host name or path."),
        (f"http://{'a' * 64}.de", "X contains an invalid host name or path."),
        (f"http://{'a.' * 127}de", "X contains an invalid host name or path."),
        (
            "http://host\\@evil",
            NO_USER,
        ),
    ],
)
def test_an_invalid_address_is_refused_with_a_message(written: str, sentence: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        normal_url(written, "X")
    assert str(caught.value) == sentence


def test_an_address_with_a_broken_bracket_is_invalid() -> None:
    with pytest.raises(InvalidAddress, match="X is not an address"):
        normal_url("http://[::1", "X")


@given(st.text(max_size=60) | st.from_regex(r"https?://[!-~]{1,40}", fullmatch=True))
def test_a_valid_address_round_trips_and_httpx_reads_it_alike(
    written: str,
) -> None:
    try:
        url, endpoint, query = parse_address(written)
    except InvalidAddress:
        return
    whole = (url.removesuffix(ENDED.sub("", endpoint)) + endpoint) if endpoint else url
    assert parse_address(f"{whole}?{query}" if query else whole) == (url, endpoint, query)
    assert origin(url)[2] == (httpx.URL(url).port or {"http": 80, "https": 443}[origin(url)[0]])
    assert httpx.URL(url).raw_host.decode("ascii") == origin(url)[1]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000/v1", "127.0.0.1:8000"),
        ("http://[::1]:8000/v1", "127.0.0.1:8000"),
        ("http://0.0.0.0:8000/v1", "127.0.0.1:8000"),
        ("https://api.groq.com/openai/v1", "api.groq.com:443"),
    ],
)
def test_different_spellings_of_a_machine_have_one_name(url: str, expected: str) -> None:
    assert machine(url) == expected
