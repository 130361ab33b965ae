"""Through a proxy: which one the environment names, and that requests go through a real one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from urllib.parse import urlsplit

import pytest

from services.ask.backends import BackendProblem, target
from services.ask.backends.proxy import proxy_for
from services.ask.config import RunConfig
from services.wire import Timeouts, Wire
from services.wire.exchange import Exchange
from tests.conftest import ReferenceServer
from tests.services.wire.test_wire import chat, exchange_of

CLOUD, PLAIN = "https://api.example.com/v1", "http://gpu.example.com:8000/v1"


@pytest.mark.parametrize(
    ("url", "env", "expected"),
    [
        (CLOUD, {}, None),
        (CLOUD, {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        (CLOUD, {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "http://p:1"),
        (CLOUD, {"HTTP_PROXY": "http://p:1"}, None),
        (PLAIN, {"http_proxy": "p:1"}, "http://p:1"),
        (PLAIN, {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        (PLAIN, {"http_proxy": "http://p:1", "NO_PROXY": "*"}, None),
        (PLAIN, {"http_proxy": "http://p:1", "no_proxy": "a.org, example.com"}, None),
        (PLAIN, {"http_proxy": "http://p:1", "no_proxy": ".example.com:8000"}, None),
        (PLAIN, {"http_proxy": "http://p:1", "no_proxy": "ample.com"}, "http://p:1"),
        ("http://10.2.3.4:8000/v1", {"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8"}, None),
        ("http://10.2.3.4:8000/v1", {"http_proxy": "http://p:1", "no_proxy": "a/b"}, "http://p:1"),
        ("http://127.0.0.1:8000/v1", {"http_proxy": "http://p:1"}, None),
        ("http://localhost:8000/v1", {"ALL_PROXY": "http://p:1"}, None),
    ],
)
def test_the_environment_names_the_proxy(
    url: str, env: dict[str, str], expected: str | None
) -> None:
    assert proxy_for(url, env) == expected


@pytest.mark.parametrize("written", ["socks5://p:1", "https://p:1", "http://", "http://p:99999"])
def test_an_invalid_proxy_is_reported_without_its_password(written: str) -> None:
    config = RunConfig(backend="url", base_url=PLAIN, model="m")
    with pytest.raises(BackendProblem, match="http_proxy is not the address of an HTTP proxy") as e:
        target(config, {"http_proxy": written.replace("//", "//user:hush@")})
    assert "hush" not in str(e.value)


def test_a_proxy_and_its_password_are_in_no_repr() -> None:
    config = RunConfig(backend="url", base_url=PLAIN, model="m")
    resolved = target(config, {"http_proxy": "http://user:hush@p:1"})
    assert resolved.proxy and "hush" not in repr(resolved)


@contextmanager
def proxy(refuses: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A forwarding HTTP proxy; yields its URL and the heads of the requests it was asked."""
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                Thread(target=forward, args=(client, heads, refuses), daemon=True).start()

        Thread(target=serve, daemon=True).start()
        yield f"http://user:hush@127.0.0.1:{listener.getsockname()[1]}", heads
        listener.shutdown(socket.SHUT_RDWR)


def forward(client: socket.socket, heads: list[bytes], refuses: bool) -> None:
    with client:
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        heads.append(data.partition(b"\r\n\r\n")[0])
        if refuses:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        method, where, _ = data.split(b" ", 2)
        parts = urlsplit((b"//" + where if method == b"CONNECT" else where).decode())
        with socket.create_connection((parts.hostname, parts.port)) as server:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(data.replace(where, parts.path.encode(), 1))
            there = Thread(target=pipe, args=(client, server))
            there.start()
            pipe(server, client)
            there.join()


def pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):  # either end is gone: close the other
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def through(url: str, proxy_url: str) -> Exchange:
    return exchange_of(
        Wire(chat(url), "sk-key", Timeouts(5.0), proxy_url), "ref tokens=5", "proxied"
    )


def test_a_plain_server_is_requested_with_its_full_address(reference: ReferenceServer) -> None:
    with proxy() as (url, heads):
        seen = through(reference.base_url, url)
    assert (seen.error, len(seen.token_times)) == (None, 5)
    assert heads[0].startswith(f"POST {reference.base_url}/chat/completions HTTP/1.1".encode())
    assert b"Proxy-Authorization: Basic dXNlcjpodXNo" in heads[0]


@pytest.mark.usefixtures("trusted")
def test_a_tls_server_is_reached_through_a_tunnel_that_sees_no_key(port: int) -> None:
    with proxy() as (url, heads):
        seen = through(f"https://localhost:{port}/v1", url)
    assert (seen.error, len(seen.token_times)) == (None, 5)
    assert heads[0].startswith(f"CONNECT localhost:{port} HTTP/1.1".encode())
    assert b"sk-key" not in heads[0] and b"dXNlcjpodXNo" in heads[0]


@pytest.mark.usefixtures("trusted")
def test_a_refused_tunnel_is_a_failed_request(port: int) -> None:
    with proxy(refuses=True) as (url, _):
        seen = through(f"https://localhost:{port}/v1", url)
    assert seen.error_class == "connect"
    assert "the proxy refuses it (407 Proxy Authentication Required)" in str(seen.error)


def test_a_proxy_where_nothing_listens_is_named(reference: ReferenceServer) -> None:
    seen = through("http://gpu.example.com:8000/v1", "http://user:hush@127.0.0.1:9")
    assert seen.error == "Nothing answers at the proxy 127.0.0.1:9."
