"""Send requests through LiteLLM, for providers with their own wire format.

LiteLLM takes about 10 ms of CPU per request and 0.4 ms per chunk, which are part of the measured
times: such a run says so. Its retries and connection limits are off, its price map is the packaged
one, and it is imported only here, because the import takes seconds.
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
from services.wire.exchange import REDIRECTS, Exchange, completion_callback
from services.wire.in_flight import InFlight

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # otherwise it downloads one at import
os.environ["AIOHTTP_CONNECTOR_LIMIT"] = "0"  # otherwise 5,000 concurrent requests become 500
os.environ["AIOHTTP_CONNECTOR_LIMIT_PER_HOST"] = "0"

os.environ["no_proxy"] = ",".join(  # otherwise requests to this machine would go through a proxy
    (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "", *LOOPBACK)
)

import aiohttp
import httpx
import litellm

# LiteLLM's exceptions, each with its error class. Others carry an HTTP status.
_CLASSES: dict[str, str] = {
    "Timeout": "timeout",
    "APIConnectionError": "connect",
    "MidStreamFallbackError": "stream_error",
}


ERROR_BYTES = 8 * 1024  # of an error's body that are passed on to LiteLLM

# LiteLLM logs what a server sends, and pydantic warns about it: it may contain the key or the
# prompt.
for _name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
    logging.getLogger(_name).disabled = True
warnings.filterwarnings("ignore", message="Pydantic serializer warnings")

# Whether the current task asks through LiteLLM. Others in this process are left alone.
_through_litellm: ContextVar[bool] = ContextVar("_through_litellm", default=False)

# The raw HTTP answer to the current task's request, as read by the wire's own client.
_raw_exchange: ContextVar[Exchange | None] = ContextVar("_raw_exchange", default=None)


class _TeeStream(httpx.AsyncByteStream):
    """A body that the raw exchange reads too, cut after `limit` bytes: LiteLLM takes seconds for a
    megabyte of an error."""

    def __init__(self, body: httpx.AsyncByteStream, raw: Exchange | None, limit: float) -> None:
        self._body, self._raw, self._remaining = body, raw, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            if self._raw is not None:
                self._raw.read(perf_counter_ns(), piece)
            self._remaining -= len(piece)
            yield piece if self._remaining >= 0 else piece[: int(self._remaining)]
            if self._remaining <= 0:
                return

    async def aclose(self) -> None:
        await self._body.aclose()


def _tee(response: httpx.Response, raw: Exchange | None) -> None:
    """Have `raw` read the answer too. LiteLLM ends each stream with a finish_reason of its own,
    even one that was cut off, and drops errors whose shape it doesn't know."""
    if raw is not None:
        forwarded = (b"content-type", b"retry-after")
        head = b"".join(
            b"%s: %s\r\n" % (n, v) for n, v in response.headers.raw if n.lower() in forwarded
        )
        status = b"HTTP/1.1 %d -\r\n" % response.status_code
        raw.read(perf_counter_ns(), status + head + b"\r\n")
    limit = math.inf if response.status_code == 200 else ERROR_BYTES
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _TeeStream(response.stream, raw, limit)


def _prevent_decompression(response: httpx.Response, raw: Exchange | None) -> None:
    """Prevent the decompression of a body: a few bytes may expand to gigabytes and block the
    loop."""
    encoding = response.headers.pop("content-encoding", "identity")
    compressed = encoding.lower() not in ("", "identity")
    if compressed and raw is not None and response.status_code == 200:
        why = f"The answer is compressed ({encoding}), which is not supported with LiteLLM."
        raw.fail("stream_error", why, perf_counter_ns())


def _patch_http_clients() -> None:
    """Patch the HTTP clients of this process, which LiteLLM creates by provider, for the tasks that
    ask through it: no redirect is followed (another server would be measured, and get the prompt),
    no body is decompressed, and the task's raw exchange, if any, reads what they read."""
    send, ask = httpx.AsyncClient.send, aiohttp.ClientSession._request

    async def send_once(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
        if not _through_litellm.get():
            return await send(self, request, **options)
        raw = _raw_exchange.get()
        request.headers["Accept-Encoding"] = "identity"
        once = {**options, "follow_redirects": False, "stream": True}
        response = await send(self, request, **once)
        _prevent_decompression(response, raw)
        _tee(response, raw)
        if not options.get("stream"):
            await response.aread()
        return response

    async def request_once(self: Any, *arguments: Any, **options: Any) -> aiohttp.ClientResponse:
        once = {"allow_redirects": False} if _through_litellm.get() else {}
        return await ask(self, *arguments, **{**options, **once})

    httpx.AsyncClient.send = send_once  # type: ignore[method-assign]
    aiohttp.ClientSession._request = request_once  # type: ignore[method-assign]


_patch_http_clients()


class ViaLiteLLM:
    """A client with the wire's methods; times are those of LiteLLM's own chunks."""

    kernel_clock = False

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self._target = target
        self._timeout_s = timeouts.total_s
        self.in_flight = InFlight(timeouts)
        litellm.suppress_debug_info = True
        litellm.drop_params = True  # omit parameters that a provider does not support

    def request(self, body: dict[str, object]) -> bytes:
        """Build the body for `ask`. LiteLLM names a model of a server at a URL `openai/…`."""
        if self._target.base_url:
            body = {**body, "model": f"openai/{body['model']}"}
        return orjson.dumps(body)

    async def open(self, count: int) -> None:
        """Does nothing: LiteLLM opens its own connections when needed."""

    async def ask(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[Secret, ...]
    ) -> Exchange:
        """Send `body` at `due_ns`; return its exchange when it has ended."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        exchange = Exchange(completion_callback(over), (*secrets, *self._target.hidden))
        task = asyncio.create_task(self._stream(exchange, orjson.loads(body), due_ns))
        self.in_flight.begin(exchange)
        try:
            await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
            sentence = "LiteLLM ended without an answer."
            exchange.fail("stream_error", sentence, perf_counter_ns())  # unless already ended
        finally:
            task.cancel()
            self.in_flight.end(exchange)
        return exchange

    def close(self) -> None:
        """Does nothing: LiteLLM's connections are private, and end with the process."""
        self.in_flight.close()

    async def _stream(self, exchange: Exchange, body: dict[str, Any], due_ns: int) -> None:
        await wait_until(due_ns)
        exchange.sent = perf_counter_ns()
        _through_litellm.set(True)  # for this task only, as below
        raw: Exchange | None = None
        if self._target.base_url:  # it speaks OpenAI's format; other providers have their own
            raw = Exchange(lambda: None, exchange.secrets)
            _raw_exchange.set(raw)
        problem: Exception | None = None
        try:
            await self._read(exchange, body)
        except Exception as error:  # openai's, httpx's, aiohttp's, its own, and unexpected ones
            problem = error
        if raw is not None and raw.http_status is not None:
            _adopt_outcome(exchange, raw, whole=problem is None or raw.http_status != 200)
        if problem is not None:
            _fail(exchange, problem, raw is None or raw.http_status is not None)
        else:
            exchange.end_stream(perf_counter_ns())

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


def _adopt_outcome(exchange: Exchange, raw: Exchange, whole: bool) -> None:
    """Take the outcome and the server's finish_reason from the raw exchange. `whole`: the answer
    has been read to its end."""
    now = perf_counter_ns()
    if whole:
        raw.eof(now)
    exchange.http_status = raw.http_status
    exchange.finish_reason = raw.finish_reason or exchange.finish_reason
    if raw.error_class:
        exchange.fail(raw.error_class, raw.error or "", now)


def _fail(exchange: Exchange, error: Exception, answered: bool) -> None:
    """Map an exception to an error class: by its name, else by its status, which LiteLLM invents if
    the server has not `answered`."""
    status = getattr(error, "status_code", None)
    error_class = _CLASSES.get(type(error).__name__) or (None if answered else "connect")
    sentence = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(status, int) and 300 <= status < 400:
        error_class, sentence = None, REDIRECTS.format(status)
    if error_class is None and isinstance(status, int) and status >= 300:
        exchange.http_status, error_class = status, class_of_status(status)
    exchange.fail(error_class or "stream_error", sentence, perf_counter_ns())
