"""A probe finds what is there, and says of everything else what is wrong and what to do."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from services.ask.backends import BackendProblem, Target
from services.servers.probe import Probe, engine_facts, list_models, probe, with_model
from tests.conftest import ReferenceServer

DATA = Path(__file__).parents[2] / "data"
KEY = "sk-secret-0123456789"
T = TypeVar("T")
Page = bytes | None  # None: silence
Pages = dict[str, Page]


# --- a server that answers what it is told to --------------------------------------------------


def http(status: int, body: bytes | str | dict[str, Any], *headers: str) -> bytes:
    """Build an answer: text as HTML, a dict as JSON, bytes as a stream of events."""
    if isinstance(body, dict):
        kind, content = "application/json", json.dumps(body).encode()
    elif isinstance(body, str):
        kind, content = "text/html", body.encode()
    else:
        kind, content = "text/event-stream", body
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "Server: test-engine", *headers, "", ""]).encode() + content


class Server:
    """Serves `pages` by path, and keeps the requests. "*" answers every other path; at `hold` the
    answer is written and left open."""

    def __init__(self, pages: Pages, hold: str = "") -> None:
        self.pages = pages
        self.hold = hold
        self.asked: list[tuple[str, str, bytes]] = []  # request line, headers, body
        self.connections: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.current_task())
        try:
            while await self._one(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client has gone, as it may
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = await reader.readexactly(1)
        if first == b"\x16" and self.pages["*"]:  # a TLS greeting
            writer.write(http(400, "The plain HTTP request was expected"))
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        line, headers = head.split("\r\n", 1)
        length = next((v for v in headers.lower().split("\r\n") if "content-length" in v), ":0")
        body = await reader.readexactly(int(length.partition(":")[2]))
        self.asked.append((line, headers, body))
        path = line.split()[1]
        page = self.pages.get(path, self.pages.get("*", http(404, {"detail": "Nope"})))
        writer.write(page or b"")
        if page is None or path == self.hold:
            await reader.read()  # until the client gives up
            return False
        return b"Connection: close" not in page and page.startswith(b"HTTP")


def served(
    pages: Pages,
    use: Callable[[str, Server], Awaitable[T]],
    tls: ssl.SSLContext | None = None,
    hold: str = "",
) -> T:
    """Serve `pages` on a free port; return what `use` makes of (its netloc, the server). Ends when
    the client has closed what it opened."""

    async def main() -> T:
        server = Server(pages, hold)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
        port = listening.sockets[0].getsockname()[1]
        try:
            result = await use(f"127.0.0.1:{port}", server)
            await asyncio.gather(*filter(None, server.connections))
            return result
        finally:
            listening.close()

    return asyncio.run(main())


def probed(
    pages: Pages, backend: str = "vllm", model: str = "", key: str | None = None, **more: Any
) -> Probe:
    """Probe a server of `pages`; HOST stands for its address in what comes back."""

    async def use(netloc: str, _: Server) -> Probe:
        scheme = more.get("scheme", "http")
        target = Target(backend, f"{scheme}://{netloc}/v1", model, key)
        result = await probe(target, more.get("timeout_s", 2.0))
        problem = result.problem and result.problem.replace(netloc, "HOST")
        return Probe(**{**{n: getattr(result, n) for n in Probe.__slots__}, "problem": problem})

    return served(pages, use, more.get("tls"), more.get("hold", ""))


MODELS = http(200, {"object": "list", "data": [{"id": "smol"}, {"id": "large"}]})
STREAM = http(200, (DATA / "vllm_chat_stream.txt").read_bytes())
WHOLE = {
    "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}
UNKNOWN = {  # vLLM 0.32
    "error": {
        "message": "The model `nope` does not exist. Valid aliases: smollm2-135m.",
        "type": "NotFoundError",
        "param": "model",
        "code": 404,
    }
}


def chat(answer: Page) -> Pages:
    return {"/v1/models": MODELS, "/v1/chat/completions": answer}


def events(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


def nobody() -> str:
    """Return an address at which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{sock.getsockname()[1]}"


# --- what is there -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vllm_chat_stream.txt", "sglang_stream_chat.sse"])
def test_a_healthy_engine_is_recognised(name: str) -> None:
    result = probed(chat(http(200, (DATA / name).read_bytes())))
    assert result.reachable and result.streams and result.reports_usage
    assert result.models == ("smol", "large")
    assert result.server == "test-engine"
    assert result.rtt_s is not None and 0 < result.rtt_s < 0.5
    assert result.problem is None


def test_the_reference_server_passes_the_probe(reference: ReferenceServer) -> None:
    model = "ref ttft=0.01 gap=0.001 tokens=4"
    result = asyncio.run(probe(Target("url", reference.base_url, model)))
    assert result.problem is None and result.streams and result.reports_usage


@pytest.mark.parametrize(
    ("answer", "streams", "reports_usage"),
    [
        (http(200, WHOLE), False, True),
        (http(200, {"choices": WHOLE["choices"]}), False, False),
        (http(200, events({"choices": [{"delta": {"content": "Hi"}}]})), True, False),
        (http(200, events({"choices": [{"delta": {"reasoning": "Hm"}}]})), True, False),
        (http(200, events({"choices": [{"delta": {}, "finish_reason": "length"}]})), True, False),
        (http(200, b"data: ping\n\n" + events({"choices": [{"text": "Hi"}]})), True, False),
        (http(200, events({"choices": [{"text": "Hi"}]})[:-1]), True, False),
        (http(200, json.dumps(WHOLE).encode() + b"\n\ndata: [DONE]\n\n"), False, True),
        (http(200, events({"choices": [{"text": "Hi"}]}).decode()), True, False),
    ],
)
def test_streaming_and_token_counts_are_detected(
    answer: bytes, streams: bool, reports_usage: bool
) -> None:
    result = probed(chat(answer))
    assert (result.streams, result.reports_usage) == (streams, reports_usage)
    assert result.problem is None


def test_an_endless_stream_counts_as_streaming() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    begun = head + events({"choices": [{"delta": {"content": "Hi"}}]})
    result = probed(chat(begun), timeout_s=0.1, hold="/v1/chat/completions")
    assert (result.streams, result.reports_usage, result.problem) == (True, None, None)


def test_the_round_trip_is_timed_on_one_open_connection() -> None:
    async def use(netloc: str, server: Server) -> tuple[int, int]:
        await probe(Target("vllm", f"http://{netloc}/v1"))
        return len(server.connections), len(server.asked)

    assert served(chat(STREAM), use) == (1, 1 + 5 + 1)


def test_no_round_trip_is_reported_where_every_get_would_open_a_connection() -> None:
    pages = chat(STREAM)
    pages["/v1/models"] = http(200, {"data": [{"id": "smol"}]}, "Connection: close")
    result = probed(pages)
    assert result.rtt_s is None and result.problem is None


def test_the_probe_request_is_small_and_carries_the_key() -> None:
    async def use(netloc: str, server: Server) -> list[tuple[str, str, bytes]]:
        await probe(Target("openai", f"http://{netloc}/v1", "smol", KEY))
        return server.asked

    requests = served(chat(STREAM), use)
    assert all(f"Authorization: Bearer {KEY}" in headers for _, headers, _ in requests)
    body = json.loads(requests[-1][2])
    assert body["max_completion_tokens"] == 4 and body["model"] == "smol" and body["stream"]


def test_a_cloud_gets_no_paid_request_before_a_model_is_chosen() -> None:
    result = probed(chat(STREAM), backend="groq", key=KEY)
    assert result.reachable and result.models == ("smol", "large")
    assert (result.streams, result.reports_usage, result.problem) == (None, None, None)


def test_ids_that_no_model_can_have_are_left_out() -> None:
    data = [{"id": "a"}, {"id": 7}, {"id": ""}, {"id": "x" * 301}, {"id": "a\nb"}, "b", {"n": 1}]
    result = probed({"/v1/models": http(200, {"data": data}), "*": STREAM})
    assert result.models == ("a",)


# --- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        (
            "sglang",
            "Nothing answers at HOST:PORT. Start SGLang with: python -m sglang.launch_server "
            "--model-path Qwen/Qwen2.5-0.5B-Instruct --host 127.0.0.1 --port PORT",
        ),
        (
            "vllm",
            "Nothing answers at HOST:PORT. Start vLLM with: vllm serve Qwen/Qwen2.5-0.5B-Instruct "
            "--host 127.0.0.1 --port PORT",
        ),
        (
            "ollama",
            "Nothing answers at HOST:PORT. Start Ollama with: OLLAMA_HOST=127.0.0.1:PORT ollama "
            "serve",
        ),
        ("url", "Nothing answers at HOST:PORT. Check the address, and that the server is running."),
    ],
)
def test_where_nothing_answers_the_command_that_starts_it_is_given(
    backend: str, sentence: str
) -> None:
    netloc = nobody()
    result = asyncio.run(probe(Target(backend, f"http://{netloc}/v1")))
    port = netloc.partition(":")[2]
    assert result == Probe(
        False, problem=sentence.replace("HOST:PORT", netloc, 1).replace("PORT", port)
    )


MODEL_PROBLEMS: list[tuple[Page, str]] = [
    (
        http(200, "<!DOCTYPE html><html><body>Hello</body></html>"),
        "HOST is not OpenAI-compatible: it answers with a web page instead of the list of models. "
        "Check the address; most end in /v1.",
    ),
    (
        http(200, b"\x00\x01\x02"),
        "HOST is not OpenAI-compatible: it answers with something that is not JSON instead of the "
        "list of models. Check the address; most end in /v1.",
    ),
    (
        http(200, {"models": []}),
        'HOST is not OpenAI-compatible: it answers with JSON without a list "data" of models. '
        "Check the address; most end in /v1.",
    ),
    (
        http(200, {"data": [1, 2]}),
        "HOST is not OpenAI-compatible: it answers with models without a usable name. Check the "
        "address; most end in /v1.",
    ),
    (
        http(200, {"data": [{"id": "m", "x": "y" * 2**22}]}),
        "HOST is not OpenAI-compatible: it answers with more than a list of models can contain. "
        "Check the address; most end in /v1.",
    ),
    (
        http(200, {"data": []}),
        "HOST answers, but lists no model. Name the one to use, or start the server with one.",
    ),
    (
        http(401, {"error": {"message": "Invalid API key."}}),
        "HOST requires a key (HTTP 401: Invalid API key): put VLLM_API_KEY=… and "
        "VLLM_BASE_URL=http://HOST/v1 in .env.",
    ),
    (
        http(404, {"detail": "Not Found"}),
        "HOST has no list of models at /v1/models (HTTP 404). Name the model, if the server "
        "answers without a list; an endpoint at another path can be given in full, as "
        "http://HOST/chat/completions.",
    ),
    (
        http(302, "", "Location: https://elsewhere.example/v1/models?token=secret"),
        "HOST redirects to https://elsewhere.example/v1. Use that address, if it is the right one.",
    ),
    (http(301, ""), "HOST redirects (HTTP 301), but does not say where. Check the address."),
    (
        http(429, {"error": {"message": "Rate limit reached"}}),
        "HOST limits the rate of requests (HTTP 429: Rate limit reached). Wait, or check your "
        "quota.",
    ),
    (
        http(503, {"error": {"message": "Loading model", "code": 503}}),
        "HOST is still loading its model (HTTP 503: Loading model). Wait until it is ready.",
    ),
    (http(418, "I am a teapot"), "HOST rejects the request (HTTP 418)."),
    (b"SSH-2.0-OpenSSH_9.6\r\n", "HOST does not answer in HTTP ("),
    (None, "HOST accepts connections, but did not answer within 0.2 s."),
]


@pytest.mark.parametrize(("page", "sentence"), MODEL_PROBLEMS)
def test_problems_with_a_list_of_models_are_named(page: Page, sentence: str) -> None:
    result = probed({"*": page}, timeout_s=0.2 if page is None else 2.0)
    assert result.problem is not None and result.problem.startswith(sentence)
    assert not result.models and result.streams is None


@pytest.mark.parametrize(("page", "sentence"), MODEL_PROBLEMS[:4] + MODEL_PROBLEMS[6:8])
def test_an_unreadable_list_of_models_raises_the_same_message(page: Page, sentence: str) -> None:
    async def use(netloc: str, _: Server) -> str:
        with pytest.raises(BackendProblem) as caught:
            await list_models(Target("vllm", f"http://{netloc}/v1"))
        return str(caught.value).replace(netloc, "HOST")

    assert served({"*": page}, use) == sentence


CHAT_PROBLEMS: list[tuple[Page, str]] = [
    (
        http(404, UNKNOWN),
        "HOST does not serve 'nope'. It lists smol, large.",
    ),
    (
        http(400, {"error": {"message": "unknown", "code": "model_not_found"}}),
        "HOST does not serve 'nope'. It lists smol, large.",
    ),
    (
        http(404, {"error": {"message": 'model "nope" not found, try pulling it first'}}),
        "HOST does not serve 'nope'. It lists smol, large.",
    ),
    (
        http(404, {"detail": "Not Found"}),
        "HOST has no /v1/chat/completions (HTTP 404): the path of the address is wrong, or the "
        "server is not OpenAI-compatible; an endpoint at another path can be given in full, as "
        "http://HOST/chat/completions.",
    ),
    (
        http(400, {"error": {"message": "temperature must be non-negative."}}),
        "HOST rejects the request (HTTP 400: temperature must be non-negative).",
    ),
    (
        http(200, {"hello": "world"}),
        "HOST is not OpenAI-compatible: it answers the test request with something that is not a "
        "chat completion.",
    ),
    (
        http(200, "<html></html>"),
        "HOST is not OpenAI-compatible: it answers the test request with something that is not a "
        "chat completion.",
    ),
    (
        http(200, b": nothing\n\ndata: [DONE]\n\n"),
        "HOST is not OpenAI-compatible: it answers the test request with something that is not a "
        "chat completion.",
    ),
    (
        http(200, events({"error": {"message": f"CUDA out of memory with {KEY}"}})),
        "HOST answers the test request with an error: CUDA out of memory with [removed].",
    ),
    (
        http(200, b'error: {"code": 500, "message": "context is full"}\n\n'),
        "HOST answers the test request with an error: context is full.",
    ),
    (None, "HOST accepts connections, but did not answer within 0.8 s."),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{", "HOST does not answer"),
]


@pytest.mark.parametrize(("page", "sentence"), CHAT_PROBLEMS)
def test_problems_with_an_answer_are_named_and_the_rest_is_kept(page: Page, sentence: str) -> None:
    result = probed(chat(page), model="nope", key=KEY, timeout_s=0.2 if page is None else 2.0)
    assert result.problem is not None and result.problem.startswith(sentence)
    assert result.reachable and result.models == ("smol", "large") and result.streams is None


def test_of_many_models_only_a_few_are_named() -> None:
    models = http(200, {"data": [{"id": f"m{i}"} for i in range(1005)]})
    result = probed({"/v1/models": models, "*": http(404, UNKNOWN)}, model="nope")
    assert (
        result.problem == "HOST does not serve 'nope'. It lists m0, m1, m2, m3, m4 and 1,000 more."
    )


@pytest.mark.parametrize(
    ("backend", "key", "sentence"),
    [
        ("groq", KEY, "HOST rejects the key in GROQ_API_KEY (HTTP 401: no). Check the key."),
        (
            "ollama",
            None,
            "HOST requires a key (HTTP 401: no), but Ollama sends none. Choose the backend url "
            "instead.",
        ),
        (
            "url",
            None,
            "HOST requires a key (HTTP 401: no): put PACELINE_URL_API_KEY=… and "
            "PACELINE_URL=http://HOST/v1 in .env.",
        ),
    ],
)
def test_a_missing_key_is_distinguished_from_a_wrong_one(
    backend: str, key: str, sentence: str
) -> None:
    result = probed({"*": http(401, {"error": "no"})}, backend=backend, model="m", key=key)
    assert result.problem == sentence


def test_a_key_that_a_server_repeats_is_not_shown() -> None:
    echoed = {"error": {"message": f"Incorrect API key provided: {KEY}. See the docs."}}
    result = probed({"*": http(401, echoed)}, backend="openai", key=KEY)
    assert result.problem and KEY not in result.problem and "[removed]" in result.problem


def test_a_redirect_does_not_take_the_key_along() -> None:
    async def use(netloc: str, server: Server) -> list[str]:
        server.pages["*"] = http(307, "", f"Location: http://{netloc}/elsewhere")
        await probe(Target("vllm", f"http://{netloc}/v1", "m", KEY))
        return [line for line, _, _ in server.asked]

    assert served({}, use) == ["GET /v1/models HTTP/1.1"]


def test_a_body_that_drips_for_ever_times_out() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    result = probed({"*": head}, timeout_s=0.2, hold="/v1/models")
    assert result.problem == "HOST accepts connections, but did not answer within 0.2 s."


@pytest.mark.parametrize("host", ["nowhere.invalid", "xn--a"])
def test_a_host_that_does_not_exist_is_named(host: str) -> None:
    result = asyncio.run(probe(Target("vllm", f"http://{host}:8000/v1")))
    assert result.problem is not None
    assert result.problem.startswith(f"The host {host} cannot be found (")
    assert result.reachable is False


def test_https_to_a_plain_http_server_is_named() -> None:
    result = probed({"*": MODELS}, scheme="https")
    assert result.problem is not None
    assert result.problem.startswith("HOST does not speak TLS (")
    assert result.problem.endswith("). Try http:// instead of https://.")


def test_a_tls_handshake_without_an_answer_times_out() -> None:
    result = probed({"*": None}, scheme="https", timeout_s=0.2)
    assert result.problem == (
        "No connection to HOST within 0.1 s. Check the address and firewalls."
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_self_signed_certificate_is_not_trusted(tmp_path: Path) -> None:
    command = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout k -out c"
    subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    result = probed({"*": MODELS}, scheme="https", tls=context)
    assert result.problem == (
        "HOST cannot be reached: its certificate is not trusted (self-signed certificate). Set "
        "ca_file to the certificate of its authority, or turn the check off for your own server "
        "(insecure_tls)."
    )


# --- the rest ----------------------------------------------------------------------------------


def test_an_engine_that_is_not_running_yet_says_so_and_has_its_own_model() -> None:
    target = Target("embedded", None, "smollm2-135m-instruct")
    assert asyncio.run(list_models(target)) == ("smollm2-135m-instruct",)
    result = asyncio.run(probe(target))
    assert result.problem == "The embedded engine is not running; a run starts it."


def test_an_empty_model_becomes_the_first_one_listed() -> None:
    async def use(netloc: str, _: Server) -> str:
        return (await with_model(Target("vllm", f"http://{netloc}/v1"))).model

    assert served({"*": MODELS}, use) == "smol"
    assert asyncio.run(with_model(Target("vllm", "http://unasked/v1", "mine"))).model == "mine"


@pytest.mark.parametrize(
    ("backend", "page", "sentence"),
    [
        (
            "groq",
            MODELS,
            "Groq serves many models at different prices: choose one, or put GROQ_MODEL=… in .env.",
        ),
        (
            "ollama",
            http(200, {"object": "list", "data": None}),
            "HOST answers, but lists no model. Pull one with: ollama pull llama3.2",
        ),
    ],
)
def test_a_model_must_be_chosen_by_the_person_if_ambiguous(
    backend: str, page: bytes, sentence: str
) -> None:
    async def use(netloc: str, _: Server) -> str:
        with pytest.raises(BackendProblem) as caught:
            await with_model(Target(backend, f"http://{netloc}/v1", "", KEY))
        return str(caught.value).replace(netloc, "HOST")

    assert served({"*": page}, use) == sentence


def test_a_cloud_is_not_asked_for_its_engine() -> None:
    assert asyncio.run(engine_facts(Target("groq", "http://unasked/v1", "m", KEY))) == {}
    assert asyncio.run(engine_facts(Target("litellm", None, "a/b"))) == {}


LITELLM = """
import asyncio, os
os.environ.pop("GROQ_API_KEY", None)
from services.ask.backends import Target
from services.servers.probe import probe
for model, key in [("groq/llama", None), ("groq/llama", "k"), ("nope/x", None)]:
    found = asyncio.run(probe(Target("litellm", None, model, key, "litellm")))
    print(found.reachable, found.problem)
"""


@pytest.mark.long
@pytest.mark.slow
def test_litellms_offline_problems_are_reported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LITELLM], capture_output=True, text=True, timeout=240
    )
    assert done.stdout.splitlines() == [
        "None LiteLLM needs GROQ_API_KEY=… for groq: put it in .env.",
        "None None",
        "None LiteLLM has no provider 'nope'. See docs.litellm.ai/docs/providers.",
    ], done.stderr
