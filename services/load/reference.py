"""A server with known times: `python -m services.load.reference`, real HTTP in its own process.

The model's name in a request sets the timing of its answer, e.g. `ref ttft=0.1 gap=0.01 tokens=20`.
It answers in every API format of `reference_formats.py`. The server logs when it handed each token
chunk to the kernel, on the monotonic clock that all processes of the machine share; `GET /log`
returns the log by prompt. So a client's error is a subtraction (see `calibrate.py`, `bench/`, and
the tests, which add faults).

Options: ttft, gap (seconds); tokens; per_chunk tokens a chunk; size bytes of text a token;
prompt_tokens; role=0 no role chunk first.

With slots=c at most c requests are answered at a time, and the others wait, see `slots.py`. service
is the mean time in a slot in seconds (0: as long as ttft and gap make it), of which the prefill
takes the share that ttft has; law is fixed or exponential; seed makes the service times the same
again. Each model's name has a queue of its own, and its answers report their queue and prefill.
Once as many as overload requests wait at once, services take slow times as long for good.

`python -m services.load.reference [CERTIFICATE] [OPTION=VALUE …]` sets what a model's name leaves
out, so `slots=8 service=0.2` is a server that takes 40 requests a second.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import sys
from collections.abc import Sequence
from math import ceil
from time import perf_counter_ns
from typing import Any, ClassVar

from services.load.reference_formats import FORMATS, Phases, Usage, data
from services.load.slots import Slots

DEFAULTS: dict[str, Any] = {
    "ttft": 0.02,
    "gap": 0.002,
    "tokens": 8,
    "per_chunk": 1,
    "size": 0,
    "prompt_tokens": 11,
    "role": 1,
    "slots": 0,
    "service": 0.0,
    "law": "fixed",
    "seed": 0,
    "overload": 0,
    "slow": 3.0,
}
MODELS = ("ref", "ref tokens=3")
BACKLOG = 4096
METRICS = b"""\
# TYPE reference_requests_running gauge
reference_requests_running %d
# TYPE reference_requests_waiting gauge
reference_requests_waiting %d
"""
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
    queues: ClassVar[dict[str, Slots]] = {}  # by model name
    answering = False
    slots: Slots | None = None  # in which this connection's latest request waits or is served
    service = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None
        self.state["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.answering:
            self.ended()
            if self.slots is not None:
                self.slots.leave(self, perf_counter_ns())

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
            self.plain(200, "text/plain; version=0.0.4", self.metrics())
        elif line.startswith("GET /v1/models"):
            self.json(200, {"object": "list", "data": [{"id": name} for name in MODELS]})
        elif line.startswith("POST ") and (path := line.split("?")[0].split(" ")[1]) in FORMATS:
            self.format = FORMATS[path]
            self.chat(headers, json.loads(body))
        else:
            self.json(404, {"error": {"message": "no such route"}})

    def chat(self, headers: dict[str, str], request: dict[str, Any]) -> None:
        self.began = perf_counter_ns()
        self.model = request["model"]
        self.o = o = self.options(self.model)
        self.tokens = min(o["tokens"], self.format.limit(request) or o["tokens"])
        self.times: list[int] = []
        self.entry = {"received": self.began, "times": self.times, "tokens": self.tokens}
        self.entry["body"] = {key: request[key] for key in request if key not in CONVERSATION}
        content = self.format.prompt(request)
        self.log[log_key(content if isinstance(content, str) else content[-1]["text"])] = self.entry
        self.state["requests"] += 1
        self.answer(headers)

    def answer(self, headers: dict[str, str]) -> None:
        self.answering = True
        self.state["in_flight"] += 1
        self.state["peak"] = max(self.state["peak"], self.state["in_flight"])
        self.slots = None
        if self.o["slots"]:
            self.enter()
        else:
            self.at(self.o["ttft"], self.start)

    def enter(self) -> None:
        """Enter the queue for a slot. The service time is drawn now, in order of arrival."""
        o = self.o
        if (slots := self.queues.get(self.model)) is None:
            slots = self.queues[self.model] = Slots(o["slots"], o["law"], o["seed"], o["overload"])
        nominal = o["ttft"] + o["gap"] * (ceil(self.tokens / o["per_chunk"]) - 1)
        seconds = slots.multiple() * (o["service"] or nominal)
        seconds *= o["slow"] if slots.overloaded else 1.0
        factor = seconds / nominal if nominal else 0.0
        o["ttft"], o["gap"] = (o["ttft"] * factor, o["gap"] * factor) if nominal else (seconds, 0.0)
        self.entry["service"] = self.service = round(seconds * 1e9)
        self.slots = slots
        slots.enter(self, self.began)

    def begin(self, at: int) -> None:
        """Start prefill and decoding at `at`, from which all later times count."""
        self.entry["began"] = self.began = at
        self.at(self.o["ttft"], self.start)

    def ended(self) -> None:
        self.answering = False
        self.state["in_flight"] -= 1

    def metrics(self) -> bytes:
        waiting = sum(slots.waiting for slots in self.queues.values())
        return METRICS % (self.state["in_flight"] - waiting, waiting)

    def options(self, model: str) -> dict[str, Any]:
        return parse_options(self.defaults, model.split()[1:])

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
        self.closing = b"" if self.slots else self.ending()
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
        self.end(self.closing or self.ending())

    def ending(self) -> bytes:
        """Return the end of the answer, sent in one write; built beforehand where it reports no
        phases."""
        return b"".join(map(framed, self.format.last(self.usage(), self.phases())))

    def phases(self) -> Phases | None:
        """Return how long the request waited, was prefilled and was decoded; None without slots or
        without a token."""
        if self.slots is None or not self.times:
            return None
        first, last = self.times[0], self.times[-1]
        return Phases(self.began - self.entry["received"], first - self.began, last - first)

    def end(self, closing: bytes = b"") -> None:
        self.ended()
        if self.slots is not None:
            self.slots.advance(max(perf_counter_ns(), self.began + self.service))
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


def parse_options(defaults: dict[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    """Return the options, replaced by those in `parts`, such as `ttft=0.1`."""
    options = dict(part.split("=", 1) for part in parts)
    return {
        name: type(default)(options[name]) if name in options else default
        for name, default in defaults.items()
    }


def framed(event: bytes) -> bytes:
    """Return one chunk of HTTP's chunked encoding."""
    return b"%x\r\n%b\r\n" % (len(event), event)


async def serve(
    protocol: type[Reference], arguments: Sequence[str] = (), host: str = "127.0.0.1"
) -> None:
    """Serve on a free local port, print it, and end when standard input is closed.

    Args:
        arguments: options as in a model's name, which become the defaults, and the file of a
            certificate.
        host: the address, in a test of a network namespace.
    """
    options = [argument for argument in arguments if "=" in argument]
    certificate = next((argument for argument in arguments if "=" not in argument), None)
    if unknown := {option.split("=")[0] for option in options} - protocol.defaults.keys():
        names = ", ".join(protocol.defaults)
        sys.exit(f"Unknown option {', '.join(sorted(unknown))}; choose from {names}.")
    protocol.defaults = parse_options(protocol.defaults, options)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, host, 0, backlog=BACKLOG, ssl=tls)
    listener: socket.socket = server.sockets[0]
    print(listener.getsockname()[1], flush=True)
    parent_gone = asyncio.Event()
    loop.add_reader(0, parent_gone.set)  # standard input ends with the parent process
    await parent_gone.wait()


if __name__ == "__main__":
    asyncio.run(serve(Reference, sys.argv[1:]))
