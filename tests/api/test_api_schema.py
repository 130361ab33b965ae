"""The OpenAPI schema: whole, and true of what is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.ask import about
from services.ask.config import RunConfig
from services.report.export.document import REQUEST_FIELDS
from tests.api.conftest import call


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    schema: dict[str, Any] = call("GET", "/openapi.json").json()
    return schema


def test_the_schema_lists_every_route_of_the_api(openapi: dict[str, Any]) -> None:
    assert openapi["servers"] == [{"url": "/api"}]
    operations = {(path, method) for path, of in openapi["paths"].items() for method in of}
    assert operations == {
        ("/import", "post"),
        ("/runs", "get"),
        ("/runs", "post"),
        ("/runs/{run_id}", "get"),
        ("/runs/{run_id}/requests.csv", "get"),
        ("/runs/{run_id}/slices", "get"),
        ("/runs/{run_id}/cancel", "post"),
        ("/runs/{run_id}/more", "post"),
        ("/comparisons", "post"),
        ("/comparisons/{comparison_id}", "get"),
        ("/comparisons/{comparison_id}/cancel", "post"),
        ("/scenarios", "post"),
        ("/runs/{run_id}/scenario", "get"),
        ("/comparisons/{comparison_id}/scenario", "get"),
        ("/studies/{study_id}/scenario", "get"),
        ("/capacities/{capacity_id}/scenario", "get"),
        ("/shares", "get"),
        ("/shares", "post"),
        ("/shares/{token}", "delete"),
        ("/tokens", "get"),
        ("/tokens", "post"),
        ("/tokens/{token_id}", "delete"),
        ("/studies", "get"),
        ("/studies", "post"),
        ("/studies/plan", "post"),
        ("/studies/{study_id}", "get"),
        ("/studies/{study_id}", "delete"),
        ("/studies/{study_id}/report", "get"),
        ("/studies/{study_id}/cancel", "post"),
        ("/studies/{study_id}/resume", "post"),
        ("/capacities", "get"),
        ("/capacities", "post"),
        ("/capacities/{capacity_id}", "get"),
        ("/capacities/{capacity_id}", "delete"),
        ("/capacities/{capacity_id}/cancel", "post"),
        ("/capacities/{capacity_id}/resume", "post"),
        ("/engines", "get"),
        ("/engines", "post"),
        ("/engines/{engine_id}", "get"),
        ("/engines/{engine_id}/stop", "post"),
        ("/servers", "get"),
        ("/servers/{name}", "put"),
        ("/servers/{name}", "delete"),
        ("/baselines", "get"),
        ("/baselines/{kind}/{value}", "put"),
        ("/baselines/{kind}/{value}", "delete"),
        ("/inference/async", "post"),
        ("/inference/batch", "post"),
        ("/inference/batch.jsonl", "post"),
        ("/inference/batch", "get"),
        ("/inference/batch/{batch_id}", "get"),
        ("/inference/batch/{batch_id}", "delete"),
        ("/inference/batch/{batch_id}/output.jsonl", "get"),
        ("/inference/batch/{batch_id}/output.csv", "get"),
        ("/tasks", "get"),
        ("/tasks/{task_id}", "get"),
        ("/tasks/{task_id}", "delete"),
    }


def test_every_schema_is_valid_and_every_reference_resolves(openapi: dict[str, Any]) -> None:
    for schema in openapi["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    named = set(openapi["components"]["schemas"])
    parts = json.dumps(openapi).split('"$ref": "#/components/schemas/')[1:]
    assert {part.partition('"')[0] for part in parts} == named


def test_every_field_of_a_run_is_described(openapi: dict[str, Any]) -> None:
    fields = openapi["components"]["schemas"]["NewRun"]["properties"]
    assert set(fields) == {*RunConfig.model_fields, "name", "tags", "note"}
    for name, field in about.fields(RunConfig).items():
        assert fields[name]["description"] == field.help
    described = openapi["components"]["schemas"]["RequestRow"]["properties"]
    assert tuple(described) == REQUEST_FIELDS


def test_every_error_response_has_the_problem_schema(openapi: dict[str, Any]) -> None:
    for path in openapi["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}


def test_every_route_with_a_body_documents_413_415_and_422(openapi: dict[str, Any]) -> None:
    taking = [
        operation
        for path in openapi["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    assert len(taking) == 17
    for operation in taking:
        assert {"413", "415", "422"} <= set(operation["responses"]), operation["operationId"]


def test_responses_match_the_schema(measured: int, openapi: dict[str, Any]) -> None:
    def check(name: str, response: Any) -> None:
        whole = {"$ref": f"#/components/schemas/{name}", "components": openapi["components"]}
        Draft202012Validator(whole).validate(response)

    check("RunDocument", call("GET", f"/runs/{measured}").json())
    check("Problem", call("GET", "/runs/99").json())
    for row in call("GET", "/runs").json():
        check("ListedRun", row)
