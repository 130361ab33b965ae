"""The reference server with faults: `python -m tests.reference [CERTIFICATE] [OPTION=VALUE …]`.

Options beside those of `services/load/reference.py`: reasoning=n reasoning chunks first; crlf=1;
usage=last|first|none; done=0 no [DONE]; finish=0 no finish_reason; status=429…; keep=n answers
until a connection is closed; after=n tokens until the fault; fault=reset|close|error|malformed|
hang|html|json|redirect|empty|slam|needs-key; conversation=1 logs what was asked, too;
most_messages=n of a request, else 400. In every API format.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from typing import Any

from services.load.reference import CONVERSATION, DEFAULTS, Reference, serve
from services.load.reference_formats import FORMATS, openai_end, openai_usage

FAULTS: dict[str, Any] = {
    "reasoning": 0,
    "crlf": 0,
    "usage": "last",
    "done": 1,
    "finish": 1,
    "status": 200,
    "after": 0,
    "fault": "",
    "keep": 0,
    "conversation": 0,
    "most_messages": 0,
}
BREAKS = ("reset", "close", "error", "malformed", "hang")  # in mid-stream
KEY = "sk-reference-0123456789"
CHAT, LINES = FORMATS["/v1/chat/completions"], FORMATS["/api/chat"]
REASONING = {  # what of an event says that it is of the answer, and what it is for reasoning
    b'"content":"': b'"reasoning_content":"',
    b"output_text.delta": b"reasoning_text.delta",
    b'"text_delta","text":': b'"thinking_delta","thinking":',
}


class Faulty(Reference):
    defaults = DEFAULTS | FAULTS
    answers = 0

    def route(self, line: str, headers: dict[str, str], body: bytes) -> None:
        if line.startswith("GET /die"):
            os._exit(0)
        if line.startswith("POST /flush_cache"):  # as SGLang; vLLM's endpoint is switched off
            self.state["emptied"] = self.state.get("emptied", 0) + 1
            return self.plain(200, "text/plain", b"Cache flushed.")
        super().route(line, headers, body)

    def chat(self, headers: dict[str, str], request: dict[str, Any]) -> None:
        self.messages = len(request.get("messages", ()))
        super().chat(headers, request)
        if self.o["conversation"]:
            self.entry["conversation"] = {k: request[k] for k in CONVERSATION if k in request}

    def answer(self, headers: dict[str, str]) -> None:
        o = self.o
        given = headers.get("x-api-key") or headers.get("authorization", "")
        if o["fault"] == "needs-key" and given.removeprefix("Bearer ") != KEY:
            self.json(401, {"error": {"message": f"Incorrect API key provided: {given}"}})
        elif 0 < o["most_messages"] < self.messages:
            self.json(400, {"error": {"message": "the context is full"}})
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
        elif o["fault"] == "slam":
            self.transport.close()
        elif o["fault"] != "hang" or o["after"]:
            self.tokens = 0 if o["fault"] == "empty" else self.tokens
            super().answer(headers)

    def token(self, sent: int) -> None:
        if not sent and self.o["usage"] == "first":
            self.send({"choices": [], "usage": openai_usage(self.usage())})
        if self.o["fault"] in BREAKS and sent >= self.o["after"]:
            self.break_off(self.o["fault"])
        else:
            super().token(sent)

    def event(self, sent: int, count: int) -> bytes:
        event = super().event(sent, count)
        if sent < self.o["reasoning"]:
            for answer, reasoning in REASONING.items():
                event = event.replace(answer, reasoning)
        return self.crlf(event)

    def break_off(self, fault: str) -> None:
        if fault == "reset":
            linger = struct.pack("ii", 1, 0)
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif fault == "close":
            self.transport.close()
        elif fault == "error" and self.format is LINES:
            self.raw(b'{"error": "llama runner process has terminated"}\n')
            self.end()
        elif fault == "error":
            self.send({"error": {"message": "CUDA out of memory", "code": 500}})
            self.end()
        elif fault == "malformed":
            self.raw(b'data: {"choices": [\n\n')

    def finish(self) -> None:
        if self.format is not CHAT:
            super().finish()
            return
        if self.o["finish"]:
            self.send({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
        if self.o["usage"] == "last":
            self.send(openai_end(self.usage(), self.phases()))
        if self.o["done"]:
            self.raw(b"data: [DONE]\n\n")
        self.end()

    def end(self, closing: bytes = b"") -> None:
        super().end(closing)
        self.answers += 1
        if self.answers == self.o["keep"]:
            asyncio.get_running_loop().call_later(0.1, self.transport.close)

    def raw(self, event: bytes) -> None:
        super().raw(self.crlf(event))

    def crlf(self, event: bytes) -> bytes:
        return event.replace(b"\n", b"\r\n") if self.o["crlf"] else event


if __name__ == "__main__":
    asyncio.run(serve(Faulty, sys.argv[1:]))
