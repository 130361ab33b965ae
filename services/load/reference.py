"""A server with known times: `python -m services.load.reference`, real HTTP in its own process.

The model's name in a request sets the timing of its answer, e.g. `ref ttft=0.1 gap=0.01 tokens=20`.
It answers in every API format of `reference_formats.py`. The server logs when it handed each token
chunk to the kernel, on the monotonic clock that all processes of the machine share; `GET /log`
returns the log by prompt. So a client's error is a subtraction (see `calibrate.py`, `bench/`, and
the tests, which add faults).

Options: ttft, gap (seconds); tokens; per_chunk tokens a chunk; size bytes of text a token;
prompt_tokens; role=0 no role chunk first.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import sys
from time import perf_counter_ns
from typing import Any, ClassVar

from services.load.reference_formats import FORMATS, Usage, data

DEFAULTS: dict[str, Any] = {
    "ttft": 0.02,
    "gap": 0.002,
    "tokens": 8,
    "per_chunk": 1,
    "size": 0,
    "prompt_tokens": 11,
    "role": 1,
}
MODELS = ("ref", "ref tokens=3")
BACKLOG = 4096
METRICS = b"# TYPE reference_requests_running gauge\nreference_requests_running %d\n"
CONVERSATION = ("messages", "input", "prompt", "system")  # fields of a request that are not logged


def log_key(prompt: str) -> str:
    """Return a request's key in the log: the beginning of its prompt, which holds the nonce."""
    return prompt[:64]


class Reference(asyncio.Protocol):
    """One connection. `defaults` holds the options that a model's name may set."""

    defaults = DEFAULTS
    format = FORMATS["/v1/chat/completions"]
    log: ClassVar[dict[str, dict[str, Any]]] = {}  # of all connections, like the state
    state: ClassVar = {"in_flight": 0, "peak": 0, "requests": 0, "connections": 0}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None
        self.state["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if len(body) < length:
            return
        self.buffer = body[length:]
        self.route(lines[0], headers, body[:length])

    def route(self, line: str, headers: dict[str, str], body: bytes) -> None:
        if line.startswith("GET /log"):
            self.json(200, {"log": self.log, "state": self.state})
        elif line.startswith("GET /metrics"):
            self.plain(200, "text/plain; version=0.0.4", METRICS % self.state["in_flight"])
        elif line.startswith("GET /v1/models"):
            self.json(200, {"object": "list", "data": [{"id": name} for name in MODELS]})
        elif line.startswith("POST ") and (path := line.split("?")[0].split(" ")[1]) in FORMATS:
            self.format = FORMATS[path]
            self.chat(headers, json.loads(body))
        else:
            self.json(404, {"error": {"message": "no such route"}})

    def chat(self, headers: dict[str, str], request: dict[str, Any]) -> None:
        self.began = perf_counter_ns()
        self.o = o = self.options(request["model"])
        self.tokens = min(o["tokens"], self.format.limit(request) or o["tokens"])
        self.times: list[int] = []
        self.entry = {"received": self.began, "times": self.times, "tokens": self.tokens}
        self.entry["body"] = {key: request[key] for key in request if key not in CONVERSATION}
        content = self.format.prompt(request)
        self.log[log_key(content if isinstance(content, str) else content[-1]["text"])] = self.entry
        self.state["requests"] += 1
        self.answer(headers)

    def answer(self, headers: dict[str, str]) -> None:
        self.state["in_flight"] += 1
        self.state["peak"] = max(self.state["peak"], self.state["in_flight"])
        self.at(self.o["ttft"], self.start)

    def options(self, model: str) -> dict[str, Any]:
        options = dict(part.split("=", 1) for part in model.split()[1:])
        return {
            name: type(default)(options[name]) if name in options else default
            for name, default in self.defaults.items()
        }

    def at(self, seconds: float, call: Any, *arguments: Any) -> None:
        """Call `seconds` after the request came, so that delays of earlier calls do not add up."""
        left = seconds - (perf_counter_ns() - self.began) / 1e9
        loop = asyncio.get_running_loop()
        self.timer = loop.call_later(max(0.0, left), call, *arguments)

    def start(self) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {self.format.content_type}\r\n"
        self.transport.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        if self.o["role"] and self.format.first:
            self.raw(self.format.first)
        self.closing = self.ending()
        self.token(0)

    def token(self, sent: int) -> None:
        """Send the next chunk; without a gap, all remaining chunks in one write."""
        o, step = self.o, self.o["per_chunk"]
        until = min(sent + step, self.tokens) if o["gap"] else self.tokens
        starts = range(sent, until, step)
        frames = [framed(self.event(at, min(step, self.tokens - at))) for at in starts]
        self.times.extend([perf_counter_ns()] * len(frames))
        self.transport.write(b"".join(frames))
        if until < self.tokens:
            self.at(o["ttft"] + until / step * o["gap"], self.token, until)
        else:
            self.finish()

    def event(self, sent: int, count: int) -> bytes:
        """Return an event with `count` tokens, numbered from `sent`."""
        fill = "x" * self.o["size"]
        text = "".join(f" w{sent + i}{fill}" for i in range(count))
        return self.format.event(sent, text.encode())

    def finish(self) -> None:
        self.end(self.closing)

    def ending(self) -> bytes:
        """Return the end of the answer, built beforehand and sent in one write."""
        return b"".join(map(framed, self.format.last(self.usage())))

    def end(self, closing: bytes = b"") -> None:
        self.state["in_flight"] -= 1
        self.transport.write(closing + b"0\r\n\r\n")

    def usage(self) -> Usage:
        return self.o["prompt_tokens"], self.tokens

    def send(self, value: Any) -> None:
        self.raw(data(value))

    def raw(self, event: bytes) -> None:
        self.transport.write(framed(event))

    def json(self, status: int, value: Any, extra: str = "") -> None:
        self.plain(status, "application/json", json.dumps(value).encode(), extra)

    def plain(self, status: int, kind: str, body: bytes, extra: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}{extra}\r\n".encode() + body)


def framed(event: bytes) -> bytes:
    """Return one chunk of HTTP's chunked encoding."""
    return b"%x\r\n%b\r\n" % (len(event), event)


async def serve(protocol: type[Reference], certificate: str | None = None) -> None:
    """Serve on a free port of 127.0.0.1, print it, and end with standard input."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=BACKLOG, ssl=tls)
    listener: socket.socket = server.sockets[0]
    print(listener.getsockname()[1], flush=True)
    parent_gone = asyncio.Event()
    loop.add_reader(0, parent_gone.set)  # standard input ends with whoever started this
    await parent_gone.wait()


if __name__ == "__main__":
    asyncio.run(serve(Reference, sys.argv[1] if len(sys.argv) > 1 else None))
