"""The page of engines: the form, the exact command, what is in the way, how engines are."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db import engines
from services.servers.engines import ENGINES, EngineConfig
from tests.pages.conftest import Visit, complaints, link_of, sound, text_of


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_has_a_form_without_an_error(visit: Visit, name: str) -> None:
    at = visit("engines", engine=name)
    assert not at.error
    spec = ENGINES[name]
    there = {box.key for box in (*at.number_input, *at.text_input, *at.selectbox, *at.toggle)}
    assert {f"engine-{field}" for field in spec.parameters} <= there


def test_the_page_opens_with_an_engine_that_can_start_here(visit: Visit) -> None:
    at = visit("engines")
    (start,) = [button for button in at.button if button.label == "Start engine"]
    assert not start.disabled and at.code


def test_the_exact_command_is_shown(visit: Visit) -> None:
    at = visit("engines", engine="llamacpp", max_seqs="4", max_model_len="512")
    assert "-m services.servers.embedded 4 512 1 30000" in at.code[0].value
    at.number_input(key="engine-max_seqs").set_value(8)
    at = sound(at.run())
    assert "-m services.servers.embedded 8 512 1 30000" in at.code[0].value
    assert link_of(at) == {"engine": "llamacpp", "max_seqs": "8", "max_model_len": "512"}


def test_what_cannot_run_here_says_why_and_cannot_be_started(visit: Visit) -> None:
    at = visit("engines", engine="llamacpp", model="another")
    assert "serves smollm2-135m-instruct only. Leave model empty." in complaints(at)
    (start,) = [button for button in at.button if button.label == "Start engine"]
    assert start.disabled


def test_engines_that_are_turned_off_cannot_be_started(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_ENGINES", "off")
    at = visit("engines", engine="llamacpp")
    assert "Starting engines is turned off on this Paceline (PACELINE_ENGINES=off)." in text_of(at)
    (start,) = [button for button in at.button if button.label == "Start engine"]
    assert start.disabled and not at.code


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"engine": "x"}, "Engine must be one of"),
        ({"tp": "0"}, "Tensor parallel must be at least 1"),
        ({"gpu_memory_share": "2"}, "GPU memory share must be at most 1"),
        ({"nonsense": "1"}, "Nonsense is not a known field"),
    ],
)
def test_an_invalid_link_is_reported(
    visit: Visit, parameters: dict[str, str], message: str
) -> None:
    assert message in complaints(visit("engines", **parameters))


def test_an_engine_that_failed_says_why_and_what_to_try(visit: Visit, database: Engine) -> None:
    engines.create(database, EngineConfig(engine="vllm", tp=2))
    server = engines.claim(database)
    assert server
    engines.update_running(database, server.id, command="vllm serve")
    engines.ended(database, server.id, "The GPU's memory is full.", "Lower the memory share.")
    at = visit("engines")
    assert "Command" in [each.label for each in at.expander], "there is no log"
    assert "vLLM · TP 2" in text_of(at)
    assert "The GPU's memory is full." in text_of(at) and "Lower the memory share." in text_of(at)
    forget = next(button for button in at.button if button.label == "Delete")
    forget.click().run()
    assert engines.list_all(database) == []


def test_an_engine_that_is_ready_leads_to_a_run_and_can_be_stopped(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.ensure", lambda engine: None)
    engines.create(database, EngineConfig(engine="vllm"))
    server = engines.claim(database)
    assert server
    engines.update_running(database, server.id, base_url="http://127.0.0.1:30123/v1")
    engines.ready(database, server.id, {"engine": "vLLM", "tensor_parallel": 1})
    at = visit("engines")
    assert "http://127.0.0.1:30123/v1" in text_of(at) and "tensor parallel 1" in text_of(at)
    assert len(at.get("page_link")) == 1
    next(button for button in at.button if button.label == "Stop").click().run()
    assert engines.load(database, server.id).stop_requested
