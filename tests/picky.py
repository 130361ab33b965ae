"""A server that wants its requests just so, on a real socket, with TLS where asked for."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

Body = dict[str, Any]
Refusal = tuple[int, Any] | None
MODELS = {"object": "list", "data": [{"id": "m"}]}


@dataclass
class Picky:
    """`refuses(body, headers)` returns a status and a JSON body, or None where it answers;
    `refuses_list(headers)` the same for what is only read, such as its models. `paths`
    are its endpoints; `models` is what it lists, by path. What was asked is kept."""

    refuses: Callable[[Body, dict[str, str]], Refusal] = lambda body, headers: None
    refuses_list: Callable[[dict[str, str]], Refusal] = lambda headers: None
    paths: tuple[str, ...] = ("/v1/chat/completions",)
    models: dict[str, Any] = field(default_factory=lambda: {"/v1/models": MODELS})
    redirects: str = ""
    asked: list[tuple[str, dict[str, str], Body]] = field(default_factory=list)
    listed: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""  # without a path


def answer(body: Body) -> bytes:
    """Four tokens as a stream, with usage where it is asked for."""
    text = "prompt" in body
    parts: list[Body] = []
    for word in ("one ", "two ", "three ", "four"):
        parts.append({"text": word} if text else {"delta": {"content": word}})
    chunks: list[Body] = [{"choices": [{"index": 0, **part}]} for part in parts]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
    if body.get("stream_options"):
        usage = {"prompt_tokens": 5, "completion_tokens": 4}
        chunks.append({"choices": [], "usage": usage})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


@contextmanager
def serving(
    picky: Picky,
    certificate: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[Picky]:
    """Serve until the block ends; `picky.url` is where."""
    server = _Server((host, port), _handler(picky))
    if certificate is not None:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    name = f"[{host}]" if ":" in host else host
    picky.url = f"{'https' if certificate else 'http'}://{name}:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield picky
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us ends the handshake: nothing to print."""


def _handler(picky: Picky) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            picky.listed.append((self.path, dict(self.headers)))
            page = picky.models.get(urlsplit(self.path).path)
            if refusal := picky.refuses_list(dict(self.headers)):
                self.say(*refusal)
            elif page is None:
                self.say(404, {"detail": "Not Found"})
            else:
                self.say(200, page)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = dict(self.headers)
            picky.asked.append((self.path, headers, body))
            if picky.redirects:
                self.say(307, {}, Location=picky.redirects)
            elif urlsplit(self.path).path not in picky.paths:
                self.say(404, {"detail": "Not Found"})
            elif refusal := picky.refuses(body, headers):
                self.say(*refusal)
            else:
                self.write(200, answer(body), "text/event-stream")

        def say(self, status: int, data: Any, **headers: str) -> None:
            self.write(status, json.dumps(data).encode(), "application/json", **headers)

        def write(self, status: int, content: bytes, kind: str, **headers: str) -> None:
            self.send_response(status)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(content)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    return Handler
