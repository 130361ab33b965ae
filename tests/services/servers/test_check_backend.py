"""What a form is told of a server before anything is started there."""

from __future__ import annotations

import socket

import pytest

from services.servers import check_backend
from services.servers.check_backend import LIST_S, Listing, QuickCheck, models, quick_check
from tests.picky import MODELS, Picky, serving

NO = (401, {"error": {"message": "no"}})


def ask(base_url: str, **env: str) -> Listing:
    return models("url", base_url, env)


def test_a_closed_port_is_distinguished_from_a_silent_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check_backend, "LIST_S", 0.3)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        assert ask(url).nothing_on == url
        bound.listen()
        silent = ask(url)
    assert silent.problem and "did not answer within 0.3 s" in silent.problem
    assert silent.nothing_on is None


def test_a_refusing_proxy_says_nothing_about_the_server() -> None:
    with serving(Picky()) as gone:
        pass
    proxy = gone.url.replace("//", "//me:hidden-word@")
    result = ask("http://llm.example/v1", HTTP_PROXY=proxy)
    sentence = "The proxy of llm.example refuses connections. Check HTTP_PROXY and ALL_PROXY."
    assert result == Listing(problem=sentence)


def test_a_server_that_requires_a_key_is_up() -> None:
    with serving(Picky(refuses_list=lambda headers: NO)) as server:
        result = ask(server.url)
    assert (result.wants_key, result.nothing_on) == (True, None)
    assert result.problem and "requires a key (HTTP 401: no)" in result.problem


def test_a_server_that_wants_a_key_gets_that_of_the_variable_named() -> None:
    wants = Picky(refuses_list=lambda headers: None if "sk-prod" in str(headers) else NO)
    with serving(wants) as server:
        env = {"PROD_API_KEY": "sk-prod", "PROD_BASE_URL": server.url}
        assert models("url", server.url, env).wants_key
        assert models("url", server.url, env, key_env="PROD_API_KEY").models == ("m",)


def test_a_cloud_without_its_key_is_not_asked_and_requires_one() -> None:
    result = models("groq", None, {})
    assert result.wants_key and result.problem == "Groq needs a key: put GROQ_API_KEY=… in .env."


def test_no_key_is_asked_for_ollama() -> None:
    with serving(Picky(refuses_list=lambda headers: NO)) as server:
        assert not models("ollama", server.url, {}).wants_key


@pytest.mark.slow
def test_the_quick_check_names_the_engine_and_the_round_trip() -> None:
    pages = {"/v1/models": MODELS, "/version": {"version": "0.11.0"}}
    with serving(Picky(models=pages)) as server:
        shown = quick_check("url", server.url, {})
    assert shown.engine == "vLLM 0.11.0"
    assert shown.rtt_s is not None and 0 < shown.rtt_s < LIST_S
    with serving(Picky()) as unknown:
        assert quick_check("url", unknown.url, {}).engine == ""


def test_an_unreachable_server_gives_an_empty_quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Picky()) as gone:
        pass
    assert quick_check("url", gone.url, {}) == QuickCheck()
    assert quick_check("url", "nonsense", {}) == quick_check("embedded", None, {}) == QuickCheck()
    monkeypatch.setattr(check_backend, "LIST_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert quick_check("url", f"http://127.0.0.1:{silent.getsockname()[1]}", {}) == QuickCheck()
