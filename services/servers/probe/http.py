"""Bounded HTTP requests outside a measurement, with a sentence for every way to fail.

No response is trusted: size and time are limited, and redirects are not followed (the key would go
with them). The connection is the same as the measuring client's: the same proxy, or none.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from services.ask.address import LOOPBACK, origin
from services.ask.backends import BACKENDS, BackendProblem, KeyProblem, Target, wire_formats
from services.ask.backends.trust import UntrustedFile, why_untrusted
from services.ask.remedy import VERSIONED
from services.base import untrusted
from services.base.redact import LONGEST
from services.wire.message import message_of

CONNECT_S = 3.0  # at most half of the whole timeout, so that a connect timeout is reported as such
KEY_STATUSES = (401, 403)
BODY_BYTES = 4 * 2**20  # the longest lists of models, those of routers, are about 1 MB


class NoAnswer(BackendProblem):
    """There was no HTTP answer."""


class NothingListens(NoAnswer):
    """The connection was refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `content` is cut at BODY_BYTES."""

    status: int
    headers: httpx.Headers
    content: bytes
    closes: bool  # the server closes the connection

    def json(self) -> Any:
        """Return the parsed content; None if it is not JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with the target's key, headers and certificates, and nothing from this
    machine's environment.

    Raises:
        BackendProblem: the CA file cannot be read.
    """
    headers = httpx.Headers({"Accept-Encoding": "identity", "User-Agent": "paceline"})
    if key := wire_formats.bearer(target):
        headers["Authorization"] = f"Bearer {key}"
    headers.update(wire_formats.headers(target))
    try:
        trusted = target.trust.context()
    except UntrustedFile as error:
        raise BackendProblem(str(error)) from None
    async with httpx.AsyncClient(
        headers=headers, verify=trusted, trust_env=False, proxy=target.proxy
    ) as client:
        yield client


@asynccontextmanager
async def answering(
    client: httpx.AsyncClient,
    target: Target,
    url: str,
    timeout_s: float,
    body: dict[str, Any] | None = None,
) -> AsyncIterator[httpx.Response]:
    """GET `url`, or POST `body` to it; yield the response unread.

    Raises:
        NoAnswer: no connection, no HTTP, or not finished within `timeout_s`.
    """
    limits = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s / 2))
    method = "GET" if body is None else "POST"
    try:
        async with (
            asyncio.timeout(timeout_s),
            client.stream(method, url, json=body, timeout=limits) as response,
        ):
            yield response
    except (
        httpx.HTTPError,
        httpx.InvalidURL,
        TimeoutError,
        UnicodeError,
    ) as error:  # an invalid host name
        kind = NothingListens if _is_refused(error) and not target.proxy else NoAnswer
        raise kind(_failure(error, target, timeout_s)) from None


async def read(response: httpx.Response) -> Answer:
    """Read an answer to its end, or to BODY_BYTES."""
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > BODY_BYTES:
            break
    connection = response.headers.get("connection", "").lower()
    closes = connection == "close" or (
        response.http_version == "HTTP/1.0" and connection != "keep-alive"
    )
    return Answer(response.status_code, response.headers, bytes(content[:BODY_BYTES]), closes)


async def get(client: httpx.AsyncClient, target: Target, path: str, timeout_s: float) -> Answer:
    """GET `path` below the target's address.

    Raises:
        NoAnswer: as `answering` does.
    """
    async with answering(client, target, target.url(path), timeout_s) as response:
        return await read(response)


def refusal(answer: Answer, target: Target, url: str) -> str:
    """Return a sentence on what a status of `url` other than 200 means, and what to do."""
    status, where = answer.status, target.netloc
    reason = message(answer, target)
    if 300 <= status < 400:
        location = _location(answer, target)
        if not location:
            return f"{where} redirects (HTTP {status}), but does not say where. Check the address."
        return f"{where} redirects to {location}. Use that address, if it is the right one."
    if status in KEY_STATUSES:
        return str(key_problem(answer, target))
    if status == 404 and target.chosen:
        return (
            f"{where} has no {urlsplit(url).path} (HTTP 404): it does not offer the API format "
            f"{target.chosen}, or the path of the address is wrong."
        )
    if status == 404:
        return (
            f"{where} has no {urlsplit(url).path} (HTTP 404): the path of "
            f"the address is wrong, or the server is not OpenAI-compatible{address_hint(target)}."
        )
    if status == 429:
        return f"{where} limits the rate of requests (HTTP 429{reason}). Wait, or check your quota."
    if status == 503 and "load" in reason.lower():  # llama.cpp
        return f"{where} is still loading its model (HTTP 503{reason}). Wait until it is ready."
    if status >= 500:
        return f"{where} is still starting, or failing (HTTP {status}{reason}). Check its log."
    return f"{where} rejects the request (HTTP {status}{reason})."


def key_problem(answer: Answer, target: Target) -> KeyProblem:
    """Return the error for an answer with one of KEY_STATUSES."""
    details = f"(HTTP {answer.status}{message(answer, target)})"
    return KeyProblem(_key_sentence(target, details), details)


def address_hint(target: Target) -> str:
    """Return the end of a sentence that suggests another address, or ""."""
    base = target.base_url or ""
    if target.endpoint:
        return ""
    if VERSIONED.search(base):
        root = base.removesuffix("/v1")
        return f"; an endpoint at another path can be given in full, as {root}/chat/completions"
    return f"; try {base}/v1"


def message(answer: Answer, target: Target) -> str:
    """Return ": " and the server's error message, without secrets; "" if there is none."""
    text = quote(message_of(answer.content), target)
    return f": {text}" if text else ""


def quote(text: str, target: Target, limit: int = LONGEST) -> str:
    """Return a server's text for use in a sentence: one line, without secrets and without the full
    stop at its end."""
    return untrusted.text(text, target.secrets, limit).rstrip(".")


def _key_sentence(target: Target, details: str) -> str:
    backend = BACKENDS[target.backend]
    if target.key:
        return f"{target.netloc} rejects the key in {backend.key_env} {details}. Check the key."
    if not backend.key_env:
        return (
            f"{target.netloc} requires a key {details}, but {backend.label} sends none. "
            "Choose the backend url instead."
        )
    address = f" and {backend.url_env}={target.base_url}" if backend.url_env else ""
    return f"{target.netloc} requires a key {details}: put {backend.key_env}=…{address} in .env."


def _location(answer: Answer, target: Target) -> str:
    """The base URL that a redirect points to, without its query, which may hold a secret; "" if the
    redirect names none."""
    location = quote(answer.headers.get("location", ""), target, 200)
    return location.partition("?")[0].removesuffix("/models").removesuffix("/chat/completions")


def _failure(error: Exception, target: Target, timeout_s: float) -> str:
    where, host = target.netloc, urlsplit(target.base_url or "").hostname
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror | UnicodeError):
            why = getattr(cause, "strerror", None) or "not a host name"
            return f"The host {host} cannot be found ({why}). Check the address."
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{where} cannot be reached: {why_untrusted(cause)}"
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError):
            return f"{where} does not speak TLS ({cause.reason}). Try http:// instead of https://."
        if isinstance(cause, ConnectionRefusedError):
            if target.proxy:
                return f"The proxy of {where} refuses connections. Check {_proxy_names(target)}."
            return f"Nothing answers at {where}. {_start_hint(target)}"
    reason = quote(str(error), target)
    match error:
        case httpx.ConnectTimeout():
            waited = min(CONNECT_S, timeout_s / 2)
            return f"No connection to {where} within {waited:g} s. Check the address and firewalls."
        case httpx.TimeoutException() | TimeoutError():
            return f"{where} accepts connections, but did not answer within {timeout_s:g} s."
        case httpx.ConnectError():
            return f"{where} cannot be reached ({reason or 'no reason given'})."
        case httpx.RemoteProtocolError():
            return f"{where} does not answer in HTTP ({reason}). Is it another service?"
        case _:
            return f"The connection to {where} broke ({reason or 'no reason given'})."


def _is_refused(error: Exception) -> bool:
    return any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):  # one for each of a host's addresses
            yield from (each for inner in error.exceptions for each in _causes(inner))
        error = error.__cause__ or error.__context__


def _proxy_names(target: Target) -> str:
    """The names of the variables that set the proxy, whose URL may hold a password."""
    scheme = urlsplit(target.base_url or "").scheme
    return f"{scheme.upper()}_PROXY and ALL_PROXY"


def _start_hint(target: Target) -> str:
    """Return how to start a server at the target, or advice where the command is unknown."""
    backend = BACKENDS[target.backend]
    if not backend.start_hint or not backend.base_url or not target.base_url:
        return "Check the address, and that the server is running."
    _, host, port = origin(target.base_url)
    command = backend.start_hint.replace(str(origin(backend.base_url)[2]), str(port))
    if host in LOOPBACK:
        return f"Start {backend.label} with: {command}"
    return f"Start {backend.label} there with: {command.replace(LOOPBACK[0], '0.0.0.0')}"
