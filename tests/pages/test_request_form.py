"""The form's folded group: what is left out of a request, and what is added to it."""

from __future__ import annotations

from sqlalchemy import Engine

from tests.pages.conftest import Visit, complaints, link_of, sound, text_of
from tests.stored import store
from tests.values import failed


def test_request_options_survive_in_the_link(visit: Visit) -> None:
    at = visit("run", backend="vllm", base_url="http://127.0.0.1:9/v1")
    at.multiselect(key="run-omit").set_value(["temperature", "top_p"])
    at.selectbox(key="run-max_tokens_field").set_value("max_completion_tokens")
    at.text_area(key="run-extra_body").set_value('{"min_tokens": 64}')
    at.text_area(key="run-headers").set_value("X-Route: a\nX-Tenant: b")
    at.toggle(key="run-insecure_tls").set_value(True)
    link = link_of(sound(at.run()))
    assert link["omit"] == "temperature,top_p"
    assert link["extra_body"] == '{"min_tokens": 64}'
    assert link["headers"] == '{"X-Route": "a", "X-Tenant": "b"}'
    again = sound(visit("run", **link))
    assert again.multiselect(key="run-omit").value == ["temperature", "top_p"]
    assert again.selectbox(key="run-max_tokens_field").value == "max_completion_tokens"
    assert again.text_area(key="run-headers").value == "X-Route: a\nX-Tenant: b"
    assert again.toggle(key="run-insecure_tls").value is True


def test_a_secret_typed_into_the_form_is_refused_with_what_to_do(visit: Visit) -> None:
    at = visit("run", backend="vllm", base_url="http://127.0.0.1:9/v1")
    at.text_area(key="run-headers").set_value("api-key: 0123456789")
    at = sound(at.run())
    assert "must not contain the secret of api-key itself" in complaints(at).replace("\\", "")
    assert "0123456789" not in complaints(at) + str(link_of(at))


def test_unchanged_fields_are_not_in_the_link(visit: Visit) -> None:
    at = sound(visit("run", backend="vllm", base_url="http://127.0.0.1:9/v1").run())
    assert not {"omit", "extra_body", "headers", "ca_file", "insecure_tls"} & set(link_of(at))
    assert text_of(at)


def test_a_refused_run_offers_the_form_without_what_was_refused(
    database: Engine, visit: Visit
) -> None:
    refused = failed(0, "http_4xx", error="HTTP 422: temperature: No", http_status=422)
    run_id = store(database, [refused])
    at = sound(visit("result", run=str(run_id)))
    (link,) = [
        page_link for page_link in at.get("page_link") if "temperature" in page_link.proto.label
    ]
    assert link.proto.label == "Leave temperature out, and start again"
    assert f"like={run_id}" in link.proto.query_string
    assert "omit=temperature" in link.proto.query_string
    again = sound(visit("run", like=str(run_id), omit="temperature"))
    assert again.multiselect(key="run-omit").value == ["temperature"]
