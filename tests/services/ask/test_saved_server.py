"""A server is saved under a name, with what belongs to a server and no key."""

from __future__ import annotations

from typing import Any

import pytest

from services.ask.backends import BACKENDS, BackendProblem
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.ask.saved_server import FIELDS, InvalidServer, SavedServer, expand, saved_server

PROD = {"backend": "vllm", "base_url": "http://gpu-7:8000/v1", "model": "m", "usd_per_hour": 3.5}


def test_a_saved_server_has_every_field_of_a_server() -> None:
    server = saved_server("prod-1", PROD)
    assert tuple(server.fields) == FIELDS
    assert {name: server.fields[name] for name in PROD} == PROD
    usual = RunConfig().model_dump(mode="json")
    rest = [name for name in FIELDS if name not in PROD]
    assert all(server.fields[name] == usual[name] for name in rest if name != "omit")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vllm", "vllm is already a backend"),
        ("", "'' cannot be a server's name"),
        ("A", "'A' cannot be"),
        ("a b", "'a b' cannot be"),
        ("http://a", "cannot be"),
        ("a" * 41, "cannot be"),
        ("-a", "cannot be"),
        ("é", "cannot be"),
    ],
)
def test_an_invalid_name_of_a_saved_server_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidServer, match=message):
        saved_server(name, PROD)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_saved_server_cannot_have_the_name_of_a_backend(backend: str) -> None:
    with pytest.raises(InvalidServer):
        saved_server(backend, {})


@pytest.mark.parametrize("field", [name for name in RunConfig.model_fields if name not in FIELDS])
def test_fields_set_per_run_cannot_be_saved_with_a_server(field: str) -> None:
    with pytest.raises(InvalidServer, match=f"{field} does not belong to a server"):
        saved_server("a", {field: None})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"backend": "nope"}, BackendProblem),
        ({"backend": "vllm", "base_url": "ftp://x"}, InvalidConfig),
        ({"backend": "vllm", "headers": {"Authorization": "Bearer sk-hunter2"}}, InvalidConfig),
        ({"backend": "vllm", "key_env": "sk-hunter2"}, InvalidConfig),
        ({"backend": "vllm", "base_url": "http://u:hunter2@host/v1"}, InvalidConfig),
    ],
)
def test_invalid_fields_are_not_saved_and_keys_are_not_repeated(
    values: dict[str, Any], problem: type[Exception]
) -> None:
    with pytest.raises(problem) as caught:
        saved_server("a", values)
    assert "hunter2" not in str(caught.value)


def test_fields_of_a_run_override_those_of_its_saved_server() -> None:
    server = saved_server("prod", PROD)
    config = parse(expand({"backend": "prod", "mode": "batch", "model": "other"}, server))
    assert (config.backend, config.base_url) == ("vllm", "http://gpu-7:8000/v1")
    assert (config.mode, config.model, config.usd_per_hour) == ("batch", "other", 3.5)


def test_a_server_that_could_not_be_saved_now_still_has_its_fields() -> None:
    fields = {**saved_server("x", {"backend": "url"}).fields, "base_url": "http://h/v1?token=a"}
    values = SavedServer("x", fields).values
    assert values["base_url"] == "http://h/v1?token=a"
    with pytest.raises(InvalidConfig, match="base_url must not contain a key"):
        parse(values)
