"""The same request through LiteLLM, for providers with a wire format of their own.

LiteLLM costs about 10 ms of CPU a request and 0.4 ms a chunk, which stand in the numbers: a run
measured this way says so. Its retries and connection limits are off, its price map is the packaged
one, and it is imported only here, since the import takes seconds.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import warnings
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from time import perf_counter_ns
from typing import Any

import orjson

from services.ask.address import LOOPBACK
from services.ask.backends import Target
from services.ask.measurement import class_of_status
from services.base.redact import Secret
from services.wire import Timeouts, wait_until
from services.wire.chunk import read_chunk
from services.wire.exchange import REDIRECTS, Exchange, settling
from services.wire.in_flight import InFlight

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the internet at import
os.environ["AIOHTTP_CONNECTOR_LIMIT"] = "0"  # else 5,000 at once become 500
os.environ["AIOHTTP_CONNECTOR_LIMIT_PER_HOST"] = "0"

os.environ["no_proxy"] = ",".join(  # else this machine would be asked for through a proxy
    (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "", *LOOPBACK)
)

import aiohttp
import httpx
import litellm

# Names of its exceptions, each with the error class it stands for. What is not here has a status.
_CLASSES: dict[str, str] = {
    "Timeout": "timeout",
    "APIConnectionError": "connect",
    "MidStreamFallbackError": "stream_error",
}


REFUSAL_BYTES = 8 * 1024  # of an error's body that LiteLLM is given

# It logs what a server says, which may be the key or the prompt, and pydantic warns of it.
for _name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
    logging.getLogger(_name).disabled = True
warnings.filterwarnings("ignore", message="Pydantic serializer warnings")

# What becomes of the answer to the request of this task, by the rules of the wire's client.
_verdict: ContextVar[Exchange | None] = ContextVar("_verdict", default=None)


class _Watched(httpx.AsyncByteStream):
    """A body that the verdict reads along, of a refusal no more than its beginning: LiteLLM takes
    seconds for a megabyte of it."""

    def __init__(self, body: httpx.AsyncByteStream, verdict: Exchange | None, most: float) -> None:
        self._body, self._verdict, self._left = body, verdict, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            if self._verdict is not None:
                self._verdict.read(perf_counter_ns(), piece)
            self._left -= len(piece)
            yield piece if self._left >= 0 else piece[: int(self._left)]
            if self._left <= 0:
                return

    async def aclose(self) -> None:
        await self._body.aclose()


def _watch(response: httpx.Response, verdict: Exchange | None) -> None:
    """Have `verdict` read the answer along. LiteLLM ends each stream with a finish_reason of its
    own, also one that was cut, and drops errors in shapes that it doesn't know."""
    if verdict is not None:
        kept = (b"content-type", b"retry-after")
        head = b"".join(
            b"%s: %s\r\n" % (n, v) for n, v in response.headers.raw if n.lower() in kept
        )
        status = b"HTTP/1.1 %d -\r\n" % response.status_code
        verdict.read(perf_counter_ns(), status + head + b"\r\n")
    most = math.inf if response.status_code == 200 else REFUSAL_BYTES
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Watched(response.stream, verdict, most)


def _unpack_nothing(response: httpx.Response, verdict: Exchange | None) -> None:
    """Have nobody unpack a body: a few bytes may stand for gigabytes, and would hold the loop."""
    encoding = response.headers.pop("content-encoding", "identity")
    packed = encoding.lower() not in ("", "identity")
    if packed and verdict is not None and response.status_code == 200:
        why = f"The answer is compressed ({encoding}), which is not read through LiteLLM."
        verdict.fail("stream_error", why, perf_counter_ns())


def _mind_the_answers() -> None:
    """Have every client in this process take a redirect as the answer. LiteLLM makes its clients by
    provider, and most would go on: another server would be measured, and get the prompt. What they
    read is watched, where a verdict is wanted, and never unpacked."""
    send, ask = httpx.AsyncClient.send, aiohttp.ClientSession._request

    async def send_once(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
        verdict = _verdict.get()
        request.headers["Accept-Encoding"] = "identity"
        once = {**options, "follow_redirects": False, "stream": True}
        response = await send(self, request, **once)
        _unpack_nothing(response, verdict)
        _watch(response, verdict)
        if not options.get("stream"):
            await response.aread()
        return response

    async def request_once(self: Any, *asked: Any, **options: Any) -> aiohttp.ClientResponse:
        return await ask(self, *asked, **{**options, "allow_redirects": False})

    httpx.AsyncClient.send = send_once  # type: ignore[method-assign]
    aiohttp.ClientSession._request = request_once  # type: ignore[method-assign]


_mind_the_answers()


class ViaLiteLLM:
    """A client with the wire's methods; times are those of LiteLLM's own chunks."""

    kernel_clock = False

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self._target = target
        self._timeout_s = timeouts.total_s
        self.in_flight = InFlight(timeouts)
        litellm.suppress_debug_info = True
        litellm.drop_params = True  # what a provider does not know is left out

    def request(self, body: dict[str, object]) -> bytes:
        """Build what `ask` takes. A server at an address is asked as LiteLLM's `openai/`."""
        if self._target.base_url:
            body = {**body, "model": f"openai/{body['model']}"}
        return orjson.dumps(body)

    async def open(self, count: int) -> None:
        """LiteLLM opens its own connections, and not beforehand."""

    async def ask(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[Secret, ...]
    ) -> Exchange:
        """Send `body` at `due_ns`; return its exchange when it is over."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        exchange = Exchange(settling(over), secrets)
        task = asyncio.create_task(self._stream(exchange, orjson.loads(body), due_ns))
        self.in_flight.begin(exchange)
        try:
            await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
            sentence = "LiteLLM ended without an answer."
            exchange.fail("stream_error", sentence, perf_counter_ns())  # if it is not over
        finally:
            task.cancel()
            self.in_flight.end(exchange)
        return exchange

    def close(self) -> None:
        """LiteLLM keeps its connections to itself; they end with the process."""
        self.in_flight.close()

    async def _stream(self, exchange: Exchange, body: dict[str, Any], due_ns: int) -> None:
        await wait_until(due_ns)
        exchange.sent = perf_counter_ns()
        verdict: Exchange | None = None
        if self._target.base_url:  # it speaks OpenAI's words; other providers have their own
            verdict = Exchange(lambda: None, exchange.secrets)
            _verdict.set(verdict)  # of this task alone
        problem: Exception | None = None
        try:
            await self._read(exchange, body)
        except Exception as error:  # openai's, httpx's, aiohttp's, its own, and what it forgets
            problem = error
        if verdict is not None and verdict.http_status is not None:
            _take_over(exchange, verdict, whole=problem is None or verdict.http_status != 200)
        if problem is not None:
            _fail(exchange, problem, verdict is None or verdict.http_status is not None)
        else:
            exchange.judge(perf_counter_ns())

    async def _read(self, exchange: Exchange, body: dict[str, Any]) -> None:
        target = self._target
        stream = await litellm.acompletion(
            **body,
            api_base=target.base_url,
            api_key=target.key or ("none" if target.base_url else None),
            timeout=self._timeout_s,
            num_retries=0,
            max_retries=0,
            extra_headers=dict(target.headers) or None,
        )
        async for chunk in stream:
            exchange.take(perf_counter_ns(), read_chunk(chunk.model_dump_json().encode()))


def _take_over(exchange: Exchange, verdict: Exchange, whole: bool) -> None:
    """Fail as the wire's client would; keep the finish_reason that the server gave. `whole`: its
    answer has been read to its end."""
    now = perf_counter_ns()
    if whole:
        verdict.eof(now)
    exchange.http_status = verdict.http_status
    exchange.finish_reason = verdict.finish_reason or exchange.finish_reason
    if verdict.error_class:
        exchange.fail(verdict.error_class, verdict.error or "", now)


def _fail(exchange: Exchange, error: Exception, heard: bool) -> None:
    """Map an exception to an error class: by its name, else by the status it carries, which LiteLLM
    makes up where no answer was heard."""
    status = getattr(error, "status_code", None)
    named = _CLASSES.get(type(error).__name__) or (None if heard else "connect")
    sentence = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(status, int) and 300 <= status < 400:
        named, sentence = None, REDIRECTS.format(status)
    if named is None and isinstance(status, int) and status >= 300:
        exchange.http_status, named = status, class_of_status(status)
    exchange.fail(named or "stream_error", sentence, perf_counter_ns())
