"""Requests made at random from the API's own schema: never a fault of our own, one shape of no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sqlalchemy import Engine

import jobs
from api import api
from db.database import opened
from tests.api.conftest import call
from tests.stored import store

EXAMPLES = 25  # of each route
SCHEMA = api.openapi()
ROUTES = [
    (method.upper(), path, operation)
    for path, of in SCHEMA["paths"].items()
    for method, operation in of.items()
    if "octet-stream" not in json.dumps(operation.get("requestBody", ""))
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(["", "\0", "\ud800", "../..", "%00", "9" * 400, "NaN", "http://[", "-1"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers()),
)


def of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that mostly are what a schema asks for, at its limits too, and sometimes are not."""
    return st.one_of(right(schema), right(schema), right(schema), ODD)


def right(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return right(SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return st.one_of([right(option) for option in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    return KINDS[schema.get("type", "null")](schema)


def whole(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum", -3), schema.get("maximum", 10**6)
    return st.one_of(st.integers(low, high), st.sampled_from([low - 1, low, high, high + 1]))


def number(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1))
    high = schema.get("maximum", 1e6)
    return st.one_of(st.floats(low, high), st.sampled_from([low, high, high * 2, 5e-324, 1e308]))


def text(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    most = schema.get("maxLength", 20)
    return st.one_of(st.text(max_size=min(most, 30)), st.just("x" * min(most + 1, 5000)))


def entries(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*map(of_schema, schema["prefixItems"])).map(list)
    return st.lists(of_schema(schema.get("items", {})), max_size=4)


def fields(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    known = schema.get("properties", {})
    some = st.lists(st.sampled_from([*known, "unknown"]), max_size=6, unique=True)
    needed = schema.get("required", [])

    def filled(names: list[str]) -> st.SearchStrategy[Any]:
        return st.fixed_dictionaries({n: of_schema(known.get(n, {})) for n in {*names, *needed}})

    return some.flatmap(filled)


KINDS = {
    "integer": whole,
    "number": number,
    "string": text,
    "array": entries,
    "object": fields,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}


@st.composite
def requests(draw: st.DrawFn, path: str, operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A path with its parameters, and the rest of a request."""
    query: dict[str, Any] = {}
    for parameter in operation.get("parameters", ()):
        value = draw(st.one_of(of_schema(parameter["schema"]), st.sampled_from([1, 2])))
        word = str(value).encode("utf-8", "replace").decode()
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(word, safe="") or "0")
        elif draw(st.booleans()):
            query[parameter["name"]] = word
    rest: dict[str, Any] = {"params": query}
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        rest["content"] = json.dumps(draw(of_schema(schema))).encode()
        rest["headers"] = {"content-type": "application/json"}
    return path, rest


@pytest.fixture(scope="module")
def queue_at_rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with two runs, whose queue no supervisor processes."""
    with pytest.MonkeyPatch.context() as patch:
        file = tmp_path_factory.mktemp("random") / "paceline.db"
        patch.setenv("PACELINE_DATABASE_URL", f"sqlite:///{file}")
        patch.setattr(jobs, "ensure", lambda engine: None)
        store(opened(), tags=["a"]), store(opened())
        yield opened()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("method", "path", "operation"), ROUTES, ids=[f"{route[0]} {route[1]}" for route in ROUTES]
)
def test_responses_to_random_requests_match_the_schema(
    queue_at_rest: Engine, method: str, path: str, operation: dict[str, Any]
) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(path, operation))
    def tried(request: tuple[str, dict[str, Any]]) -> None:
        response = call(method, request[0], **request[1])  # a fault of our own is raised here
        described = operation["responses"]
        assert str(response.status_code) in described, response.text[:300]
        schema = described[str(response.status_code)].get("content", {}).get("application/json")
        if schema and schema.get("schema"):
            whole = {**schema["schema"], "components": SCHEMA["components"]}
            Draft202012Validator(whole).validate(response.json())
        if response.status_code >= 400:
            assert response.json()["error"].endswith("."), response.text[:300]

    tried()
