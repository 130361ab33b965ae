"""By which names Paceline may be asked, and what is said of settings that name none."""

from __future__ import annotations

import pytest

from services.base.hosts import LOOPBACK, InvalidHosts, allowed, host_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:8501", "127.0.0.1"),
        ("LOCALHOST", "localhost"),
        ("[::1]:8501", "::1"),
        ("bench.example.org:", "bench.example.org"),
        ("127.0.0.1:8501, evil.example", None),
        ("evil.example\\@127.0.0.1", None),
        ("user@127.0.0.1", None),
        ("127.0.0.1\n", None),
        ("", None),
    ],
)
def test_a_host_header_is_a_name_with_an_optional_port(host: str, name: str | None) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("written", "more"),
    [
        ("", set()),
        (" , ", set()),
        ("bench.example.org", {"bench.example.org"}),
        (" Bench.Example.org ,10.0.0.5,", {"bench.example.org", "10.0.0.5"}),
        ("bench:8501,[fe80::1]:80,fe80::2", {"bench", "fe80::1", "fe80::2"}),
    ],
)
def test_allowed_hosts_come_from_the_environment(written: str, more: set[str]) -> None:
    assert allowed({"PACELINE_ALLOWED_HOSTS": written}) == LOOPBACK | more


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("*", "a pattern would let pages of other websites act here"),
        ("10.0.0.5,*.example.org", "'*.example.org', but a pattern"),
        ("https://bench.example.org:8501/x", "Write only the host name: bench.example.org."),
        ("http://[fe80::1]/", "Write only the host name: fe80::1."),
        ("bench.example.org/paceline", "not a host name. Write only the host name"),
        ("two names", "not a host name"),
        ("http://", "Write only the host name: bench.example.org."),
    ],
)
def test_an_invalid_host_is_refused_with_what_to_write(written: str, message: str) -> None:
    with pytest.raises(InvalidHosts) as refused:
        allowed({"PACELINE_ALLOWED_HOSTS": written})
    assert message in str(refused.value)
