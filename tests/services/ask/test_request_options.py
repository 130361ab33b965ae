"""A request is made to fit its server, and no secret is in what is stored of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import pytest

from services.ask.backends import BackendProblem, target
from services.ask.config import RunConfig, parse, stored
from services.ask.problems import InvalidConfig
from services.ask.remedy import remedy
from services.base.ipc import Message
from services.load.protocol import Job, Requests
from services.load.repeat import RepeatPlayer
from services.servers.check_backend import check_backend
from tests.picky import Body, Picky, Refusal, serving

AZURE = {"PACELINE_URL_API_KEY": "azure-secret-1", "HOME": "/root"}


def requests_of(
    picky: Picky, env: dict[str, str] | None = None, **fields: Any
) -> list[dict[str, Any]]:
    """Send one request, as a run does; return its measurement."""
    values = {"backend": "url", "model": "m", "requests": 1, "warmup": 0, **fields}
    if "base_url" not in values and not env:
        values["base_url"] = f"{picky.url}/v1"
    config = parse(values)
    messages: list[Message] = []

    async def now() -> int:
        return perf_counter_ns()

    async def play() -> None:
        playing = RepeatPlayer(Job(config, target(config, env or {}), "nonce", 0), messages.append)
        try:
            await playing.play(0, now)
        finally:
            playing.client.close()

    asyncio.run(play())
    batches = [message for message in messages if isinstance(message, Requests)]
    return [asdict(seen) for batch in batches for seen in batch.measurements()]


def wants(**rules: Callable[[Any], bool]) -> Callable[[Body, dict[str, str]], Refusal]:
    """Return what refuses a body with a field that breaks its rule, and names the field."""

    def refuses(body: Body, headers: dict[str, str]) -> Refusal:
        wrong = [name for name, holds in rules.items() if not holds(body.get(name))]
        return (422, {"detail": [{"loc": ["body", wrong[0]], "msg": "No"}]}) if wrong else None

    return refuses


def absent(value: Any) -> bool:
    return value is None


@pytest.mark.parametrize(
    ("refuses", "config"),
    [
        (wants(top_p=absent), {}),  # TGI: below 1; Claude: not beside a temperature
        (wants(temperature=lambda it: it == 0), {}),
        (wants(temperature=absent), {"backend": "openai"}),  # gpt-5
        (wants(temperature=absent), {"omit": ["temperature"]}),
        (wants(stream_options=absent), {"omit": ["stream_options"]}),
        (wants(max_tokens=absent), {"omit": ["max_tokens"]}),
        (wants(top_p=lambda it: it == 1), {"top_p": 1}),
        (
            wants(max_tokens=absent, max_completion_tokens=lambda it: it == 128),
            {"max_tokens_field": "max_completion_tokens"},
        ),
        (
            wants(max_tokens=lambda it: it == 128),
            {"backend": "openai", "max_tokens_field": "max_tokens"},
        ),
        (wants(min_tokens=lambda it: it == 64), {"min_tokens": 64}),
        (wants(min_tokens=lambda it: it == 128), {"min_tokens": 500}),  # max_tokens
        (
            wants(min_tokens=lambda it: it == 64, chat_template_kwargs=lambda it: it == {"a": [1]}),
            {"extra_body": {"min_tokens": 64, "chat_template_kwargs": {"a": [1]}}},
        ),
    ],
)
def test_requests_fit_what_a_server_accepts(refuses: Any, config: dict[str, Any]) -> None:
    with serving(Picky(refuses)) as picky:
        env = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": picky.url}
        (row,) = requests_of(picky, env if config.get("backend") == "openai" else None, **config)
        assert (row["status"], row["error"]) == ("ok", None)


@pytest.mark.parametrize(
    ("path", "expected", "listed"),
    [
        ("/chat/completions", "/chat/completions", "/models"),
        ("/", "/v1/chat/completions", "/v1/models"),
        ("/v1/", "/v1/chat/completions", "/v1/models"),
        ("/v1/chat/completions/", "/v1/chat/completions", "/v1/models"),
        ("/api/paas/v4", "/api/paas/v4/chat/completions", "/api/paas/v4/models"),
        ("/v1/completions", "/v1/completions", "/v1/models"),
        ("/v1?a=b", "/v1/chat/completions?a=b", "/v1/models?a=b"),
        (
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
            "/openai/deployments/d/models?api-version=2024-10-21",
        ),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_requested_as_it_is_given(
    path: str, expected: str, listed: str, host: str
) -> None:
    endpoint, models = (
        expected.partition("?")[0],
        {listed.partition("?")[0]: {"data": [{"id": "m"}]}},
    )
    with serving(Picky(paths=(endpoint,), models=models), host=host) as picky:
        (row,) = requests_of(picky, base_url=f"{picky.url}{path}")
        assert row["status"] == "ok", row["error"]
        assert picky.asked[0][0] == expected
        assert ("prompt" in picky.asked[0][2]) == (path == "/v1/completions")
        assert row["output_tokens"] == 4


# --- headers and their secrets -----------------------------------------------------------------


def test_a_header_takes_the_secret_from_its_variable_and_replaces_the_key() -> None:
    def refuses(_: Body, headers: dict[str, str]) -> Refusal:
        right = headers.get("api-key") == "azure-secret-1" and headers.get("X-Route") == "a"
        message = f"wrong key {headers}"
        return None if right and "Authorization" not in headers else (401, {"error": message})

    with serving(Picky(refuses)) as picky:
        env = {**AZURE, "PACELINE_URL": picky.url}
        headers = ["api-key: $PACELINE_URL_API_KEY", "X-Route: a"]
        (row,) = requests_of(picky, env, headers=headers)
        assert row["status"] == "ok", row["error"]
        bearer = requests_of(
            picky,
            env | {"PACELINE_URL_HEADER_ONE": "other-secret-2"},
            headers={"X-Tenant": "$PACELINE_URL_HEADER_ONE"},
        )
        assert picky.asked[-1][1]["Authorization"] == "Bearer azure-secret-1"
        assert "azure-secret" not in bearer[0]["error"] and "other-secret" not in bearer[0]["error"]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"headers": {"X-Home": "$HOME"}},
            "A header for OpenAI-compatible URL may name PACELINE_URL_API_KEY or a variable that "
            "begins with PACELINE_URL_HEADER_, but not HOME.",
        ),
        (
            {"headers": {"X-Home": "$OPENAI_API_KEY"}},
            "A header for OpenAI-compatible URL may name PACELINE_URL_API_KEY or a variable that "
            "begins with PACELINE_URL_HEADER_, but not OPENAI_API_KEY.",
        ),
        (
            {"headers": {"api-key": "$PACELINE_URL_API_KEY"}, "base_url": "http://evil.example"},
            "PACELINE_URL_API_KEY is not sent to evil.example: it goes to the address in "
            "PACELINE_URL only. Put this address there.",
        ),
        (
            {"headers": {"X-Tenant": "$PACELINE_URL_HEADER_B"}},
            "A header needs PACELINE_URL_HEADER_B: put PACELINE_URL_HEADER_B=… in .env.",
        ),
        (
            {"headers": {"X-Tenant": "$PACELINE_URL_HEADER_TWO_LINES"}},
            "PACELINE_URL_HEADER_TWO_LINES contains a character that is not allowed in a header.",
        ),
        (
            {"backend": "ollama", "headers": {"X-Tenant": "$PACELINE_URL_API_KEY"}},
            "A header for Ollama may name a variable that begins with OLLAMA_HEADER_, but not "
            "PACELINE_URL_API_KEY.",
        ),
        (
            {"backend": "embedded", "headers": {"X-Tenant": "$PACELINE_URL_API_KEY"}},
            "A header for Embedded llama.cpp cannot name a variable (PACELINE_URL_API_KEY).",
        ),
        (
            {"backend": "openai", "insecure_tls": True},
            "The certificate of OpenAI is always checked. Turn insecure_tls off, or set ca_file "
            "to the certificates of your gateway.",
        ),
        (
            {"ca_file": "/etc/shadow"},
            "ca_file is not a readable file of certificates (PEM). Give its full path on the "
            "machine that sends the requests.",
        ),
        (
            {"ca_file": "/dev/zero"},
            "ca_file is not a readable file of certificates (PEM). Give its full path on the "
            "machine that sends the requests.",
        ),
        (
            {"client": "litellm", "base_url": "http://h/chat/completions"},
            "LiteLLM builds the address of a request itself. Leave out the endpoint and the "
            "query, or measure with Paceline's own client.",
        ),
    ],
)
def test_forbidden_options_are_refused_with_a_message(
    config: dict[str, Any], sentence: str
) -> None:
    env = {
        **AZURE,
        "PACELINE_URL": "https://mine.example/v1",
        "OPENAI_API_KEY": "sk-1",
        "PACELINE_URL_HEADER_TWO_LINES": "a\r\nX-Evil: 1",
    }
    with pytest.raises(BackendProblem) as caught:
        target(RunConfig(**{"backend": "url", **config}), env)
    assert str(caught.value) == sentence


def nested(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels - 1):
        inner = [inner]
    return inner


SECRET = (
    "headers must not contain the secret of {0} itself, because they are stored with the run. Put "
    "it in .env, such as PACELINE_URL_HEADER_KEY=…, and write {0}: $PACELINE_URL_HEADER_KEY."
)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"headers": {"api-key": "abc"}}, SECRET.format("api-key")),
        ({"headers": {"Authorization": "Bearer abc"}}, SECRET.format("Authorization")),
        ({"headers": {"Cookie": "a=b"}}, SECRET.format("Cookie")),
        ({"headers": {"X-Auth-Token": "abc $PACELINE_URL_API_KEY"}}, SECRET.format("X-Auth-Token")),
        ({"headers": {"X-Route": "sk-abcdefghij"}}, SECRET.format("X-Route")),
        ({"headers": {"Host": "h"}}, "headers must not contain Host, which Paceline sets itself."),
        (
            {"headers": ["Transfer-Encoding: chunked"]},
            "headers must not contain Transfer-Encoding, which Paceline sets itself.",
        ),
        (
            {"headers": {"X-A": "1\r\nX-Evil: 1"}},
            "headers contain a value of X-A that cannot be sent: it must be one line of ASCII, of "
            "at most 2,000 characters.",
        ),
        (
            {"headers": {"X-A": 5}},
            "headers contain a value of X-A that is not text: write it in quotes.",
        ),
        ({"headers": {"X A": "1"}}, "headers contain a name that is not valid for a header."),
        ({"headers": {"X-A\r\nB": "1"}}, "headers contain a name that is not valid for a header."),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers must name each header once."),
        ({"headers": "X-A"}, 'headers must be written as "Name: value".'),
        (
            {"headers": {f"X-{i}": "1" for i in range(21)}},
            "headers must have at most 20 entries.",
        ),
        (
            {"extra_body": {"messages": []}},
            "extra_body must not contain 'messages': set prompt instead.",
        ),
        (
            {"extra_body": {"stream": False}},
            "extra_body must not contain 'stream': Paceline always streams.",
        ),
        (
            {"extra_body": "[1]"},
            'extra_body must be a JSON object, such as {"min_p": 0.1}.',
        ),
        (
            {"extra_body": "{"},
            'extra_body must be a JSON object, such as {"min_p": 0.1}.',
        ),
        (
            {"extra_body": {"a": "x" * 10_001}},
            "extra_body must have at most 10,000 characters of JSON.",
        ),
        (
            {"extra_body": {"a": float("inf")}},
            "extra_body must be a JSON object of finite numbers, strings, lists and objects.",
        ),
        (
            {"extra_body": {"a": nested(20)}},
            "extra_body must have at most 20 levels of lists and objects.",
        ),
        (
            {"extra_body": {"a": [{"b\ud800": 1}]}},
            "extra_body must not contain half of a surrogate pair.",
        ),
        (
            {"extra_body": {"a": [2**64]}},
            "extra_body must not contain whole numbers of more than 64 bits.",
        ),
        (
            {"extra_body": {"api_key": ["x"]}},
            "extra_body must not contain a key, and 'api_key' looks like one: send it as a header "
            "that refers to a variable.",
        ),
        (
            {"extra_body": {"a": [{"api_key": "x"}]}},
            "extra_body must not contain a key, and 'api_key' looks like one: send it as a header "
            "that refers to a variable.",
        ),
        (
            {"extra_body": {"a": ["sk-abcdefghij"]}},
            "extra_body must not contain a key, but one of its texts looks like one.",
        ),
        (
            {"base_url": "https://h/v1?api-key=1"},
            "base_url must not contain a key: its parameter 'api-key' looks like one. Put the "
            "key into .env, into the backend's variable, such as PACELINE_URL_API_KEY, or send it "
            "as a header that names a variable.",
        ),
        (
            {"extra_body": {"auth": {"x": ["hunter2"]}}},
            "extra_body must not contain a key, and 'auth' looks like one: send it as a header "
            "that refers to a variable.",
        ),
        (
            {"extra_body": {"tools": [{"server": {"properties": {"password": "hunter2"}}}]}},
            "extra_body must not contain a key, and 'password' looks like one: send it as a "
            "header that refers to a variable.",
        ),
        (
            {"extra_body": {"sk-abcdefghij": 1}},
            "extra_body must not contain a key, but the name of a field looks like one.",
        ),
        (
            {"base_url": "https://h/v1/sk-abcdef1234567890"},
            "base_url must not contain a key: its path looks like one. Put the key into .env, "
            "into the backend's variable, such as PACELINE_URL_API_KEY, or send it as a header "
            "that names a variable.",
        ),
        (
            {"base_url": "http://::1:8000"},
            "base_url is not an address: put an IPv6 host in brackets, http://[::1]:8000.",
        ),
    ],
)
def test_options_that_cannot_be_stored_or_sent_are_refused(
    config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse(config)
    assert str(caught.value) == sentence


def test_fields_that_are_not_keys_are_accepted() -> None:
    config = parse(
        {
            "extra_body": '{"stop_token": "x", "prompt_cache_key": "p", "stream_options": {}, '
            '"secret": {"on": true}, "tools": [{"parameters": {"properties": {"password": '
            '{"type": "string"}}, "required": ["password"]}}]}',
            "headers": "X-Session-ID: 4\nAuthorization: Basic $PACELINE_URL_HEADER_BASIC",
            "omit": "temperature, top_p temperature",
            "base_url": "https://h/v1?api-version=1&deployment=d",
        }
    )
    assert config.extra_body["prompt_cache_key"] == "p"
    assert config.headers["X-Session-ID"] == "4"
    assert config.omit == ("temperature", "top_p")
    assert config.base_url == "https://h/v1?api-version=1&deployment=d"
    assert parse(config.model_dump(mode="json")) == config


def test_a_run_that_was_stored_with_what_is_refused_by_now_can_still_be_read() -> None:
    old = {"base_url": "http://h/sk-abcdef1234567890/v1", "extra_body": {"auth": {"x": "y"}}}
    config = stored({**parse({}).model_dump(mode="json"), **old})
    assert (config.base_url, config.extra_body) == (old["base_url"], old["extra_body"])


# --- through LiteLLM ---------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.slow
def test_litellm_sends_extra_fields_and_does_not_read_them_as_arguments() -> None:
    def refuses(body: Body, headers: dict[str, str]) -> Refusal:
        both = "temperature" in body and "top_p" in body
        return (400, {"error": {"message": "not both"}}) if both else None

    with serving(Picky(refuses)) as picky, serving(Picky()) as other:
        further = {"min_tokens": 4, "api_base": f"{other.url}/v1", "base_url": f"{other.url}/v1"}
        (row,) = requests_of(picky, client="litellm", extra_body=further, headers={"X-Route": "a"})
        assert row["status"] == "ok", row["error"]
        assert picky.asked[0][2]["min_tokens"] == 4
        sent = {name.lower(): value for name, value in picky.asked[0][1].items()}
        assert sent["x-route"] == "a"
        assert other.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("client", ["wire", "litellm"])
@pytest.mark.parametrize("model", ["m", "gpt-5-mini"])
def test_a_redirect_is_a_failure_and_the_prompt_goes_nowhere_else(client: str, model: str) -> None:
    with serving(Picky()) as other:
        with serving(Picky(redirects=f"{other.url}/v1/chat/completions")) as picky:
            (row,) = requests_of(picky, client=client, model=model)
        assert (row["status"], row["error_class"], row["http_status"]) == (
            "failed",
            "http_3xx",
            307,
        )
        assert row["error"] == "The server redirects (HTTP 307): use the address it points to."
        assert other.asked == other.listed == []


# --- certificates ------------------------------------------------------------------------------


def test_ca_file_or_insecure_tls_accepts_a_private_certificate(
    authority: Any, tmp_path: Path
) -> None:
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(certificate)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with serving(Picky(), certificate) as picky:
        named = picky.url.replace("127.0.0.1", "localhost") + "/v1"
        (row,) = requests_of(picky, base_url=named)
        assert row["error_class"] == "connect" and "ca_file" in row["error"]
        (row,) = requests_of(picky, base_url=named, ca_file=str(tmp_path / "ca.pem"))
        assert row["status"] == "ok", row["error"]
        other = f"{picky.url}/v1"  # a name that the certificate does not hold
        (row,) = requests_of(picky, base_url=other, ca_file=str(tmp_path / "ca.pem"))
        assert row["error_class"] == "connect"
        (row,) = requests_of(picky, base_url=other, insecure_tls=True)
        assert row["status"] == "ok", row["error"]


# --- what a refusal says -----------------------------------------------------------------------

UNSUPPORTED = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
GPT5 = {"error": {"message": UNSUPPORTED, "param": "max_tokens"}}
EXTRA = {"detail": [{"type": "extra", "loc": ["body", "stream_options"], "msg": "Extra"}]}
REFUSALS: list[tuple[int, Any, dict[str, Any], dict[str, Any]]] = [
    (400, GPT5, {}, {"max_tokens_field": "max_completion_tokens"}),
    (422, {"object": "error", "message": EXTRA}, {}, {"omit": ("stream_options",)}),
    (
        422,
        {"status": 422, "message": "Invalid params: temperature must be in range (0, +inf)"},
        {"omit": ["top_p"]},
        {"omit": ("top_p", "temperature")},
    ),
    (
        400,
        {"type": "error", "error": {"message": "`temperature` and `top_p` cannot both be set"}},
        {"top_p": 0.9},
        {"omit": ("top_p",)},
    ),
    (
        422,
        {"error": "Input validation error: `top_p` must be < 1.0"},
        {"top_p": 1},
        {"omit": ("top_p",)},
    ),
    (422, {"detail": [{"loc": ["body", "seed"], "msg": "No"}]}, {"seed": 1}, {"seed": None}),
    (
        400,
        {"error": {"message": "Unrecognized request argument supplied: think"}},
        {"extra_body": {"think": False, "a": 1}},
        {"extra_body": {"a": 1}},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("status", "reply", "fields", "changes"), REFUSALS)
def test_the_remedy_for_a_refused_field_makes_the_check_pass(
    status: int, reply: Any, fields: dict[str, Any], changes: dict[str, Any]
) -> None:
    refused = Picky(lambda body, headers: (status, reply))
    with serving(refused) as picky:
        url = f"{picky.url}/v1"
        result = asyncio.run(check_backend("url", "m", {}, url, fields))
        assert result.remedy is not None and result.remedy.changes == changes
        (row,) = requests_of(picky, base_url=url, **fields)
        config = parse({"backend": "url", "base_url": url, **fields})
        may_help = remedy(row["error"], row["http_status"], config, url)
        assert may_help is not None and may_help.changes == changes
        picky.refuses = lambda body, headers: None
        again = {**fields, **changes}
        assert asyncio.run(check_backend("url", "m", {}, url, again)).problem is None


def test_a_length_beyond_the_context_does_not_suggest_omitting_max_tokens() -> None:
    message = "This model's maximum context length is 4096 tokens, max_tokens is too large"
    assert remedy(message, 400, RunConfig(backend="url")) is None
    assert remedy("temperature", 500, RunConfig(backend="url")) is None


def test_a_base_model_needs_the_completions_format() -> None:
    reply = {"error": {"message": "As of transformers v4.44, default chat template is not allowed"}}
    with serving(
        Picky(
            lambda body, headers: (400, reply) if "messages" in body else None,
            paths=("/v1/chat/completions", "/v1/completions"),
        )
    ) as picky:
        result = asyncio.run(check_backend("url", "m", {}, f"{picky.url}/v1"))
        assert result.remedy is not None
        assert result.remedy.changes == {"dialect": "completions"}
        there = f"{picky.url}/v1"
        again = asyncio.run(check_backend("url", "m", {}, there, result.remedy.changes))
        assert (again.problem, again.streams, again.reports_usage) == (None, True, True)


def test_a_server_without_a_list_of_models_answers_all_the_same() -> None:
    with serving(Picky(models={})) as picky:
        result = asyncio.run(check_backend("url", "m", {}, f"{picky.url}/v1"))
        assert (result.problem, result.lists, result.streams) == (None, False, True)
        unnamed = asyncio.run(check_backend("url", None, {}, f"{picky.url}/v1"))
        assert unnamed.problem is not None and "Name the model" in unnamed.problem


def test_a_bare_list_of_models_is_accepted() -> None:
    listed = [{"id": "org/a", "object": "model"}, {"id": "org/b", "object": "model"}]
    with serving(Picky(models={"/v1/models": listed})) as picky:
        result = asyncio.run(check_backend("url", None, {}, f"{picky.url}/v1"))
        assert (result.models, result.problem, result.streams) == (("org/a", "org/b"), None, True)


def test_a_path_without_v1_suggests_the_one_to_try() -> None:
    models = {"/api/v1/models": {"data": [{"id": "m"}]}}
    with serving(Picky(paths=("/api/v1/chat/completions",), models=models)) as picky:
        result = asyncio.run(check_backend("url", "m", {}, f"{picky.url}/api"))
        assert result.problem is not None and f"try {picky.url}/api/v1" in result.problem
        assert result.remedy is not None
        assert result.remedy.changes == {"base_url": f"{picky.url}/api/v1"}
        assert asyncio.run(check_backend("url", None, {}, f"{picky.url}/api/v1")).problem is None


def test_a_server_that_is_loading_its_model_is_reported() -> None:
    reply = {"error": {"message": "Loading model", "code": 503}}
    with serving(Picky(lambda body, headers: (503, reply))) as picky:
        result = asyncio.run(check_backend("url", "m", {}, f"{picky.url}/v1"))
        assert result.problem is not None and "is still loading its model" in result.problem
        (row,) = requests_of(picky)
        assert (row["error_class"], row["error"]) == ("http_5xx", "HTTP 503: Loading model")
