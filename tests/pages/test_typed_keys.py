"""A key that is typed on a page reaches the server it belongs to, and nothing that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import Engine

from tests.conftest import ReferenceServer, finished
from tests.pages.conftest import Visit, complaints, link_of, said, sound
from tests.reference import KEY


def test_a_typed_key_is_sent_and_kept_nowhere(
    visit: Visit, database: Engine, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    at = visit("run", backend="vllm", model="ref tokens=2 fault=needs-key", requests="1")
    monkeypatch.setenv("VLLM_BASE_URL", reference.base_url)
    st.cache_data.clear()
    at.text_input(key="secret-VLLM_API_KEY").set_value(KEY)
    sound(at.run())
    assert f"Sent to {reference.base_url} and nowhere else." in said(at)
    assert KEY not in str(link_of(at)) + said(at)
    (start,) = [button for button in at.button if button.label == "Start"]
    sound(start.click().run())
    run = finished(database, 1)
    assert (run.status, run.error) == ("done", None)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_a_typed_key_is_not_sent_to_a_typed_address(
    visit: Visit, database: Engine, reference: ReferenceServer
) -> None:
    at = visit(
        "run", backend="vllm", base_url=reference.base_url, requests="1", warmup="0",
        model="ref tokens=2 fault=needs-key",
    )  # fmt: skip
    at.text_input(key="secret-VLLM_API_KEY").set_value(KEY)
    sound(at.run())
    (start,) = [button for button in at.button if button.label == "Start"]
    sound(start.click().run())
    assert finished(database, 1).status == "failed"


def test_a_backend_without_an_address_of_its_own_asks_for_no_key(visit: Visit) -> None:
    at = visit("run", backend="url")
    assert not [field for field in at.text_input if (field.key or "").startswith("secret-")]
    assert "Keys for this session" not in said(at) and "needs an address" in complaints(at)
