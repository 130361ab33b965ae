"""A server with known times: `python -m tests.reference [CERTIFICATE]` speaks real HTTP, or HTTPS,
in a process of its own.

What a request gets is written in its model's name, e.g. `ref ttft=0.1 gap=0.01 tokens=20`, so one
server plays every part. It logs when each token chunk was handed to the kernel, on the monotonic
clock that every process of the machine shares; `GET /log` returns what it did, by prompt.

Options: ttft, gap (s); tokens; per_chunk tokens a chunk; prompt_tokens; role=0 no role chunk first;
reasoning=n reasoning chunks first; crlf=1; usage=last|first|none; done=0 no [DONE]; finish=0 no
finish_reason; status=429…; after=n tokens until the fault; fault=reset|close|error|malformed|hang|
html|json|redirect|empty|gzip|slam|needs-key; keep=n answers until a connection is closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import ssl
import struct
import sys
from time import perf_counter_ns
from typing import Any

DEFAULTS = {
    "ttft": 0.02,
    "gap": 0.002,
    "tokens": 8,
    "per_chunk": 1,
    "prompt_tokens": 11,
    "role": 1,
    "reasoning": 0,
    "crlf": 0,
    "usage": "last",
    "done": 1,
    "finish": 1,
    "status": 200,
    "after": 0,
    "fault": "",
    "keep": 0,
}
KEY = "sk-reference-0123456789"
LOG: dict[str, dict[str, Any]] = {}
STATE = {"in_flight": 0, "peak": 0, "requests": 0, "connections": 0}


def options(model: str) -> dict[str, Any]:
    given = dict(part.split("=", 1) for part in model.split()[1:])
    return {
        name: type(default)(given[name]) if name in given else default
        for name, default in DEFAULTS.items()
    }


class Reference(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.buffer = b""
        self.eol = b"\n"
        self.timers: list[asyncio.TimerHandle] = []
        self.answers = 0
        STATE["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self.timers:
            timer.cancel()

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
            self.json(200, {"log": LOG, "state": STATE})
        elif line.startswith("GET /die"):
            os._exit(0)
        elif line.startswith("GET /v1/models"):
            self.json(200, {"object": "list", "data": [{"id": "ref"}, {"id": "ref tokens=3"}]})
        elif line.startswith("POST /v1/chat/completions"):
            self.chat(headers, json.loads(body))
        else:
            self.json(404, {"error": {"message": "no such route"}})

    def json(self, status: int, data: Any, extra: str = "") -> None:
        self.plain(status, "application/json", json.dumps(data).encode(), extra)

    def plain(self, status: int, kind: str, body: bytes, extra: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}{extra}\r\n".encode() + body)

    def chat(self, headers: dict[str, str], request: dict[str, Any]) -> None:
        self.began = perf_counter_ns()
        self.o = o = options(request["model"])
        self.tokens = min(o["tokens"], request.get("max_tokens") or o["tokens"])
        self.entry = {"received": self.began, "times": [], "tokens": self.tokens, "end": None}
        self.entry["body"] = {key: request[key] for key in request if key != "messages"}
        LOG[request["messages"][-1]["content"]] = self.entry
        STATE["requests"] += 1
        if not self.refused(o, headers):
            STATE["in_flight"] += 1
            STATE["peak"] = max(STATE["peak"], STATE["in_flight"])
            self.eol = b"\r\n" if o["crlf"] else b"\n"
            self.at(o["ttft"], self.start)

    def refused(self, o: dict[str, Any], headers: dict[str, str]) -> bool:
        given = headers.get("authorization", "")
        if o["fault"] == "needs-key" and given != f"Bearer {KEY}":
            self.json(401, {"error": {"message": f"Incorrect API key provided: {given}"}})
        elif o["status"] != 200:
            message = {"error": {"message": f"status {o['status']} as asked"}}
            self.json(o["status"], message, "Retry-After: 1\r\n" if o["status"] == 429 else "")
        elif o["fault"] == "html":
            self.plain(200, "text/html", b"<html><body>Welcome</body></html>")
        elif o["fault"] == "json":
            choice = {"message": {"content": "whole"}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 3, "completion_tokens": 1}
            self.json(200, {"choices": [choice], "usage": usage})
        elif o["fault"] == "redirect":
            self.plain(302, "text/html", b"", "Location: /elsewhere\r\n")
        elif o["fault"] == "gzip":
            self.plain(200, "text/event-stream", b"\x1f\x8b", "Content-Encoding: gzip\r\n")
        elif o["fault"] == "hang" and not o["after"]:
            pass
        elif o["fault"] == "slam":
            self.transport.close()
        else:
            return False
        return True

    def at(self, seconds: float, call: Any, *arguments: Any) -> None:
        """Call at `seconds` after the request came, by this machine's clock, not by a chain."""
        left = seconds - (perf_counter_ns() - self.began) / 1e9
        loop = asyncio.get_running_loop()
        self.timers.append(loop.call_later(max(0.0, left), call, *arguments))

    def start(self) -> None:
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        )
        self.transport.write(f"{head}\r\n".encode())
        if self.o["role"]:
            self.send({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        if self.o["usage"] == "first":
            self.send({"choices": [], "usage": self.usage()})
        self.token(0)

    def token(self, sent: int) -> None:
        o = self.o
        if o["fault"] and sent >= o["after"] and self.fault(o["fault"]):
            return
        if sent >= self.tokens or o["fault"] == "empty":
            self.finish()
            return
        count = min(o["per_chunk"], self.tokens - sent)
        field = "reasoning_content" if sent < o["reasoning"] else "content"
        delta = {field: "".join(f" w{sent + i}" for i in range(count))}
        self.entry["times"].append(perf_counter_ns())
        self.send({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        chunk = (sent + count) / o["per_chunk"]
        last = sent + count >= self.tokens
        if last or not o["gap"]:
            self.token(sent + count)
        else:
            self.at(o["ttft"] + chunk * o["gap"], self.token, sent + count)

    def fault(self, fault: str) -> bool:
        if fault == "reset":
            linger = struct.pack("ii", 1, 0)
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif fault == "close":
            self.transport.close()
        elif fault == "error":
            self.send({"error": {"message": "CUDA out of memory", "code": 500}})
            self.end()
        elif fault == "malformed":
            self.raw(b'data: {"choices": [' + self.eol * 2)
        return fault in ("reset", "close", "error", "malformed", "hang")

    def finish(self) -> None:
        if self.o["finish"]:
            reason = "length"
            self.send({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if self.o["usage"] == "last":
            self.send({"choices": [], "usage": self.usage()})
        if self.o["done"]:
            self.raw(b"data: [DONE]" + self.eol * 2)
        self.end()

    def end(self) -> None:
        self.entry["end"] = perf_counter_ns()
        STATE["in_flight"] -= 1
        self.transport.write(b"0\r\n\r\n")
        self.answers += 1
        if self.answers == self.o["keep"]:
            asyncio.get_running_loop().call_later(0.1, self.transport.close)

    def usage(self) -> dict[str, int]:
        return {"prompt_tokens": self.o["prompt_tokens"], "completion_tokens": self.tokens}

    def send(self, data: Any) -> None:
        self.raw(b"data: " + json.dumps(data).encode() + self.eol * 2)

    def raw(self, event: bytes) -> None:
        self.transport.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")


async def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(
        Reference, "127.0.0.1", 0, backlog=4096, ssl=tls
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    parent_gone = asyncio.Event()
    loop.add_reader(0, parent_gone.set)  # standard input ends with whoever started this
    await parent_gone.wait()


if __name__ == "__main__":
    asyncio.run(main())
